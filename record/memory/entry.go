package memory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// An entry is a job as the record keeps it. Its status follows from its images.
type entry struct {
	Job         job.Job // without its images, which are in Images
	Metadata    []byte  // returned as it came, to the byte
	Key         string  // its idempotency key
	Fingerprint string
	Images      []*image
	Events      []job.WebhookEvent // that webhooks are recorded of
	Hooks       []*hook            // in the order in which they happened
}

// An image is one picture, with what the record must know to give it a turn.
type image struct {
	Image    job.Image
	Model    string // that draws it
	Dispatch int    // how often it was put on a queue under its own name
	Claims   int    // all of them
	Claim    string // token of the latest claim; empty if somebody else ended that
	// ClaimLane is the lane of the latest claim. That of the task may be another
	// one: an image gives its task away while it is processing.
	ClaimLane string
	Attempts  []job.Attempt // that have ended, by number
	StartTag  float64       // its turn among those of its class

	Task        job.Task  // the task that will bring it a slot
	HandedOutAt time.Time // when a caller last got the task, to put it on a queue
	Enqueued    bool      // the task is known to be on a queue

	// While the image is queued: any slot of its model may take it. An image
	// that waits for a later time is not ready; its task comes at that time,
	// and brings it a slot.
	Ready bool
	// While the image is queued: since when, or from when on, a delivery is
	// awaited. While it is processing: the end of its lease.
	DueAt time.Time

	// The strike that others may disprove, and how many they have disproved.
	// These are zero if the image never struck.
	StruckAt    time.Time // when it last struck a lane that was not in StruckLanes yet
	StruckLanes []string
	Strikes     int

	// Budgets are those that the image is reserved with, or was. Once its reservation
	// is settled, Reserved stays as it was.
	Budgets  []budgetName
	Price    int64 // what a reservation is for
	Reserved int64
	Settled  bool  // it has ended, and its reservation has gone
	Counted  int64 // the part of Image.BilledMicros that is spent already
}

// A class is the images that share one order of turns.
type class struct {
	Model    string
	Priority job.Priority
}

// A tenantName names a tenant in a class.
type tenantName struct {
	Class  class
	Tenant string
}

// A tenant is what one tenant has in the turns of a class.
type tenant struct {
	Finish float64 // the finish tag of its last image
	Weight float64 // of its last job
}

// A keyName is an idempotency key of a tenant.
type keyName struct{ Tenant, Key string }

// newEntry returns a job that was just recorded. Of its images, the first ones, as many as
// fit, are ready. A budget holds the others. Their start tags begin at tag.
func newEntry(d record.Draft, fits int, heldBy job.BudgetScope, tag float64, now time.Time) (*entry, error) {
	input, err := copyInput(d.Input)
	if err != nil {
		return nil, fmt.Errorf("memory: the input of job %s: %w", d.ID, err)
	}
	e := &entry{
		Job: job.Job{
			ID: d.ID, Tenant: d.Tenant, Version: 1, Priority: priority(d), Input: input,
			CreatedAt: now, ExpiresAt: now.Add(micros(d.ExpiresIn)),
		},
		Metadata: slices.Clone(d.Metadata), Key: d.IdempotencyKey, Fingerprint: d.Fingerprint, Events: wanted(input),
	}
	for n, lane := range d.Lanes {
		i := &image{
			Image: job.Image{Index: n, Status: job.StatusQueued}, Model: d.DrawnBy(),
			StartTag: tag + float64(n)/d.Weight, Ready: true, DueAt: now, Price: d.PriceMicros,
		}
		switch {
		case n >= fits:
			i.hold(e, heldBy, now)
		case lane == "":
			i.park(e, now)
		default:
			i.redispatch(d.ID, lane, now)
		}
		e.Images = append(e.Images, i)
	}
	return e, nil
}

// copyInput returns a copy that shares nothing with the input. It goes through
// JSON, because a record may keep inputs in that form.
func copyInput(in job.Input) (out job.Input, err error) {
	doc, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(doc, &out)
}

// micros returns a duration to the microsecond, as Postgres keeps it.
func micros(d time.Duration) time.Duration { return d.Truncate(time.Microsecond) }

// snapshot returns the job in the form that callers of the record get.
func (e *entry) snapshot() job.Job {
	j := e.Job
	j.Metadata = slices.Clone(e.Metadata)
	for _, i := range e.Images {
		img := i.Image
		if i.queued() && !i.Ready && i.placed() {
			img.NotBefore = i.DueAt
		}
		if !img.Status.Terminal() {
			img.ReservedMicros = max(0, i.Reserved-(img.BilledMicros-i.Counted))
		}
		j.Images = append(j.Images, img)
	}
	j.Status = j.Progress().Status(!j.StartedAt.IsZero())
	return j
}

// raiseVersion ends a transition of the job's images: it raises the job's version, and
// notes the time if all images have ended.
func (e *entry) raiseVersion(now time.Time) {
	e.Job.Version++
	p := e.snapshot().Progress()
	if p.Queued+p.Processing == 0 {
		e.Job.CompletedAt = now
		e.happen(job.EndedEvent(e.snapshot().Status), 0, now)
	}
}

// ended reports whether all images of the job have ended.
func (e *entry) ended() bool { return !e.Job.CompletedAt.IsZero() }

