package recordtest

import (
	"slices"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var parkTests = []contractTest{
	{"takes an image's task away, and gives it to nobody", parkTakesTheTask},
	{"counts the image as one that waits, and on no lane", parkCounts},
	{"shows in the job, and is no transition", parkShows},
	{"does not keep an image from its deadline or from Cancel", parkEnds},
	{"tells why it parks nothing", parkNothing},
	{"begins with an image that is created without a lane", parkCreated},
	{"ends in the order of turns", unparkTurns},
	{"ends for as many as there are places", unparkPlaces},
	{"may end at another model, with turns as of new images", unparkElsewhere},
	{"changes nothing if nothing is parked", unparkNothing},
}

var relabelTests = []contractTest{
	{"takes an image to another model, with a turn as of a new one", relabelTurns},
	{"moves what a tenant waits for, and no more", relabelCounts},
	{"lets each image of a job have a model of its own", relabelJob},
	{"does nothing to an image of another model than expected", relabelStray},
	{"finds tasks by lane and model, the last turn first", tasksOnLane},
}

func (f *fixture) park(tasks ...job.Task) {
	f.Helper()
	for _, t := range tasks {
		if err := f.record.Park(f.ctx, t, model); err != nil {
			f.Fatalf("Park: %v", err)
		}
	}
}

func (f *fixture) unpark(from string, to ...record.Place) []job.Task {
	f.Helper()
	tasks, err := f.record.Unpark(f.ctx, from, to)
	if err != nil {
		f.Fatalf("Unpark: %v", err)
	}
	return tasks
}

func (f *fixture) models() []record.ModelState {
	f.Helper()
	states, err := f.record.Models(f.ctx)
	if err != nil {
		f.Fatalf("Models: %v", err)
	}
	return append([]record.ModelState(nil), states...)
}

// wantParked checks which images of a job are parked.
func (f *fixture) wantParked(id string, want ...bool) {
	f.Helper()
	j := f.get(id)
	checkRules(f.T, j)
	var got []bool
	for _, i := range j.Images {
		got = append(got, i.Parked)
	}
	f.wantEqual("the images that are parked", got, want)
}

func parkTakesTheTask(f *fixture) {
	tasks := f.create(2)
	f.park(tasks...)
	f.noClaim(stranger(), record.ErrNothingDue)
	f.noClaim(tasks[0], record.ErrNothingDue)
	f.wantTasks("unsent", f.unsent(gone, plenty))
	f.wantTasks("unheard", f.unheard(gone, plenty))
	on, err := f.record.TasksOn(f.ctx, lane, model, plenty)
	f.wantErr(err, nil)
	f.wantTasks("on the lane", on)
}

func parkCounts(f *fixture) {
	tasks := f.create(3)
	f.wantEqual("the models", f.models(), []record.ModelState{{Model: model, Waiting: 3}})
	f.park(tasks[:2]...)
	f.wantEqual("the models", f.models(), []record.ModelState{{Model: model, Waiting: 3, Parked: true}})
	f.wantWaiting(map[string]int{lane: 1})
	b, err := f.record.Backlog(f.ctx, gone)
	f.wantErr(err, nil)
	f.wantEqual("the backlog", []int{b.Waiting, b.Parked, b.Unsent}, []int{3, 2, 1})
	f.unpark(model, at(spare))
	f.wantWaiting(map[string]int{lane: 1, spare: 1})
}

func parkShows(f *fixture) {
	tasks := f.create(2)
	want := f.get(tasks[0].JobID)
	f.park(tasks[1])
	want.Images[1].Parked = true
	f.wantEqual("the job", f.get(want.ID), want)
	f.unpark(model, at(lane))
	want.Images[1].Parked = false
	f.wantEqual("the job", f.get(want.ID), want)
}

func parkEnds(f *fixture) {
	s := submission(1)
	s.ExpiresIn = gone
	f.park(f.submit(s)...)
	jobs, err := f.record.Expire(f.ctx, timedOut, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many expired", len(jobs), 1)
	f.wantParked(s.ID, false)

	canceled := f.create(2)
	f.park(canceled[0])
	f.cancel(canceled[0].JobID)
	f.wantParked(canceled[0].JobID, false, false)
	f.wantEqual("the models", f.models(), []record.ModelState(nil))
	f.wantWaiting(map[string]int{lane: 0})
	f.wantTasks("left to unpark", f.unpark(model, at(lane)))
}

func parkNothing(f *fixture) {
	tasks := f.create(2)
	f.claim(tasks[0], never)
	f.wantErr(f.record.Park(f.ctx, tasks[0], model), record.ErrHeld)
	f.wantOtherModel(f.record.Park(f.ctx, tasks[1], other), model)
	f.wantErr(f.record.Park(f.ctx, stranger(), model), record.ErrNothingDue)
	f.wantParked(tasks[0].JobID, false, false)
}

func parkCreated(f *fixture) {
	s := submission(3)
	s.Lanes = []string{"", lane, ""}
	tasks := f.submit(s)
	f.wantEqual("the tasks", tasks, []job.Task{{JobID: s.ID, Index: 1, Dispatch: 1, Lane: lane}})
	f.wantParked(s.ID, true, false, true)
	f.wantWaiting(map[string]int{lane: 1})
	next := f.unpark(model, at(spare), at(spare))
	f.wantEqual("the tasks", next, []job.Task{
		{JobID: s.ID, Index: 0, Dispatch: 1, Lane: spare}, {JobID: s.ID, Index: 2, Dispatch: 1, Lane: spare},
	})
	f.wantTasks("unsent", f.unsent(gone, plenty), append(next, tasks...)...)
	f.wantImage(f.useSlot(), next[0])
	f.wantImage(f.useSlot(), tasks[0])
	f.wantImage(f.useSlot(), next[1])
}

func unparkTurns(f *fixture) {
	low, normal := f.submit(lowly(1)), f.create(2)
	f.park(normal[1], low[0], normal[0])
	next := f.unpark(model, at(lane), at(spare), at(lane), at(lane))
	f.wantEqual("the tasks", next, []job.Task{
		{JobID: normal[0].JobID, Index: 0, Dispatch: 2, Lane: lane},
		{JobID: normal[1].JobID, Index: 1, Dispatch: 2, Lane: spare},
		{JobID: low[0].JobID, Index: 0, Dispatch: 2, Lane: lane},
	})
	for _, t := range next {
		f.wantImage(f.claim(t, never), t)
	}
}

func unparkPlaces(f *fixture) {
	tasks := f.create(3)
	f.park(tasks...)
	f.wantEqual("how many", len(f.unpark(model, at(lane), at(lane))), 2)
	f.wantParked(tasks[0].JobID, false, false, true)
	f.wantEqual("how many then", len(f.unpark(model, at(lane), at(lane))), 1)
}

func unparkElsewhere(f *fixture) {
	parked := f.create(4)
	f.park(parked...)
	s := submission(1)
	s.Tenant, s.Input.Model = rival, other
	first := f.submit(s)[0]
	to := record.Place{Lane: spare, Model: other}
	next := f.unpark(model, to, to, to)
	f.wantEqual("the models", f.models(), []record.ModelState{
		{Model: model, Waiting: 1, Parked: true}, {Model: other, Waiting: 4},
	})
	f.noClaim(stranger(), record.ErrNothingDue)
	f.wantTurns(other, next[0], first, next[1], next[2]) // the first was recorded before the rival's
}

// wantTurns uses slots of a model, which must go to images in their order.
func (f *fixture) wantTurns(of string, images ...job.Task) {
	f.Helper()
	for _, i := range images {
		c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: of, Task: stranger(), Lease: never})
		f.wantErr(err, nil)
		f.wantImage(c, i)
	}
}

