package enqueue_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

func TestQuoteChecksAndKeepsNothing(t *testing.T) {
	b := setup(t)
	s := submission()
	s.IdempotencyKey = "k"
	s.Input.InputImages = []job.InputImage{{}, {}}
	s.Uploads = []enqueue.Upload{{Position: 0, Data: []byte("png")}, {Position: 1, ID: "0"}}
	q, err := b.Quote(t.Context(), s)
	ahead, last := 0, 1
	if diff := cmp.Diff(enqueue.Quote{Outlook: record.Outlook{Ahead: &ahead, LastAhead: &last}}, q); diff != "" || err != nil {
		t.Errorf("quote (-want +got):\n%s%v", diff, err)
	}
	if len(b.queue.Requests) != 0 || len(b.inputs.Stored) != 0 {
		t.Errorf("it puts %d tasks and stores %v", len(b.queue.Requests), b.inputs.Stored)
	}
	page, err := b.record.List(t.Context(), record.Query{Tenant: "web", Limit: 1})
	if len(page.Jobs) != 0 || err != nil {
		t.Errorf("it records %+v, %v", page.Jobs, err)
	}
}

// is returns whether an error is a given one, as a function.
func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

// Each row is a fault of a submission, by which both are refused.
func TestQuoteIsRefusedAsTheSubmissionWouldBe(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*enqueue.Submission)
		is    func(error) bool
	}{
		"out of bounds": {func(s *enqueue.Submission) { s.Input.Count = 17 }, is(enqueue.ErrOutOfBounds)},
		"no lane":       {func(s *enqueue.Submission) { s.Input.Model = "x" }, is(enqueue.ErrNoLane)},
		"no room":       {func(s *enqueue.Submission) { s.MaxWaiting = 1 }, is(record.ErrTooManyWaiting)},
		"no upload": {func(s *enqueue.Submission) {
			s.Input.InputImages, s.Uploads = []job.InputImage{{}}, []enqueue.Upload{{ID: "f"}}
		}, func(err error) bool {
			_, ok := errors.AsType[*enqueue.InputError](err)
			return ok
		}},
	} {
		b := setup(t)
		s := submission()
		tt.spoil(&s)
		_, quoted := b.Quote(t.Context(), s)
		_, submitted := b.Submit(t.Context(), s)
		if !tt.is(quoted) || !tt.is(submitted) {
			t.Errorf("%s: the quote fails with %v, the submission with %v", name, quoted, submitted)
		}
	}
}

func TestSubmitRefusesWhatATenantMayNotSpend(t *testing.T) {
	for name, tt := range map[string]struct {
		price, limit int64 // of two pictures
		refused      bool
	}{
		"no limit":        {price: 34_000},
		"as much":         {price: 34_000, limit: 68_000},
		"too much":        {price: 34_000, limit: 67_999, refused: true},
		"an unknown cost": {limit: 68_000, refused: true},
	} {
		b := setup(t)
		s := submission()
		s.PriceMicros, s.Input.CostLimitMicros = tt.price, tt.limit
		_, submitted := b.Submit(t.Context(), s)
		_, quoted := b.Quote(t.Context(), s)
		for _, err := range []error{submitted, quoted} {
			costly, refused := errors.AsType[*enqueue.CostError](err)
			if refused != tt.refused || err != nil && !refused {
				t.Errorf("%s: got %v, want refused: %t", name, err, tt.refused)
			}
			if refused && *costly != (enqueue.CostError{PriceMicros: tt.price, Count: 2, LimitMicros: tt.limit}) {
				t.Errorf("%s: got %+v", name, costly)
			}
		}
	}
}

// asked counts how often the record tells what came of the work.
type asked struct {
	record.Record

	n   int
	err error
}

func (a *asked) Outcomes(ctx context.Context, since time.Duration) (record.Outcomes, error) {
	a.n++
	if a.err != nil {
		return record.Outcomes{}, a.err
	}
	return a.Record.Outcomes(ctx, since)
}

// A record that cannot tell how long pictures take is not asked by each request,
// nor is one whose caller has gone.
func TestQuoteAsksARecordThatFailsOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		r := &asked{Record: b.record, err: errors.New("it takes too long")}
		p := b.bound(r, 0, 60)
		for range 3 {
			ctx, hangUp := context.WithCancel(t.Context())
			if _, err := p.Quote(ctx, submission()); err != nil {
				t.Error(err)
			}
			hangUp()
		}
		if r.n != 1 {
			t.Errorf("asked %d times, want once", r.n)
		}
	})
}

// The record is asked once a minute how long pictures take.
func TestQuoteKnowsHowLongAPictureTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		s := submission()
		s.Input.Count = 1
		j, err := b.Submit(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		c, err := b.record.Claim(t.Context(), record.ClaimRequest{
			Model: "m", Task: job.Task{JobID: j.ID, Dispatch: 1, Lane: "a"}, Lease: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		rec := &asked{Record: b.record}
		p := b.bound(rec, 0, 60)
		quote := func(want time.Duration, asked int) {
			t.Helper()
			q, err := p.Quote(t.Context(), s)
			if err != nil || q.Run != want || rec.n != asked {
				t.Errorf("a picture takes %s, %v, and the record was asked %d times; want %s and %d", q.Run, err, rec.n, want, asked)
			}
		}
		quote(0, 1)
		if _, err := b.record.Succeed(t.Context(), c, record.Success{Object: job.Object{Key: "k"}}); err != nil {
			t.Fatal(err)
		}
		quote(0, 1)
		time.Sleep(time.Minute)
		quote(20*time.Second, 2)
	})
}
