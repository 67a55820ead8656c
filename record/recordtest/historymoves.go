package recordtest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What random histories do to images.

func (h *history) claim(*rapid.T) { h.deliver(h.anyTask()) }

// deliver claims an image for the delivery of a task.
func (h *history) deliver(t job.Task) {
	req := record.ClaimRequest{
		Model: h.anyModel(), Task: t,
		Lease: draw(h, "lease", time.Minute, 0, time.Second, time.Hour),
	}
	want, wantErr := h.spec.Claim(h.ctx, req)
	got, gotErr := h.real.Claim(h.ctx, req)
	c := claims{want, got}
	want.Token, got.Token = "", ""
	same(h, want, wantErr, got, gotErr)
	if wantErr == nil {
		h.claims = append(h.claims, c)
	}
}

func (h *history) renew(*rapid.T) {
	c, lease := latestOf(h, "claim", h.claims), draw(h, "lease", time.Minute, 0, time.Hour)
	same(h, 0, h.spec.Renew(h.ctx, c.spec, lease), 0, h.real.Renew(h.ctx, c.real, lease))
}

func (h *history) succeed(*rapid.T) {
	c := latestOf(h, "claim", h.claims).reported(h)
	want, wantErr := h.spec.Succeed(h.ctx, c.spec, stored)
	got, gotErr := h.real.Succeed(h.ctx, c.real, stored)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) fail(*rapid.T) {
	c, reason := latestOf(h, "claim", h.claims).reported(h), draw(h, "reason", blocked, timedOut)
	want, wantErr := h.spec.Fail(h.ctx, c.spec, reason)
	got, gotErr := h.real.Fail(h.ctx, c.real, reason)
	same(h, want, wantErr, got, gotErr)
}

// requeue puts an image back, and mostly waits until its time has come and its
// task with it, as queues do: what depends on that would be rare otherwise.
func (h *history) requeue(*rapid.T) {
	q := h.drawRequeue()
	next, moved := h.putBack(latestOf(h, "claim", h.claims).reported(h), q)
	if !moved || next == (job.Task{}) {
		return
	}
	h.pass(draw(h, "time", q.After, 0, time.Second))
	switch draw(h, "then", "deliver", "postpone", "nothing") {
	case "deliver":
		h.deliver(next)
	case "postpone":
		h.move(next)
	}
}

// requeueAgain puts an image back, moves its task, and puts the image back once
// more, as a claimant does whose answer was lost.
func (h *history) requeueAgain(*rapid.T) {
	c, q := latestOf(h, "claim", h.claims).reported(h), h.drawRequeue()
	next, moved := h.putBack(c, q)
	if moved && next != (job.Task{}) {
		h.move(next)
		h.putBack(c, q)
	}
}

func (h *history) putBack(c claims, q record.Requeue) (job.Task, bool) {
	var wantCrossed, gotCrossed []record.BudgetState
	q.Budgets.Crossed = func(s record.BudgetState) { wantCrossed = append(wantCrossed, s) }
	want, wantTask, wantErr := h.spec.Requeue(h.ctx, c.spec, q)
	q.Budgets.Crossed = func(s record.BudgetState) { gotCrossed = append(gotCrossed, s) }
	got, gotTask, gotErr := h.real.Requeue(h.ctx, c.real, q)
	same(h, wantCrossed, nil, gotCrossed, nil)
	same(h, want, wantErr, got, gotErr)
	same(h, wantTask, nil, gotTask, nil)
	if wantTask != (job.Task{}) { // otherwise it is held
		h.noteHandedOut(wantErr, wantTask)
	}
	return wantTask, wantErr == nil
}

func (h *history) postpone(*rapid.T) { h.move(latestOf(h, "task", h.tasks)) }

// move gives another task to the image that holds a task.
func (h *history) move(t job.Task) {
	from, to := h.anyModel(), h.anyPlace()
	want, wantErr := h.spec.Postpone(h.ctx, t, from, to)
	got, gotErr := h.real.Postpone(h.ctx, t, from, to)
	same(h, want, wantErr, got, gotErr)
	h.noteHandedOut(wantErr, want)
}

func (h *history) park(*rapid.T) {
	t, of := latestOf(h, "task", h.tasks), h.anyModel()
	same(h, 0, h.spec.Park(h.ctx, t, of), 0, h.real.Park(h.ctx, t, of))
}

func (h *history) unpark(*rapid.T) {
	from, to := h.anyModel(), []record.Place{h.anyPlace()}
	for range draw(h, "more", 0, 1, 5) {
		to = append(to, record.Place{Lane: h.anyLane(), Model: to[0].Model})
	}
	want, wantErr := h.spec.Unpark(h.ctx, from, to)
	got, gotErr := h.real.Unpark(h.ctx, from, to)
	same(h, want, wantErr, got, gotErr)
	h.noteHandedOut(wantErr, want...)
}

func (h *history) tasksOn(*rapid.T) {
	on, limit := h.anyPlace(), h.limit()
	want, wantErr := h.spec.TasksOn(h.ctx, on.Lane, on.Model, limit)
	got, gotErr := h.real.TasksOn(h.ctx, on.Lane, on.Model, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) enqueued(*rapid.T) {
	tasks := []job.Task{latestOf(h, "task", h.tasks), latestOf(h, "task", h.tasks)}
	same(h, 0, h.spec.Enqueued(h.ctx, tasks...), 0, h.real.Enqueued(h.ctx, tasks...))
}

func (h *history) cancel(*rapid.T) {
	id := latestOf(h, "job", h.jobs)
	want, wantErr := h.spec.Cancel(h.ctx, id)
	got, gotErr := h.real.Cancel(h.ctx, id)
	same(h, want, wantErr, got, gotErr)
}
