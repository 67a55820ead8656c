package worker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/worker"
)

// attempt returns the only attempt of a job.
func (b *bundle) attempt(t *testing.T, id string) job.Attempt {
	t.Helper()
	all, err := b.record.Attempts(t.Context(), id)
	if err != nil || len(all) != 1 {
		t.Fatalf("attempts %+v, %v; want one", all, err)
	}
	return all[0]
}

// Every row is how a request goes that takes ten seconds, from a list price of
// 0.034 US dollars.
func TestTheRecordIsToldWhatAnAttemptWas(t *testing.T) {
	tokens := &job.Tokens{Prompt: 400, Thought: 600, Image: 1120, Total: 2120}
	drawn := job.Answer{FinishReason: "STOP", Tokens: tokens, CostMicros: 38_700}
	refused := job.Answer{FinishReason: "SAFETY", Detail: "finishReason SAFETY", Tokens: &job.Tokens{Prompt: 400, Total: 400}, CostMicros: 600}
	guess := job.Bill{Billed: true, CostMicros: 34_000, Estimated: true, PriceList: "2026-11"}
	failure := func(f job.Failure) error { return &f }
	public := job.Error{Code: job.CodeBlocked, Message: "No."}
	for name, tt := range map[string]struct {
		answer  job.Answer // of a picture
		failure error
		put     error
		outcome job.Outcome
		back    bool
		bill    job.Bill
		bound   int64 // what the job was charged
	}{
		"a picture": {
			answer: drawn, outcome: "succeeded", bound: 34_000,
			bill: job.Bill{Billed: true, Tokens: tokens, CostMicros: 38_700, PriceList: "2026-11"},
		},
		"a picture without a count": {outcome: "succeeded", bill: guess, bound: 34_000},
		"a refusal": {
			failure: failure(job.Failure{Public: public, Remedy: job.RemedyFail, Billable: true, Answer: refused}), outcome: "blocked", bound: 600,
			bill: job.Bill{Billed: true, Tokens: refused.Tokens, CostMicros: 600, PriceList: "2026-11"},
		},
		"a time-out": {
			failure: failure(job.Failure{Public: job.Error{Code: job.CodeProviderTimeout}, Remedy: job.RemedyRetry, Billable: true}),
			outcome: "provider_timeout", bill: guess, bound: 34_000,
		},
		"a full quota": {
			failure: failure(job.Failure{Public: job.Error{Code: job.CodeQuotaExhausted}, Remedy: job.RemedyWait, Limit: job.LimitMinute}),
			outcome: "quota_exhausted", back: true,
		},
		"cut by the end of the process": {failure: worker.ErrShutdown, outcome: "given_back", back: true, bill: guess, bound: 34_000},
		"a picture that is not stored": {
			answer: drawn, put: errors.New("R2 is away"), outcome: "storage_error", bound: 34_000,
			bill: job.Bill{Billed: true, Tokens: tokens, CostMicros: 38_700, PriceList: "2026-11"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t)
				b.config.Limits = worker.DefaultLimits()
				for i := range b.config.Lanes {
					b.config.Lanes[i].Model.PriceList = "2026-11"
				}
				b.start(b.config)
				b.images.failPut = func(int) error { return tt.put }
				b.generator.answer = func(context.Context) (job.Picture, error) {
					time.Sleep(10 * time.Second)
					if tt.failure != nil {
						return job.Picture{}, tt.failure
					}
					pic := b.picture
					pic.Answer = tt.answer
					pic.Answer.At = time.Now()
					return pic, nil
				}
				j, tasks := b.create(t, 1)
				began := time.Now()
				if _, err := b.deliver(t, tasks[0]); err != nil {
					t.Fatal(err)
				}
				want := job.Report{SlotAt: began, AskedAt: began, FinishReason: tt.answer.FinishReason, Bill: tt.bill}
				if tt.failure == nil {
					want.AnsweredAt = began.Add(10 * time.Second)
				}
				if f, ok := errors.AsType[*job.Failure](tt.failure); ok {
					want.FinishReason, want.Detail = f.Answer.FinishReason, f.Answer.Detail
				}
				got := b.attempt(t, j.ID)
				if diff := cmp.Diff(record.Kept(want), got.Report); diff != "" {
					t.Errorf("report (-want +got):\n%s", diff)
				}
				if got.Outcome != tt.outcome || got.Counted == tt.back || got.Lane != "a" {
					t.Errorf("it ended as %s on %s, and counts: %t", got.Outcome, got.Lane, got.Counted)
				}
				if spent := b.get(t, j.ID).SpentMicros(); spent != tt.bound {
					t.Errorf("its job was charged %d, want %d", spent, tt.bound)
				}
			})
		})
	}
}

