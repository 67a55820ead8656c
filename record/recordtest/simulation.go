package recordtest

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var simulationTests = []contractTest{
	{"agrees with queues that deliver twice (1)", func(f *fixture) { simulate(f, 1, false) }},
	{"agrees with queues that deliver twice (2)", func(f *fixture) { simulate(f, 2, false) }},
	{"agrees with queues whose workers die (1)", func(f *fixture) { simulate(f, 4, true) }},
	{"agrees with queues whose workers die (2)", func(f *fixture) { simulate(f, 5, true) }},
}

const simulatedSteps = 90

// simulate lets the queues of three lanes deliver tasks at random. A model of
// the record says what must come of each call. simulate also checks the model
// itself against the reason for exchanging tasks: every waiting image has a
// task of its own that is on its lane's queue.
//
// If workers die, a delivery comes again after the queue has given up the one
// before, and ignores that one's answer. If none dies, deliveries come twice
// for no reason, and either answer ends the task. Both at once are too much for
// exchanging alone: then the sweep is needed.
func simulate(f *fixture, seed uint64, deaths bool) {
	s := &simulation{
		fixture: f, random: rand.New(rand.NewPCG(seed, 0)), deaths: deaths, order: newOrder(),
		version: map[string]int64{}, delivered: map[job.Task]int{}, paused: map[string]bool{},
	}
	s.newJob()
	for range simulatedSteps {
		switch n := s.random.IntN(40); {
		case n < 4:
			s.newJob()
		case n == 4:
			s.cancelAny()
		case n == 5:
			s.pauseAny()
		case n == 6:
			s.reapAll()
		case n < 25:
			s.deliverAny()
		default:
			s.finishAny()
		}
		s.wantLiveTasks()
		s.wantLanes()
	}
	s.drain()
}

type simulation struct {
	*fixture

	random    *rand.Rand
	deaths    bool
	order     *order
	images    []*simImage // all of them
	version   map[string]int64
	queue     []job.Task // on all lanes
	delivered map[job.Task]int
	workers   []simWorker
	paused    map[string]bool
}

// A simWorker has an image, and the delivery that brought it.
type simWorker struct {
	claim    record.Claim
	image    *simImage
	task     job.Task
	delivery int // of the task, from 1
}

func (s *simulation) anyLane() string { return []string{lane, spare, "c"}[s.random.IntN(3)] }

func (s *simulation) newJob() {
	sub := submission(1 + s.random.IntN(4))
	sub.Tenant = []string{tenant, rival}[s.random.IntN(2)]
	sub.Weight = []float64{1, 2}[s.random.IntN(2)]
	if s.random.IntN(4) == 0 {
		sub.Priority = job.PriorityLow
	}
	for i := range sub.Lanes {
		sub.Lanes[i] = s.anyLane()
	}
	tasks := s.submit(sub)
	s.version[sub.ID] = 1
	waiting := 0
	for _, i := range s.images {
		if i.line == lineOf(sub) && i.status == job.StatusQueued {
			waiting++
		}
	}
	for i, p := range s.order.create(sub, waiting) {
		s.images = append(s.images, &simImage{
			place: p, job: sub.ID, status: job.StatusQueued, dispatch: 1, task: tasks[i],
		})
	}
	s.queue = append(s.queue, tasks...)
}

func (s *simulation) cancelAny() {
	i := s.images[s.random.IntN(len(s.images))]
	ended := true
	for _, sibling := range s.images {
		if sibling.job == i.job && !sibling.status.Terminal() {
			ended = false
			sibling.status, sibling.claim = job.StatusCanceled, ""
		}
	}
	if !ended {
		s.version[i.job]++
	}
	s.compare(s.cancel(i.job), i)
}

func (s *simulation) pauseAny() {
	l := s.anyLane()
	if s.paused[l] {
		s.resume(l)
	} else {
		s.pause(record.Pause{For: never, Reason: busy}, l)
	}
	s.paused[l] = !s.paused[l]
}

func (s *simulation) reapAll() {
	var want []job.Task
	for _, i := range s.images {
		if i.status == job.StatusProcessing && i.lapsed {
			i.wait(i.task.Lane, false)
			i.claim = ""
			want = append(want, i.task)
		}
	}
	jobs, got := s.reap(gone, plenty)
	s.wantTasks("the tasks of the images put back", got, want...)
	for _, j := range jobs { // one version for each image, or one for all images of a job
		s.version[j.ID] = j.Version
		checkRules(s.T, j)
	}
	s.queue = append(s.queue, want...)
}