func unparkNothing(f *fixture) {
	tasks := f.create(1)
	f.wantTasks("of none that are parked", f.unpark(model, at(lane)))
	f.park(tasks...)
	f.wantTasks("of another model", f.unpark(other, at(lane)))
	f.wantTasks("without places", f.unpark(model))
	f.wantParked(tasks[0].JobID, true)
}

// relabel gives the image of a task a place on the spare lane, of another model.
func (f *fixture) relabel(t job.Task) job.Task {
	f.Helper()
	next, err := f.record.Postpone(f.ctx, t, model, record.Place{Lane: spare, Model: other})
	f.wantErr(err, nil)
	return next
}

// A tenant's images that come to a model late go behind that tenant's others there,
// and take turns with another's.
func relabelTurns(f *fixture) {
	stray := f.create(2)
	s := submission(3)
	s.Tenant, s.Input.Model = rival, other
	waiting := f.submit(s)
	s = submission(1)
	s.Input.Model = other
	own := f.submit(s)
	moved := []job.Task{f.relabel(stray[0]), f.relabel(stray[1])}
	f.noClaim(stray[0], record.ErrNothingDue)
	f.wantTurns(other, waiting[0], own[0], moved[0], waiting[1], moved[1], waiting[2])
}

func relabelCounts(f *fixture) {
	stray := f.create(3)
	want := f.get(stray[0].JobID)
	f.relabel(stray[0])
	f.wantEqual("the job", f.get(want.ID), want)
	f.wantEqual("the models", f.models(), []record.ModelState{{Model: model, Waiting: 2}, {Model: other, Waiting: 1}})
	f.wantWaiting(map[string]int{lane: 2, spare: 1})
}

