package sweep_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/sweep"
)

// A retrier retries as the service does, and answers with err before.
type retrier struct {
	*bundle

	err   error
	calls int
	then  func() // is called after each retry
}

func (r *retrier) Retry(ctx context.Context, j job.Job, a record.Act) (job.Job, error) {
	r.calls++
	if r.err != nil {
		return job.Job{}, r.err
	}
	again, err := r.producer.Retry(ctx, j, enqueue.Retry{Weight: 1, ByHand: &a, IdempotencyKey: a.Bulk + j.ID})
	if r.then != nil {
		r.then()
	}
	return again, err
}

func (b *bundle) bulk(t *testing.T, action record.BulkAction) record.Bulk {
	t.Helper()
	q, _ := action.Narrow(record.SearchQuery{Tenant: "web"})
	bulk, err := b.record.StartBulk(t.Context(), record.BulkDraft{ID: uuid.Must(uuid.NewV7()).String(), Action: action, Query: q},
		record.Act{Who: "otto", Role: "operator", Action: action.Act(), Reason: "the key was wrong"})
	if err != nil {
		t.Fatal(err)
	}
	b.advance(time.Second)
	return bulk
}

// canceled submits jobs and cancels them.
func (b *bundle) canceled(t *testing.T, n int) (ids []string) {
	t.Helper()
	for range n {
		j := b.submit(t, 1)
		if _, err := b.record.Cancel(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	b.advance(time.Second)
	return ids
}

func (b *bundle) wantBulk(t *testing.T, id string, state record.BulkState, done, skipped, failed int) record.Bulk {
	t.Helper()
	got, err := b.record.Bulk(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{state, done, skipped, failed}
	if diff := cmp.Diff(want, []any{got.State, got.Done, got.Skipped, got.Failed}); diff != "" {
		t.Errorf("the bulk (-want +got):\n%s%+v", diff, got.Samples)
	}
	return got
}

// retries returns how many jobs there are that draw others again.
func (b *bundle) retries(t *testing.T) (n int) {
	t.Helper()
	page, err := b.record.List(t.Context(), record.Query{Tenant: "web", Limit: 2000})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range page.Jobs {
		if j.Input.Retry != nil {
			n++
		}
	}
	return n
}

// A sweep comes to so many jobs of a bulk, and asks for the next one within seconds as
// long as there are more. Jobs recorded after the start are left alone.
func TestSweepsGoOnWithABulkUntilItIsDone(t *testing.T) {
	b := setup(t, sweepQueue)
	b.sweeper.Retrier = &retrier{bundle: b}
	b.canceled(t, 450)
	bulk := b.bulk(t, record.BulkRetry)
	late := b.canceled(t, 1)
	sweeps := 0
	for state := record.BulkRunning; state == record.BulkRunning; sweeps++ {
		began := time.Now()
		b.sweepOnce(t)
		kept, err := b.record.Bulk(t.Context(), bulk.ID)
		if err != nil || sweeps > 10 {
			t.Fatalf("after %d sweeps: %+v, %v", sweeps, kept, err)
		}
		if state = kept.State; state == record.BulkRunning {
			soon := false
			for _, r := range b.queue.Requests { // a sweep of the same second may have asked for the same one
				at := r.GetTask().GetScheduleTime().AsTime()
				soon = soon || r.GetParent() == sweepQueue && at.After(began) && time.Until(at) < 5*time.Second
			}
			if !soon {
				t.Fatal("no sweep is asked for within seconds, and the bulk goes on")
			}
		}
	}
	if sweeps != 3 {
		t.Errorf("450 jobs take %d sweeps, want 3", sweeps)
	}
	b.wantBulk(t, bulk.ID, record.BulkDone, 450, 0, 0)
	if n := b.retries(t); n != 450 {
		t.Errorf("there are %d retries", n)
	}
	page, err := b.record.Audit(t.Context(), record.AuditQuery{Target: late[0], Limit: 1})
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("something was done to a job that came later: %+v, %v", page, err)
	}
	if swept := b.sweepOnce(t); swept.Bulked != 0 {
		t.Errorf("a sweep went on with a bulk that is done: %+v", swept)
	}
}

// A cancel says of jobs that ended meanwhile that it skipped them.
func TestABulkCancelsAndSkipsWhatEndedMeanwhile(t *testing.T) {
	b := setup(t, sweepQueue)
	b.canceled(t, 2)
	open, faster := b.submit(t, 2), b.submit(t, 1)
	bulk := b.bulk(t, record.BulkCancel)
	if _, err := b.record.Cancel(t.Context(), faster.ID); err != nil {
		t.Fatal(err)
	}
	b.sweepOnce(t)
	got := b.wantBulk(t, bulk.ID, record.BulkDone, 1, 1, 0)
	if len(got.Samples) != 1 || got.Samples[0].JobID != faster.ID {
		t.Errorf("samples are %+v", got.Samples)
	}
	page, err := b.record.Audit(t.Context(), record.AuditQuery{Target: open.ID, Limit: 1})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Detail["bulk"] != bulk.ID || page.Entries[0].Act.Who != "otto" {
		t.Errorf("the audit has %+v, %v", page, err)
	}
}

// dying is a record that fails just after a job was changed: the step is not recorded.
type dying struct {
	record.Record

	dies bool
}

var errKilled = errors.New("killed")

func (d *dying) AdvanceBulk(ctx context.Context, b record.Bulk, s record.BulkStep) (record.Bulk, error) {
	if d.dies && s.JobID != "" {
		return record.Bulk{}, errKilled
	}
	return d.Record.AdvanceBulk(ctx, b, s)
}

// What a sweep did before it was killed, the next one counts, and does not do again: also
// if the retry that it made has ended meanwhile.
func TestABulkSurvivesAKillBetweenAJobAndItsCount(t *testing.T) {
	for _, action := range []record.BulkAction{record.BulkCancel, record.BulkRetry} {
		b := setup(t, sweepQueue)
		b.sweeper.Retrier = &retrier{bundle: b}
		if action == record.BulkCancel {
			b.submit(t, 1)
			b.submit(t, 1)
		} else {
			b.canceled(t, 2)
		}
		bulk := b.bulk(t, action)
		rec := &dying{Record: b.record, dies: true}
		b.sweeper.Record = rec
		if _, err := b.sweeper.Sweep(t.Context()); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		b.cancelRetries(t)
		rec.dies = false
		b.sweepOnce(t)
		b.wantBulk(t, bulk.ID, record.BulkDone, 2, 0, 0)
		if n := b.retries(t); action == record.BulkRetry && n != 2 {
			t.Errorf("there are %d retries of 2 jobs", n)
		}
	}
}

func (b *bundle) cancelRetries(t *testing.T) {
	t.Helper()
	page, err := b.record.List(t.Context(), record.Query{Tenant: "web", Limit: 2000})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range page.Jobs {
		if j.Input.Retry != nil {
			if _, err := b.record.Cancel(t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Two sweeps at once retry each job once, also if a retry ends in between, and count it
// once.
func TestTwoSweepsDoNotDoAJobTwice(t *testing.T) {
	b := setup(t, sweepQueue)
	first := &retrier{bundle: b}
	b.sweeper.Retrier = first
	b.canceled(t, 30)
	bulk := b.bulk(t, record.BulkRetry)
	second := *b.sweeper
	second.Retrier = &retrier{bundle: b}
	first.then = func() { // while the first one has done a job and not counted it
		first.then = nil
		b.cancelRetries(t)
		if _, err := second.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	}
	b.sweepOnce(t)
	b.wantBulk(t, bulk.ID, record.BulkDone, 30, 0, 0)
	if n := b.retries(t); n != 30 {
		t.Errorf("there are %d retries of 30 jobs", n)
	}
}

// What is refused is counted with its reason, and what was retried before is skipped.
// The bulk goes on.
func TestABulkGoesOnPastWhatIsRefused(t *testing.T) {
	b := setup(t, sweepQueue)
	r := &retrier{bundle: b, err: &sweep.RefusedError{Text: "no room"}}
	b.sweeper.Retrier = r
	ids := b.canceled(t, 3)
	j, err := b.record.Get(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.producer.Retry(t.Context(), j, enqueue.Retry{Weight: 1}); err != nil {
		t.Fatal(err)
	}
	bulk := b.bulk(t, record.BulkRetry)
	b.sweepOnce(t)
	got := b.wantBulk(t, bulk.ID, record.BulkDone, 0, 1, 2)
	if s := got.Samples; len(s) != 2 || s[0].Reason != "no room" || s[0].Jobs != 2 || s[1].JobID != ids[0] {
		t.Errorf("samples are %+v", s)
	}
}

// A fault of the service lets a bulk wait for the next sweep, which comes a minute later
// or more: a fault rarely ends within seconds. A job that fails so three
// times counts as failed, so that it does not hold up the others.
func TestAFaultHoldsUpABulkForThreeSweeps(t *testing.T) {
	b := setup(t, sweepQueue)
	began := time.Now()
	r := &retrier{bundle: b, err: errors.New("connection refused")}
	b.sweeper.Retrier = r
	b.canceled(t, 2)
	bulk := b.bulk(t, record.BulkRetry)
	for n := range 2 {
		if _, err := b.sweeper.Sweep(t.Context()); !errors.Is(err, r.err) {
			t.Errorf("sweep %d: %v", n, err)
		}
		b.wantBulk(t, bulk.ID, record.BulkRunning, 0, 0, 0)
	}
	for _, r := range b.queue.Requests {
		if at := r.GetTask().GetScheduleTime().AsTime(); r.GetParent() == sweepQueue && at.Before(began.Add(30*time.Second)) {
			t.Errorf("a sweep is asked for at %s, and the fault was at %s", at, began)
		}
	}
	if r.calls != 2 {
		t.Errorf("it was tried %d times in 2 sweeps", r.calls)
	}
	if _, err := b.sweeper.Sweep(t.Context()); !errors.Is(err, r.err) { // of the other job
		t.Error(err)
	}
	b.wantBulk(t, bulk.ID, record.BulkRunning, 0, 0, 1)
	r.err = nil
	b.sweepOnce(t)
	b.wantBulk(t, bulk.ID, record.BulkDone, 1, 0, 1)
}

// An abort holds from the next job on, whoever works on the bulk.
func TestAnAbortHoldsFromTheNextJobOn(t *testing.T) {
	b := setup(t, sweepQueue)
	r := &retrier{bundle: b}
	b.sweeper.Retrier = r
	b.canceled(t, 30)
	bulk := b.bulk(t, record.BulkRetry)
	r.then = func() {
		r.then = nil
		if _, err := b.record.AbortBulk(t.Context(), bulk.ID, record.Act{Who: "ada", Role: "admin", Action: record.ActionAbortBulk, Reason: "why"}); err != nil {
			t.Error(err)
		}
	}
	b.sweepOnce(t)
	b.wantBulk(t, bulk.ID, record.BulkAborted, 1, 0, 0)
}

// unread is a record of which bulks cannot be read for a moment.
type unread struct {
	record.Record

	fails bool
}

func (r *unread) OpenBulks(ctx context.Context, limit int) ([]record.Bulk, error) {
	if r.fails {
		return nil, errors.New("canceling statement due to statement timeout")
	}
	return r.Record.OpenBulks(ctx, limit)
}

// A bulk does not wait for the daily sweep because one look at bulks failed.
func TestASweepThatCannotReadBulksAsksForTheNextOne(t *testing.T) {
	b := setup(t, sweepQueue)
	broken := &unread{Record: b.record}
	b.sweeper.Record = broken
	for fails, want := range []int{0, 2} { // in time, and soon
		broken.fails = fails == 1
		before := len(b.queue.Requests)
		_, err := b.sweeper.Sweep(t.Context())
		if asked := len(b.queue.Requests) - before; (err != nil) != broken.fails || asked != want {
			t.Errorf("fails: %t: %d sweeps are asked for, want %d; %v", broken.fails, asked, want, err)
		}
	}
}
