package sweep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/sweep"
)

// remover notes which jobs' objects are removed.
type remover struct {
	jobs []string
	err  error
}

func (r *remover) RemoveJob(_ context.Context, j job.Job) error {
	r.jobs = append(r.jobs, j.ID)
	return r.err
}

func (r *remover) Remove(context.Context, ...string) error { return r.err }

func (r *remover) RemoveUploads(context.Context, time.Time) (int, bool, error) {
	return 0, false, errors.New("a sweep that is not daily listed the uploads")
}

func (r *remover) List(context.Context, string, time.Time) ([]job.StoredObject, string, error) {
	return nil, "", errors.New("a sweep that is not daily listed the bucket")
}

const (
	queueName  = "projects/p/locations/l/queues/images-v1"
	sweepQueue = "projects/p/locations/l/queues/sweep-v1"
)

type bundle struct {
	record   *memory.Record
	queue    *enqueuetest.Queue
	producer *enqueue.Producer
	sweeper  *sweep.Sweeper
	removed  *remover
	lanes    []lane.Lane
	log      *bytes.Buffer // a line of JSON for each entry
	ahead    time.Duration // of the record's clock
	drafts   int           // that lineUp has recorded
}

// setup returns a sweeper over a producer, a queue and a record whose clock the
// test sets. If there is a queue for sweeps, the service asks for its own
// sweeps.
func setup(t *testing.T, sweeps string) *bundle {
	t.Helper()
	b := &bundle{
		queue: &enqueuetest.Queue{}, removed: &remover{}, log: &bytes.Buffer{},
		lanes: []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: queueName}},
	}
	b.record = memory.New(memory.WithClock(func() time.Time { return time.Now().Add(b.ahead) }))
	b.producer = b.newProducer(sweeps)
	b.sweeper = &sweep.Sweeper{
		Record: b.record, Producer: b.producer, Lanes: b.lanes, Objects: b.removed, Retention: 30 * 24 * time.Hour,
		Log: slog.New(slog.NewJSONHandler(b.log, nil)), Webhooks: b.producer.Webhooks(),
	}
	return b
}

// newProducer returns the producer of an instance that has just started.
func (b *bundle) newProducer(sweeps string) *enqueue.Producer {
	return enqueue.New(enqueue.Config{
		Record: b.record, Queue: b.queue, Inputs: &enqueuetest.Inputs{}, Target: enqueue.Target{
			SweepQueue: sweeps, Webhooks: enqueue.WebhookTarget{Queue: "projects/p/locations/l/queues/webhook"},
		},
		Lanes: b.lanes, Process: context.Background(), Log: slog.New(slog.DiscardHandler),
	})
}

// advance moves the record's clock on.
func (b *bundle) advance(d time.Duration) { b.ahead += d }

// sweepOnce does one sweep, which must not fail.
func (b *bundle) sweepOnce(t *testing.T) sweep.Swept {
	t.Helper()
	swept, err := b.sweeper.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return swept
}