// openImages returns the images that have not ended.
func (e *entry) openImages() []*image {
	return slices.DeleteFunc(slices.Clone(e.Images), func(i *image) bool { return i.Image.Status.Terminal() })
}

// move moves an image by an event, which its state must allow.
func (i *image) move(event job.Event) {
	next, err := i.Image.Status.Next(event)
	if err != nil {
		panic(err) // the caller has looked
	}
	i.Image.Status = next
}

// end ends an image that its claimant did not end: a claim of it is lost.
func (r *Record) end(p place, event job.Event, reason *job.Error, now time.Time, c *change) {
	i := p.image
	was := i.Image.Status
	if was == job.StatusProcessing {
		outcome := job.OutcomeCanceled
		if reason != nil {
			outcome = job.Outcome(reason.Code)
		}
		r.endAttempt(p, outcome, true, job.Report{}, now, c)
	}
	i.move(event)
	i.Image.CompletedAt, i.Image.Error, i.Claim = now, reason, ""
	i.Image.Parked, i.Image.HeldBy = false, ""
	if i.Settled = was == job.StatusQueued; i.Settled {
		r.settle(i, c)
	}
}

// redispatch gives an image the task of its next dispatch, on a lane.
func (i *image) redispatch(jobID, lane string, now time.Time) {
	i.Dispatch++
	i.Task = job.Task{JobID: jobID, Index: i.Image.Index, Dispatch: i.Dispatch, Lane: lane}
	i.HandedOutAt, i.Enqueued = now, false
}

// park makes an image wait for a lane, until its deadline. It holds no task: the
// one of dispatch 0 was never put on a queue, and nobody asks for it.
func (i *image) park(e *entry, now time.Time) {
	i.Image.Parked = true
	i.withoutTask(e, now)
}

// hold makes an image wait for room in a budget, as park does for a lane.
func (i *image) hold(e *entry, by job.BudgetScope, now time.Time) {
	i.Image.HeldBy = by
	i.withoutTask(e, now)
}

// placed reports whether a queued image has a place: it is neither parked nor held.
func (i *image) placed() bool { return !i.Image.Parked && i.Image.HeldBy == "" }

func (i *image) withoutTask(e *entry, now time.Time) {
	i.Task = job.Task{JobID: e.Job.ID, Index: i.Image.Index}
	i.HandedOutAt, i.Enqueued = now, true
	i.Ready, i.DueAt = false, e.Job.ExpiresAt
}

// lapsed reports whether the image is processing under a lease that has run out
// by a time.
func (i *image) lapsed(by time.Time) bool {
	return i.Image.Status == job.StatusProcessing && !i.DueAt.After(by)
}

func (i *image) queued() bool { return i.Image.Status == job.StatusQueued }

// holds reports whether the image holds a task. The lane is no part of the
// task's name. An image that has ended, or is parked or held, holds no task.
func (i *image) holds(t job.Task) bool {
	return !i.Image.Status.Terminal() && i.placed() &&
		i.Task.JobID == t.JobID && i.Task.Index == t.Index && i.Task.Dispatch == t.Dispatch
}

// A place is an image of a job, with its turn.
type place struct {
	entry *entry
	image *image
}

func (p place) class() class { return class{p.image.Model, p.entry.Job.Priority} }

func (p place) tenant() tenantName { return tenantName{p.class(), p.entry.Job.Tenant} }

// compare orders places by their turns: by priority, then by start tag, then by
// when they were recorded.
func (p place) compare(q place) int {
	return cmp.Or(
		cmp.Compare(rank(p.entry.Job.Priority), rank(q.entry.Job.Priority)),
		cmp.Compare(p.image.StartTag, q.image.StartTag),
		p.compareRecorded(q),
	)
}

// compareRecorded orders places by when they were recorded.
func (p place) compareRecorded(q place) int {
	return cmp.Or(p.entry.Job.CreatedAt.Compare(q.entry.Job.CreatedAt), p.compareName(q))
}

// compareName orders places by job and index.
func (p place) compareName(q place) int {
	return cmp.Or(
		cmp.Compare(p.entry.Job.ID, q.entry.Job.ID),
		cmp.Compare(p.image.Image.Index, q.image.Image.Index),
	)
}

// priority returns the priority of a draft, which is normal unless it is set.
func priority(d record.Draft) job.Priority { return cmp.Or(d.Priority, job.PriorityNormal) }

// rank returns the place of a priority in the order: the smaller goes first.
func rank(p job.Priority) int {
	if p == job.PriorityLow {
		return 1
	}
	return 0
}

// places returns the open images that pass a test, in no order.
func (r *Record) places(test func(p place) bool) []place {
	var all []place
	for _, e := range r.open {
		for _, i := range e.openImages() {
			if p := (place{e, i}); test(p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// page returns the first open images that pass a test, ordered by a time and
// then by name, limit at most.
func (r *Record) page(limit int, by func(*image) time.Time, test func(*image) bool) []place {
	found := r.places(func(p place) bool { return test(p.image) })
	slices.SortFunc(found, func(p, q place) int {
		return cmp.Or(by(p.image).Compare(by(q.image)), p.compareName(q))
	})
	return found[:min(limit, len(found))]
}

// holder returns the image that holds a task.
func (r *Record) holder(t job.Task) (place, bool) {
	held := r.places(func(p place) bool { return p.image.holds(t) })
	if len(held) == 0 {
		return place{}, false
	}
	return held[0], true
}