// All that goes by the job finds each of its images.
func relabelJob(f *fixture) {
	tasks := f.create(3)
	moved := f.relabel(tasks[0])
	c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: other, Task: moved, Lease: gone})
	f.wantErr(err, nil)
	_, put := f.reap(gone, plenty)
	f.wantTasks("put back", put, job.Task{JobID: moved.JobID, Index: 0, Dispatch: 3, Lane: spare})
	f.wantEqual("the models", f.models(), []record.ModelState{{Model: model, Waiting: 2}, {Model: other, Waiting: 1}})
	f.enqueued(append(put, tasks[1:]...)...)
	f.wantTasks("unsent", f.unsent(gone, plenty))
	f.cancel(c.Job.ID)
	f.wantEqual("the models", f.models(), []record.ModelState(nil))

	s := submission(2)
	s.ExpiresIn = gone
	f.relabel(f.submit(s)[1])
	jobs, err := f.record.Expire(f.ctx, timedOut, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many expired", len(jobs), 1)
	f.wantEqual("the models", f.models(), []record.ModelState(nil))
}

func relabelStray(f *fixture) {
	tasks := f.create(2)
	moved := f.relabel(tasks[0])
	_, err := f.record.Postpone(f.ctx, moved, model, at(lane))
	f.wantOtherModel(err, other)
	_, err = f.record.Postpone(f.ctx, tasks[1], "", at(lane))
	f.wantOtherModel(err, model)
	f.wantEqual("the models", f.models(), []record.ModelState{{Model: model, Waiting: 1}, {Model: other, Waiting: 1}})
}

func tasksOnLane(f *fixture) {
	tasks, low := f.create(3), f.submit(lowly(1))
	f.relabel(tasks[0])
	f.create(1)
	f.postpone(tasks[1], spare)
	_, later := f.requeue(f.claim(tasks[2], never), record.Requeue{Lane: lane, After: never}) // takes image 1
	all, err := f.record.TasksOn(f.ctx, lane, model, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many", len(all), 2)
	f.wantEqual("the last one", all[0], low[0])
	f.wantEqual("of those that wait for later", slices.Contains(all, later), false)
	page, err := f.record.TasksOn(f.ctx, lane, model, 1)
	f.wantErr(err, nil)
	f.wantEqual("a page", page, all[:1])
}
