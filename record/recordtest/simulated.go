package recordtest

import (
	"fmt"
	"slices"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A simImage is an image in the simulation.
type simImage struct {
	place

	job      string
	status   job.Status
	later    bool // queued: waits for a later time
	lapsed   bool // processing: the lease has run out
	attempts int
	claims   int
	dispatch int
	task     job.Task
	claim    string // token of the latest claim that still counts
}

// wait makes the image queued, and gives it the task of its next dispatch.
func (i *simImage) wait(lane string, later bool) {
	i.status, i.lapsed, i.later = job.StatusQueued, false, later
	i.dispatch++
	i.task = job.Task{JobID: i.job, Index: i.index, Dispatch: i.dispatch, Lane: lane}
}

// String returns what the image and a claim of it have in common.
func (i *simImage) String() string {
	return fmt.Sprintf("%s/%d: %s, attempt %d, dispatch %d, claimed before: %t",
		i.job, i.index, i.status, i.attempts, i.dispatch, i.claims > 1)
}

func simClaim(c record.Claim) string {
	return fmt.Sprintf("%s/%d: %s, attempt %d, dispatch %d, claimed before: %t",
		c.Job.ID, c.Index, c.Image().Status, c.Image().Attempts, c.Dispatch, c.Reclaimed)
}

// expect returns the image that the delivery of a task must get, or the error.
func (s *simulation) expect(t job.Task) (*simImage, error) {
	if s.paused[t.Lane] {
		return nil, record.ErrLanePaused
	}
	var best *simImage
	for _, i := range s.images {
		ready := i.status == job.StatusQueued && !i.later
		own := i.task == t && (i.status == job.StatusQueued || i.status == job.StatusProcessing && i.lapsed)
		if (ready || own) && (best == nil || i.compare(best.place) < 0) {
			best = i
		}
	}
	if best != nil {
		return best, nil
	}
	if holder := s.holder(t); holder != nil && holder.status == job.StatusProcessing {
		return nil, record.ErrHeld
	}
	return nil, record.ErrNothingDue
}

func (s *simulation) holder(t job.Task) *simImage {
	i := slices.IndexFunc(s.images, func(i *simImage) bool { return i.task == t })
	if i < 0 {
		return nil
	}
	return s.images[i]
}

// moveClaimed moves an image of the simulation, and compares it with the claim of
// the record.
func (s *simulation) moveClaimed(i *simImage, t job.Task, c record.Claim) {
	s.Helper()
	if holder := s.holder(t); holder != nil {
		holder.task = i.task
	}
	i.task, i.status, i.later, i.claim = t, job.StatusProcessing, false, c.Token
	i.attempts++
	i.claims++
	s.version[i.job]++
	s.order.claim(i.place)
	s.wantEqual("the claim", simClaim(c), i.String())
	s.compare(c.Job, i)
}

// endClaim ends the claim of an image in the simulation.
func (s *simulation) endClaim(i *simImage, to job.Status, r record.Requeue, next job.Task) {
	s.Helper()
	i.status, i.lapsed = to, false
	s.version[i.job]++
	if to != job.StatusQueued {
		return
	}
	i.wait(r.Lane, r.After > 0)
	if r.GiveBack {
		i.attempts--
	}
	s.wantEqual("the next task", next, i.task)
	s.queue = append(s.queue, next)
}

func (s *simulation) compare(j job.Job, i *simImage) {
	s.Helper()
	checkRules(s.T, j)
	img := j.Images[i.index]
	if j.ID != i.job || j.Version != s.version[i.job] || img.Status != i.status || img.Attempts != i.attempts {
		s.Fatalf("job %s at version %d has image %+v, want version %d with %+v", j.ID, j.Version, img, s.version[i.job], *i)
	}
}

// dropTask takes a task off its queue.
func (s *simulation) dropTask(t job.Task) {
	s.queue = slices.DeleteFunc(s.queue, func(q job.Task) bool { return q == t })
}

// wantLiveTasks checks that every image has one task on a queue.
func (s *simulation) wantLiveTasks() {
	s.Helper()
	held := map[job.Task]bool{}
	for _, i := range s.images {
		waits := i.status == job.StatusQueued || i.status == job.StatusProcessing && s.deaths
		if !waits {
			continue
		}
		if held[i.task] || !slices.Contains(s.queue, i.task) {
			s.Fatalf("%s image %s/%d holds the task %v, which is not on the queue or not its own", i.status, i.job, i.index, i.task)
		}
		held[i.task] = true
	}
}

// wantLanes compares how many images wait on each lane.
func (s *simulation) wantLanes() {
	s.Helper()
	want := map[string]int{}
	for _, i := range s.images {
		if i.status == job.StatusQueued {
			want[i.task.Lane]++
		}
	}
	got := map[string]int{}
	for name, l := range s.lanes() {
		if l.Waiting > 0 {
			got[name] = l.Waiting
		}
	}
	s.wantEqual("the images waiting on each lane", got, want)
}