func (b *bundle) submit(t *testing.T, count int) job.Job {
	t.Helper()
	j, err := b.producer.Submit(t.Context(), enqueue.Submission{
		Tenant: "web", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "a fox", Model: "m", Count: count},
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// claim claims the next image under a lease that runs out at once.
func (b *bundle) claim(t *testing.T, j job.Job, index int) record.Claim {
	t.Helper()
	c, err := b.record.Claim(t.Context(), record.ClaimRequest{
		Model: "m", Task: job.Task{JobID: j.ID, Index: index, Dispatch: 1, Lane: "a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bundle) job(t *testing.T, id string) job.Job {
	t.Helper()
	j, err := b.record.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// takeNames returns the names of the tasks created since the last call, in order.
func (b *bundle) takeNames() []string {
	var names []string
	for _, r := range b.queue.Requests {
		names = append(names, r.GetTask().GetName())
	}
	b.queue.Requests = nil
	slices.Sort(names)
	return names
}

func taskNames(tasks ...job.Task) []string {
	var names []string
	for _, t := range tasks {
		names = append(names, queueName+"/tasks/"+t.ID())
	}
	slices.Sort(names)
	return names
}

func TestSweepFindsNothing(t *testing.T) {
	b := setup(t, "")
	b.submit(t, 3)
	b.takeNames()
	if diff := cmp.Diff(sweep.Swept{}, b.sweepOnce(t)); diff != "" || len(b.queue.Requests) > 0 {
		t.Errorf("%d tasks created; swept (-want +got):\n%s", len(b.queue.Requests), diff)
	}
}

// The process died between the row and its tasks.
func TestSweepSendsWhatNeverGotToItsQueue(t *testing.T) {
	b := setup(t, "")
	b.queue.Errs = slices.Repeat([]error{grpcstatus.Error(codes.PermissionDenied, "no")}, 2)
	j := b.submit(t, 2)
	b.takeNames()
	b.advance(2 * time.Minute)
	if diff := cmp.Diff(sweep.Swept{Sent: 2}, b.sweepOnce(t)); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	// The names are the same, so a task that is on its queue after all is not
	// put twice.
	want := taskNames(job.Task{JobID: j.ID, Index: 0, Dispatch: 1}, job.Task{JobID: j.ID, Index: 1, Dispatch: 1})
	if diff := cmp.Diff(want, b.takeNames()); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	b.advance(2 * time.Minute)
	if diff := cmp.Diff(sweep.Swept{}, b.sweepOnce(t)); diff != "" {
		t.Errorf("swept again (-want +got):\n%s", diff)
	}
}

// The queue was purged, or it gave up on a task. The task's name stays taken.
func TestSweepReplacesTasksThatAreGone(t *testing.T) {
	b := setup(t, "")
	j := b.submit(t, 2)
	b.takeNames()
	b.queue.Gone = taskNames(job.Task{JobID: j.ID, Index: 1, Dispatch: 1})
	b.advance(11 * time.Minute)
	if diff := cmp.Diff(sweep.Swept{Renewed: 1}, b.sweepOnce(t)); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(taskNames(job.Task{JobID: j.ID, Index: 1, Dispatch: 2}), b.takeNames()); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
}

// A queue with more tasks than a page was purged. One sweep mends all of it.
func TestSweepMendsAPurgedQueueInOneGo(t *testing.T) {
	b := setup(t, "")
	for range 20 {
		b.submit(t, 16)
	}
	b.queue.Gone = b.takeNames()
	b.advance(11 * time.Minute)
	if diff := cmp.Diff(sweep.Swept{Renewed: 320}, b.sweepOnce(t)); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	if got := len(b.takeNames()); got != 320 {
		t.Errorf("%d tasks created, want 320", got)
	}
}

// A long queue that is in order costs a page of look-ups, not all of it.
func TestSweepOfALongQueueIsCheap(t *testing.T) {
	b := setup(t, "")
	for range 20 {
		b.submit(t, 16)
	}
	b.takeNames()
	b.advance(11 * time.Minute)
	b.sweepOnce(t)
	if got := b.queue.Looked.Load(); got != 100 {
		t.Errorf("%d tasks were looked up, want 100", got)
	}
}

func TestSweepReapsWhatADeadWorkerHeld(t *testing.T) {
	b := setup(t, "")
	j := b.submit(t, 1)
	b.takeNames()
	b.claim(t, j, 0)
	b.advance(6 * time.Minute)
	if diff := cmp.Diff(sweep.Swept{Reaped: 1}, b.sweepOnce(t)); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(taskNames(job.Task{JobID: j.ID, Index: 0, Dispatch: 2}), b.takeNames()); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if img := b.job(t, j.ID).Images[0]; img.Status != job.StatusQueued || img.Attempts != 1 {
		t.Errorf("the image is %s after %d attempts; want queued, and the attempt spent", img.Status, img.Attempts)
	}
}

func TestSweepEndsWhatIsPastItsDeadline(t *testing.T) {
	b := setup(t, "")
	j := b.submit(t, 2) // for an hour
	b.advance(61 * time.Minute)
	if swept := b.sweepOnce(t); swept.Expired != 1 {
		t.Errorf("swept %+v, want one job expired", swept)
	}
	got := b.job(t, j.ID)
	if got.Status != job.StatusFailed || got.Images[0].Error == nil || got.Images[0].Error.Code != job.CodeDeadlineExceeded {
		t.Errorf("the job is %s, %+v", got.Status, got.Images[0].Error)
	}
}

// A removal by hand is in the audit, and removes nothing of a job that goes on.
func TestRemoveByHand(t *testing.T) {
	b := setup(t, "")
	j := b.submit(t, 1)
	act := record.Act{Who: "ada", Role: "admin", Action: record.ActionDeleteJob, Reason: "because"}
	if err := b.sweeper.RemoveByHand(t.Context(), j, act); !errors.Is(err, record.ErrNotEnded) || len(b.removed.jobs) > 0 {
		t.Errorf("an open job: %v, removed %v", err, b.removed.jobs)
	}
	j, err := b.record.Cancel(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.removed.err = errors.New("bucket is gone")
	if err := b.sweeper.RemoveByHand(t.Context(), j, act); !errors.Is(err, b.removed.err) {
		t.Errorf("got %v, want the bucket's error", err)
	}
	b.removed.err, b.removed.jobs = nil, nil
	if err := b.sweeper.RemoveByHand(t.Context(), j, act); err != nil || strings.Join(b.removed.jobs, " ") != j.ID {
		t.Errorf("removed %v, %v", b.removed.jobs, err)
	}
	if err := b.sweeper.RemoveByHand(t.Context(), j, act); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	page, err := b.record.Audit(t.Context(), record.AuditQuery{Limit: 9})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Act != act || page.Entries[0].Target != j.ID {
		t.Errorf("the audit has %v, %v", page.Entries, err)
	}
}

func TestSweepRemovesWhatIsPastRetention(t *testing.T) {
	b := setup(t, "")
	j := b.submit(t, 1)
	c := b.claim(t, j, 0)
	if _, err := b.record.Succeed(t.Context(), c, record.Success{Object: job.Object{Key: "images/x/0"}}); err != nil {
		t.Fatal(err)
	}
	b.advance(29 * 24 * time.Hour)
	if swept := b.sweepOnce(t); swept.Removed != 0 {
		t.Errorf("removed before its time: %+v", swept)
	}
	b.advance(2 * 24 * time.Hour)
	b.removed.err = errors.New("bucket is gone")
	if _, err := b.sweeper.Sweep(t.Context()); !errors.Is(err, b.removed.err) {
		t.Errorf("got %v, want the bucket's error", err)
	}
	b.job(t, j.ID) // it is still there, or its picture would never be deleted
	b.removed.err, b.removed.jobs = nil, nil
	if swept := b.sweepOnce(t); swept.Removed != 1 || strings.Join(b.removed.jobs, " ") != j.ID {
		t.Errorf("swept %+v, removed %v", swept, b.removed.jobs)
	}
	if _, err := b.record.Get(t.Context(), j.ID); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("the job is still there: %v", err)
	}
}

// Alerts go by this line.
func TestSweepTellsWhatWaits(t *testing.T) {
	b := setup(t, "")
	swept := func() map[string]any {
		b.log.Reset()
		b.sweepOnce(t)
		var line map[string]any
		if err := json.Unmarshal(b.log.Bytes(), &line); err != nil {
			t.Fatalf("%v in %s", err, b.log)
		}
		delete(line, "time")
		return line
	}
	want := map[string]any{
		"level": "INFO", "msg": "swept", "waiting": 0., "oldest_waiting_seconds": 0.,
		"sent": 0., "renewed": 0., "reaped": 0., "expired": 0., "removed": 0., "orphans": 0., "uploads": 0.,
		"moved": 0., "parked": 0., "told": 0., "sums": 0., "audits": 0., "budgets": 0., "bulked": 0., "bulks": 0., "attempts": 0., "released": 0., "settled": 0., "held": 0.,
	}
	if diff := cmp.Diff(want, swept()); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
	b.submit(t, 3)
	b.advance(2 * time.Minute)
	want["waiting"] = 3.
	got := swept()
	if age, _ := got["oldest_waiting_seconds"].(float64); age < 120 || age > 180 {
		t.Errorf("the oldest has waited %v seconds, want 120 and a little", got["oldest_waiting_seconds"])
	}
	want["oldest_waiting_seconds"] = got["oldest_waiting_seconds"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of three images (-want +got):\n%s", diff)
	}
}

// A step that fails does not stop the others.
func TestSweepGoesOnAfterTrouble(t *testing.T) {
	b := setup(t, "")
	dead := b.submit(t, 1)
	b.claim(t, dead, 0)
	b.queue.Errs = []error{grpcstatus.Error(codes.PermissionDenied, "no")}
	b.submit(t, 1)
	b.advance(6 * time.Minute)
	b.queue.Errs = []error{grpcstatus.Error(codes.PermissionDenied, "no")}
	swept, err := b.sweeper.Sweep(t.Context())
	if err == nil || swept.Reaped != 1 || swept.Sent != 1 {
		t.Errorf("swept %+v, %v; want both steps done and the error", swept, err)
	}
}

// takeSweeps returns how many sweeps were asked for since the last call, and
// empties the queue.
func (b *bundle) takeSweeps() int {
	n := 0
	for _, r := range b.queue.Requests {
		if r.GetParent() == sweepQueue {
			n++
		}
	}
	b.queue.Requests = nil
	return n
}

// Sweeps go on while there is work, and end with it. Here each comes to another
// instance, which does not know which sweeps were asked for.
func TestSweepAsksForTheNextWhileThereIsWork(t *testing.T) {
	b := setup(t, sweepQueue)
	j := b.submit(t, 1)
	b.takeSweeps()
	for _, want := range []int{1, 0} {
		b.sweeper.Producer = b.newProducer(sweepQueue)
		b.sweepOnce(t)
		if got := b.takeSweeps(); got != want {
			t.Errorf("asked %d times, want %d", got, want)
		}
		if _, err := b.record.Cancel(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSweepThatCannotAskForTheNextSaysSo(t *testing.T) {
	b := setup(t, sweepQueue)
	b.queue.Errs = []error{grpcstatus.Error(codes.NotFound, "no such queue")}
	b.submit(t, 1)
	b.queue.Errs = []error{grpcstatus.Error(codes.PermissionDenied, "no")}
	if _, err := b.sweeper.Sweep(t.Context()); !errors.Is(err, sweep.ErrNoNextSweep) {
		t.Errorf("got %v, want ErrNoNextSweep", err)
	}
}

// One task that cannot be put keeps none of the others back, not on its page and
// not on those after it.
func TestSweepGoesOnPastATaskThatCannotBePut(t *testing.T) {
	const jobs, images = 49, 16
	b := setup(t, "")
	b.queue.Refuse = func(string) error { return grpcstatus.Error(codes.PermissionDenied, "no") }
	var bad string
	for range jobs {
		j := b.submit(t, images)
		bad = (job.Task{JobID: j.ID, Index: 3, Dispatch: 1}).ID()
	}
	b.queue.Refuse = func(name string) error {
		if strings.HasSuffix(name, bad) {
			return grpcstatus.Error(codes.InvalidArgument, "no")
		}
		return nil
	}
	b.takeNames()
	b.advance(2 * time.Minute)
	swept, err := b.sweeper.Sweep(t.Context())
	if swept.Sent != jobs*images-1 || err == nil {
		t.Errorf("sent %d, %v; want all but one of %d, and its error", swept.Sent, err, jobs*images)
	}
}

// A queue that is gone fails every task. The sweep says so in a few words, and
// leaves the rest to the next.
func TestSweepOfAQueueThatIsGoneIsShort(t *testing.T) {
	b := setup(t, "")
	b.queue.Refuse = func(string) error { return grpcstatus.Error(codes.NotFound, "no such queue") }
	for range 20 {
		b.submit(t, 16)
	}
	b.takeNames()
	b.advance(2 * time.Minute)
	swept, err := b.sweeper.Sweep(t.Context())
	if swept.Sent != 0 || err == nil || len(err.Error()) > 2_000 {
		t.Errorf("sent %d; the error has %d bytes: %.200v", swept.Sent, len(fmt.Sprint(err)), err)
	}
	if n := len(b.takeNames()); n != 100 {
		t.Errorf("%d tasks were tried, want a page", n)
	}
}