func (s *simulation) deliverAny() {
	if len(s.queue) > 0 {
		s.deliver(s.queue[s.random.IntN(len(s.queue))], s.deaths && s.random.IntN(4) == 0)
	}
}

// deliver delivers a task to a worker that will finish, or whose lease runs out
// at once.
func (s *simulation) deliver(t job.Task, dies bool) {
	s.Helper()
	lease := never
	if dies {
		lease = gone
	}
	s.delivered[t]++
	want, wantErr := s.expect(t)
	c, err := s.record.Claim(s.ctx, record.ClaimRequest{Model: model, Task: t, Lease: lease})
	if !errors.Is(err, wantErr) {
		s.Fatalf("delivery of %v got the error %v, want %v", t, err, wantErr)
	}
	switch {
	case errors.Is(err, record.ErrNothingDue):
		s.dropTask(t)
	case errors.Is(err, record.ErrLanePaused):
		s.divert(t)
	case err == nil:
		s.moveClaimed(want, t, c)
		want.lapsed = dies
		s.workers = append(s.workers, simWorker{claim: c, image: want, task: t, delivery: s.delivered[t]})
	}
}

// divert does what a worker does with a slot that may not be used.
func (s *simulation) divert(t job.Task) {
	s.Helper()
	to := s.anyLane()
	next, err := s.record.Postpone(s.ctx, t, model, at(to))
	switch holder := s.holder(t); {
	case holder == nil || holder.status.Terminal():
		s.wantErr(err, record.ErrNothingDue)
	case holder.status == job.StatusProcessing:
		s.wantErr(err, record.ErrHeld)
		return // the task comes again
	default:
		s.wantErr(err, nil)
		later := holder.later
		holder.wait(to, later)
		s.wantEqual("the postponed task", next, holder.task)
		s.queue = append(s.queue, next)
	}
	s.dropTask(t)
}

// finishAny lets one worker finish, perhaps too late.
func (s *simulation) finishAny() {
	if len(s.workers) == 0 {
		return
	}
	n := s.random.IntN(len(s.workers))
	w := s.workers[n]
	s.workers = slices.Delete(s.workers, n, n+1)
	s.finish(w, s.random.IntN(4))
}

func (s *simulation) finish(w simWorker, how int) {
	s.Helper()
	r := record.Requeue{Lane: s.anyLane(), GiveBack: how == 2, After: gone}
	if s.random.IntN(2) == 0 {
		r.After = never
	}
	var (
		j    job.Job
		next job.Task
		err  error
		to   = job.StatusSucceeded
	)
	switch how {
	case 0:
		to = job.StatusFailed
		j, err = s.record.Fail(s.ctx, w.claim, blocked)
	case 1, 2:
		to = job.StatusQueued
		j, next, err = s.record.Requeue(s.ctx, w.claim, r)
	default:
		j, err = s.record.Succeed(s.ctx, w.claim, stored)
	}
	if w.image.claim != w.claim.Token {
		s.wantErr(err, record.ErrClaimLost)
		return // not answered: the task may be another image's by now
	}
	s.wantErr(err, nil)
	s.endClaim(w.image, to, r, next)
	if !s.deaths || w.delivery == s.delivered[w.task] {
		s.dropTask(w.task)
	}
	s.compare(j, w.image)
}

// drain ends every worker and delivers what is left. Then nothing may wait.
func (s *simulation) drain() {
	for l := range s.paused {
		s.resume(l)
	}
	clear(s.paused)
	for len(s.workers) > 0 || len(s.queue) > 0 {
		for _, w := range s.workers {
			s.finish(w, 3)
		}
		s.workers = nil
		for _, t := range slices.Clone(s.queue) {
			s.deliver(t, false)
		}
		s.wantLiveTasks()
	}
	for _, i := range s.images {
		if j := s.get(i.job); !j.Images[i.index].Status.Terminal() {
			s.Errorf("image %s/%d is left %s", i.job, i.index, j.Images[i.index].Status)
		}
	}
	s.wantLanes()
}