// An image that needs no request asks nothing, and costs nothing.
func TestAnAttemptWithoutARequestCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		j, tasks := b.createFor(t, 1, time.Minute)
		time.Sleep(2 * time.Minute)
		if _, err := b.deliver(t, tasks[0]); err != nil {
			t.Fatal(err)
		}
		if got, want := b.attempt(t, j.ID).Report, record.Kept(job.Report{SlotAt: time.Now()}); !cmp.Equal(got, want) {
			t.Errorf("the report is %+v", got)
		}
	})
}

// A job is canceled while its picture is drawn, or stored. What that cost is
// counted all the same.
func TestWhatACanceledAttemptCostIsCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		drawn bool // before the job is canceled
		want  job.Bill
	}{
		"cut":    {want: job.Bill{Billed: true, CostMicros: 34_000, Estimated: true}},
		"stored": {drawn: true, want: job.Bill{Billed: true, CostMicros: 38_700, Tokens: &job.Tokens{Total: 2120}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.config.Limits.Heartbeat = time.Hour // a heartbeat must not be what finds out
			b.start(b.config)
			j, tasks := b.create(t, 1)
			cancel := func() {
				if _, err := b.record.Cancel(t.Context(), j.ID); err != nil {
					t.Error(err)
				}
			}
			b.generator.answer = func(ctx context.Context) (job.Picture, error) {
				pic := b.picture
				if tt.drawn {
					pic.Answer = job.Answer{Tokens: &job.Tokens{Total: 2120}, CostMicros: 38_700}
					return pic, nil
				}
				cancel()
				b.cancels.cancel()
				return pic, context.Cause(ctx)
			}
			b.images.failPut = func(int) error { cancel(); return nil }
			if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictAgain || err != nil {
				t.Fatalf("got %v, %v", verdict, err)
			}
			got := b.attempt(t, j.ID)
			if diff := cmp.Diff(tt.want, got.Bill); diff != "" || got.Outcome != job.OutcomeCanceled || !got.Asked() {
				t.Errorf("%s, asked at %v (-want +got):\n%s", got.Outcome, got.AskedAt, diff)
			}
			sums, err := b.record.Spend(t.Context(), record.SpendQuery{To: time.Now().Add(time.Hour), Tenant: true, Limit: 10})
			if err != nil || len(sums) != 1 || sums[0].WastedMicros != tt.want.CostMicros || sums[0].Attempts != 1 {
				t.Errorf("sums %+v, %v", sums, err)
			}
		})
	}
}

// A worker stores the picture and dies. The next one finds it, and what it cost.
func TestAPictureThatIsFoundHasItsCost(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	b.claimAndDie(t, tasks[0])
	pic := b.picture
	pic.Answer = job.Answer{Tokens: &job.Tokens{Image: 1120, Thought: 600, Total: 1720}, CostMicros: 38_100}
	if _, err := b.images.Put(t.Context(), j.ID, 0, pic); err != nil {
		t.Fatal(err)
	}
	if _, err := b.deliver(t, tasks[0]); err != nil {
		t.Fatal(err)
	}
	all, err := b.record.Attempts(t.Context(), j.ID)
	if err != nil || len(all) != 2 || all[0].Bill.Billed || all[1].Bill.CostMicros != 38_100 || all[1].Asked() || all[1].Bill.Estimated {
		t.Errorf("attempts %+v, %v; want the second one to cost what the picture did", all, err)
	}
	if got := b.get(t, j.ID).CostMicros(); got != 38_100 || len(b.generator.requests) > 0 {
		t.Errorf("the job cost %d by %d requests", got, len(b.generator.requests))
	}
}
