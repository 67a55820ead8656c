package snapshot_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/snapshot"
)

// setupTimed returns a bundle whose record and reader go by one clock, and a
// function that moves it on.
func setupTimed(t *testing.T, wrap func(record.Record) record.Record) (_ *bundle, advance func(time.Duration)) {
	t.Helper()
	b := setup(t)
	clock := noon
	b.inner = memory.New(memory.WithClock(func() time.Time { return clock }))
	r := renderer()
	r.Now = func() time.Time { return clock }
	b.Record = snapshot.NewRecord(wrap(b.inner), client(t, b.server.URL()), r, slog.New(slog.DiscardHandler))
	return b, func(d time.Duration) { clock = clock.Add(d) }
}

func plain(r record.Record) record.Record { return r }

func TestAReaderEndsAJobPastItsDeadline(t *testing.T) {
	b, advance := setupTimed(t, plain)
	j, _ := b.create(t, 2) // for an hour
	advance(time.Hour - time.Microsecond)
	if snap, err := b.Snapshot(t.Context(), j.ID); err != nil || snap.Status != job.StatusQueued {
		t.Fatalf("in time it is %s, %v", snap.Status, err)
	}
	sub := b.client.Subscribe(t.Context(), snapshot.EventsChannel(j.ID))
	defer sub.Close()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	advance(time.Microsecond)
	snap, err := b.Snapshot(t.Context(), j.ID) // although there is a young one
	if err != nil || snap.Status != job.StatusFailed || snap.Version != 2 {
		t.Errorf("version %d is %s, %v; want 2, failed", snap.Version, snap.Status, err)
	}
	if msg, err := sub.ReceiveMessage(t.Context()); err != nil || msg.Payload != string(snap.JSON) {
		t.Errorf("event %v, %v; want %s", msg, err, snap.JSON)
	}
	recorded, err := b.inner.Get(t.Context(), j.ID)
	if err != nil || recorded.Images[1].Error == nil || recorded.Images[1].Error.Code != job.CodeDeadlineExceeded {
		t.Errorf("the record has %+v, %v", recorded.Images, err)
	}
}

// Who is at work ends by itself, or is ended once the lease has run out.
func TestAReaderLeavesWhoIsAtWork(t *testing.T) {
	b, advance := setupTimed(t, plain)
	j, tasks := b.create(t, 2)
	advance(time.Hour - time.Minute)
	b.claim(t, tasks[0]) // for an hour
	for _, step := range []struct {
		advance time.Duration
		want    job.Status
		version int64
	}{
		{time.Minute, job.StatusProcessing, 3},             // the one that waited has failed
		{snapshot.MaxAge, job.StatusProcessing, 3},         // and nothing more happens
		{time.Hour - time.Minute, job.StatusProcessing, 3}, // believed, since nothing waits
		{0, job.StatusFailed, 4},
	} {
		advance(step.advance)
		if step.version == 4 {
			b.age(t, j.ID, snapshot.MaxAge+time.Second)
		}
		snap, err := b.Snapshot(t.Context(), j.ID)
		if err != nil || snap.Status != step.want || snap.Version != step.version {
			t.Errorf("version %d is %s, %v; want %d, %s", snap.Version, snap.Status, err, step.version, step.want)
		}
	}
}

func TestAWaitEndsAJobPastItsDeadline(t *testing.T) {
	b, advance := setupTimed(t, plain)
	j, _ := b.create(t, 1)
	advance(time.Hour)
	snap, err := b.Await(t.Context(), j.ID)
	if err != nil || snap.Status != job.StatusFailed {
		t.Errorf("it is %s, %v", snap.Status, err)
	}
}

// faulty is a record in which some calls fail or do not return.
type faulty struct {
	record.Record
	get, expire func(context.Context) error
}

func (f *faulty) Get(ctx context.Context, id string) (job.Job, error) {
	if f.get != nil {
		return job.Job{}, f.get(ctx)
	}
	return f.Record.Get(ctx, id)
}

func (f *faulty) ExpireJob(ctx context.Context, _ string, _ job.Error) (job.Job, error) {
	return job.Job{}, f.expire(ctx)
}

func TestAReadAnswersIfTheJobCannotBeEnded(t *testing.T) {
	fail := func(context.Context) error { return errors.New("the record is away") }
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for name, calls := range map[string]faulty{
		"the transition fails": {expire: fail},
		"the transition hangs": {expire: hang},
		"the record is away":   {get: fail, expire: fail},
		"the record hangs":     {get: hang, expire: hang},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{expire: calls.expire}
			b, advance := setupTimed(t, func(r record.Record) record.Record {
				f.Record = r
				return f
			})
			j, _ := b.create(t, 1)
			f.get = calls.get
			advance(2 * time.Hour)
			snap, err := b.Snapshot(t.Context(), j.ID)
			if err != nil || snap.Status != job.StatusQueued {
				t.Errorf("got %q, %v; want the job as it was", snap.Status, err)
			}
		})
	}
}
