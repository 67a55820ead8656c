package recordtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

const (
	model  = "model-a"
	other  = "model-b"
	tenant = "acme"
	rival  = "rival"
	lane   = "a"
	spare  = "b" // another lane

	never = time.Hour // a lease or a wait that outlasts the test
	gone  = 0         // a lease that has run out at once
)

var (
	stored = record.Success{
		Object: job.Object{
			Key: "jobs/1/0.png", ContentType: "image/png", Width: 1024, Height: 768, Bytes: 5 << 30,
			SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", ModelVersion: "model-a-001",
		},
	}
	blocked  = job.Error{Code: job.CodeBlocked, Message: "The prompt was refused: „nein“."}
	timedOut = job.Error{Code: job.CodeProviderTimeout, Message: "The provider did not answer in time."}
)

// A fixture is the record of one test, with calls that must succeed.
type fixture struct {
	*testing.T

	ctx    context.Context
	record record.Record
}

func newFixture(t *testing.T, rec record.Record) *fixture {
	return &fixture{T: t, ctx: t.Context(), record: rec}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// submission returns a draft of count pictures of model.
func submission(count int) record.Draft {
	return record.Draft{
		ID: newID(), Tenant: tenant, Fingerprint: "print", ExpiresIn: 24 * time.Hour,
		Priority: job.PriorityNormal, Weight: 1, Lanes: slices.Repeat([]string{lane}, count),
		Input: job.Input{Prompt: "a lighthouse", Model: model, Count: count},
	}
}

// lowly returns a submission of low priority: it waits until no normal image
// does.
func lowly(count int) record.Draft {
	s := submission(count)
	s.Priority = job.PriorityLow
	return s
}

// at returns a place on a lane of model.
func at(lane string) record.Place { return record.Place{Lane: lane, Model: model} }

// stranger returns a task that no image holds.
func stranger() job.Task { return job.Task{JobID: newID(), Dispatch: 1, Lane: lane} }

// create records a job of count pictures and returns their tasks.
func (f *fixture) create(count int) []job.Task {
	f.Helper()
	return f.submit(submission(count))
}

func (f *fixture) submit(s record.Draft) []job.Task {
	f.Helper()
	j, tasks, err := f.record.Create(f.ctx, s)
	if err != nil {
		f.Fatalf("Create: %v", err)
	}
	f.check(j)
	return tasks
}

// get returns a job as the other methods do, without Ahead and
// Paused.
func (f *fixture) get(id string) job.Job {
	f.Helper()
	j, err := f.record.Get(f.ctx, id)
	if err != nil {
		f.Fatalf("Get: %v", err)
	}
	j.Ahead, j.Paused = nil, nil
	return j
}

// claim delivers a task, and must get an image under the lease.
func (f *fixture) claim(t job.Task, lease time.Duration) record.Claim {
	f.Helper()
	c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: t, Lease: lease})
	if err != nil {
		f.Fatalf("Claim by the delivery of %v: %v", t, err)
	}
	f.check(c.Job)
	return c
}

// noClaim delivers a task, and must get an error.
func (f *fixture) noClaim(t job.Task, want error) {
	f.Helper()
	_, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: t, Lease: never})
	f.wantErr(err, want)
}

func (f *fixture) succeed(c record.Claim) job.Job {
	f.Helper()
	j, err := f.record.Succeed(f.ctx, c, stored)
	if err != nil {
		f.Fatalf("Succeed: %v", err)
	}
	f.check(j)
	return j
}

func (f *fixture) fail(c record.Claim) job.Job {
	f.Helper()
	j, err := f.record.Fail(f.ctx, c, blocked)
	if err != nil {
		f.Fatalf("Fail: %v", err)
	}
	f.check(j)
	return j
}

func (f *fixture) requeue(c record.Claim, r record.Requeue) (job.Job, job.Task) {
	f.Helper()
	j, t, err := f.record.Requeue(f.ctx, c, r)
	if err != nil {
		f.Fatalf("Requeue: %v", err)
	}
	f.check(j)
	return j, t
}

func (f *fixture) postpone(t job.Task, lane string) job.Task {
	f.Helper()
	next, err := f.record.Postpone(f.ctx, t, model, at(lane))
	if err != nil {
		f.Fatalf("Postpone: %v", err)
	}
	return next
}

func (f *fixture) cancel(id string) job.Job {
	f.Helper()
	j, err := f.record.Cancel(f.ctx, id)
	if err != nil {
		f.Fatalf("Cancel: %v", err)
	}
	f.check(j)
	return j
}

func (f *fixture) enqueued(tasks ...job.Task) {
	f.Helper()
	if err := f.record.Enqueued(f.ctx, tasks...); err != nil {
		f.Fatalf("Enqueued: %v", err)
	}
}

// wantImage checks which image a claim took.
func (f *fixture) wantImage(c record.Claim, image job.Task) {
	f.Helper()
	if c.Job.ID != image.JobID || c.Index != image.Index {
		f.Fatalf("claimed image %s/%d, want %s/%d", c.Job.ID, c.Index, image.JobID, image.Index)
	}
}

func (f *fixture) wantErr(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("got the error %v, want %v", err, want)
	}
}

func (f *fixture) wantEqual(what string, got, want any) {
	f.Helper()
	if d := cmp.Diff(want, got); d != "" {
		f.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

// check checks a job that was just returned: everything that is true of every
// job.
func (f *fixture) check(j job.Job) {
	f.Helper()
	f.wantEqual("the job that was returned, and Get", j, f.get(j.ID))
	checkRules(f.T, j)
}

// checkRules checks the rules of a job's states and times.
func checkRules(t *testing.T, j job.Job) {
	t.Helper()
	p := j.Progress()
	if p.Total != j.Input.Count || p.Queued+p.Processing+p.Succeeded+p.Failed+p.Canceled != p.Total {
		t.Errorf("job of %d images has %+v", j.Input.Count, p)
	}
	if want := p.Status(!j.StartedAt.IsZero()); j.Status != want {
		t.Errorf("job with %+v is %s, want %s", p, j.Status, want)
	}
	if j.Status.Terminal() == j.CompletedAt.IsZero() {
		t.Errorf("%s job was completed at %v", j.Status, j.CompletedAt)
	}
	if started := slices.ContainsFunc(j.Images, func(i job.Image) bool { return !i.StartedAt.IsZero() }); started == j.StartedAt.IsZero() {
		t.Errorf("job of which an image has started (%t) was started at %v", started, j.StartedAt)
	}
	for i, img := range j.Images {
		if img.Index != i {
			t.Errorf("image %d stands at place %d", img.Index, i)
		}
		checkImage(t, img)
	}
}

func checkImage(t *testing.T, img job.Image) {
	t.Helper()
	if img.Status.Terminal() == img.CompletedAt.IsZero() {
		t.Errorf("%s image was completed at %v", img.Status, img.CompletedAt)
	}
	if (img.Status == job.StatusProcessing || img.Status == job.StatusSucceeded) && img.StartedAt.IsZero() {
		t.Errorf("%s image has no start", img.Status)
	}
	if (img.Status == job.StatusSucceeded) != (img.Object != job.Object{}) {
		t.Errorf("%s image has the object %+v", img.Status, img.Object)
	}
	if img.Parked && img.Status != job.StatusQueued {
		t.Errorf("%s image is parked", img.Status)
	}
	if noError := img.Error == nil; img.Status == job.StatusFailed && noError ||
		img.Status != job.StatusFailed && img.Status != job.StatusQueued && !noError {
		t.Errorf("%s image has the error %v", img.Status, img.Error)
	}
}
