package recordtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
)

// A Timed is an empty record whose clock the caller sets.
type Timed struct {
	Record  record.Record
	SetTime func(time.Time)
}

// Histories holds the records that open returns to the specification, package
// memory. It runs random histories of every operation on both, by several
// claimants, while time moves, and compares every result. A history that fails
// is made as short as possible and printed with its seed.
//
// Flags of the test say how much is done: -rapid.checks histories of
// -rapid.steps steps on average, from -rapid.seed on.
func Histories(t rapid.TB, open func() Timed) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		h := &history{T: t, ctx: context.Background(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		h.spec = memory.New(memory.WithClock(func() time.Time { return h.now }))
		timed := open()
		h.real, h.setTime = timed.Record, timed.SetTime
		h.setTime(h.now)
		t.Repeat(map[string]func(*rapid.T){
			"create": h.create, "createAgain": h.createAgain, "retry": h.retry, "list": h.list, "renew": h.renew,
			"claim": h.claim, "claim2": h.claim, "claim3": h.claim, "claim4": h.claim, // most of what happens
			"succeed": h.succeed, "fail": h.fail,
			"requeue": h.requeue, "requeue2": h.requeue, "requeueAgain": h.requeueAgain,
			"postpone": h.postpone, "enqueued": h.enqueued, "cancel": h.cancel,
			"park": h.park, "unpark": h.unpark, "tasksOn": h.tasksOn,
			"pause": h.pause, "resume": h.resume, "strike": h.strike, "answer": h.answer,
			"unsent": h.unsent, "unheard": h.unheard, "reap": h.reap, "expire": h.expire, "expireJob": h.expireJob,
			"retired": h.retired, "delete": h.remove, "known": h.known,
			"webhooks": h.webhooks, "tellTry": h.noteWebhook, "tellTry2": h.noteWebhook, "replay": h.replayWebhook,
			"webhooksSent": h.webhooksSent, "unsentWebhooks": h.unsentWebhooks, "outlook": h.outlook,
			"get": h.get, "outcomes": h.outcomes, "reports": h.compareReports, "wait": h.wait, "waitLong": h.waitLong,
		})
		h.compareReports(t)
		for _, id := range h.jobs {
			h.compareJob(id)
			h.compareWebhooks(id)
		}
	})
}

// A history is one run of both records.
type history struct {
	*rapid.T

	ctx     context.Context
	now     time.Time
	setTime func(time.Time)
	spec    *memory.Record
	real    record.Record

	jobs   []string       // ids of all that were recorded
	drafts []record.Draft // those with an idempotency key
	tasks  []job.Task     // all that were ever handed out
	claims []claims       // all that were ever made
}

// claims is one claim on both records. The two differ in their tokens.
type claims struct{ spec, real record.Claim }

// billed draws what the attempt cost.
func (c claims) billed(h *history) claims {
	cost := draw[int64](h, "billed", 0, 34_000)
	c.spec.BilledMicros, c.real.BilledMicros = cost, cost
	return c
}

func draw[T any](h *history, what string, from ...T) T {
	return rapid.SampledFrom(from).Draw(h.T, what)
}

// latestOf draws one of a list, preferably the latest. It ends the step if the
// list is empty.
func latestOf[T any](h *history, what string, from []T) T {
	if len(from) == 0 {
		h.Skip("there is none yet")
	}
	return from[len(from)-1-rapid.IntRange(0, len(from)-1).Draw(h.T, what)]
}

func (h *history) anyLane() string { return draw(h, "lane", lane, lane, spare) }

func (h *history) anyModel() string { return draw(h, "model", model, model, model, model, other) }

// limit draws a limit, mostly one that is above everything there is to find.
func (h *history) limit() int { return draw(h, "limit", plenty, 1, 2) }

func (h *history) age() time.Duration {
	return draw(h, "age", 0, time.Second, time.Minute, time.Hour)
}

// same compares what the two records returned.
func same[T any](h *history, want T, wantErr error, got T, gotErr error) {
	h.Helper()
	if kind(wantErr) != kind(gotErr) {
		h.Fatalf("the error is %v, want %v", gotErr, wantErr)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		h.Fatalf("the answer (-want +got):\n%s", diff)
	}
}

// kind returns what a caller can tell of an error.
func kind(err error) string {
	if paused, ok := errors.AsType[*record.PausedError](err); ok {
		return fmt.Sprintf("%+v %v %v", paused.Lane, paused.Lane.Reason, paused.For)
	}
	if full, ok := errors.AsType[*record.TooManyWaitingError](err); ok {
		return full.Error()
	}
	if other, ok := errors.AsType[*record.ModelError](err); ok {
		return other.Error()
	}
	for _, known := range []error{
		nil, record.ErrNotFound, record.ErrIdempotencyMismatch, record.ErrNothingDue, record.ErrHeld, record.ErrClaimLost,
		record.ErrLanePaused, record.ErrWaiting,
	} {
		if errors.Is(err, known) {
			return fmt.Sprint(known)
		}
	}
	return "unknown: " + err.Error()
}

// draft draws a job that has not been recorded. Ids come in no order. No two
// jobs end at the same time, because then records could differ in their order.
func (h *history) draft() record.Draft {
	n := len(h.jobs)
	d := record.Draft{
		ID:     fmt.Sprintf("%08x-0000-7000-8000-%012x", rapid.IntRange(0, 9).Draw(h.T, "id"), n),
		Tenant: draw(h, "tenant", tenant, rival), Fingerprint: draw(h, "fingerprint", "print", "another"),
		ExpiresIn: draw(h, "expires in", 24*time.Hour, time.Minute, time.Hour) + time.Duration(n)*time.Microsecond,
		Priority:  draw(h, "priority", job.PriorityNormal, job.PriorityLow, ""), Weight: draw(h, "weight", 1, 3, 0.5),
		MaxWaiting: draw(h, "most waiting", 0, 0, 0, 4, 12),
		Input:      job.Input{Prompt: "a lighthouse", Model: h.anyModel(), Count: rapid.IntRange(1, 3).Draw(h.T, "count")},
	}
	for range d.Input.Count {
		d.Lanes = append(d.Lanes, draw(h, "first lane", lane, lane, lane, spare, spare, ""))
	}
	if rapid.Bool().Draw(h.T, "described") {
		d.Metadata = json.RawMessage(draw(h, "metadata", `{"user":"u1"}`, `{"user":"u2","n":1}`, `[]`))
	}
	d.Model = draw(h, "drawn by", "", "", "", h.anyModel())
	if rapid.Bool().Draw(h.T, "hooked") {
		d.Input.Webhook = &job.Receiver{URL: "https://example.com", Events: draw(h, "events", job.WebhookEvents(), job.EndEvents(), nil)}
	}
	if rapid.Bool().Draw(h.T, "keyed") {
		d.IdempotencyKey = draw(h, "key", "k", "l")
	}
	return d
}

func (h *history) create(*rapid.T) { h.submit(h.draft()) }

// createAgain repeats a request, perhaps with another body.
func (h *history) createAgain(*rapid.T) {
	d := latestOf(h, "draft", h.drafts)
	d.ID = h.draft().ID
	d.Fingerprint = draw(h, "fingerprint", d.Fingerprint, "another")
	h.submit(d)
}

// retry draws a picture of a job again.
func (h *history) retry(*rapid.T) {
	d := h.draft()
	d.Input.Count, d.Lanes = 1, d.Lanes[:1]
	d.Input.Retry = &job.Retry{Of: latestOf(h, "job", h.jobs), Images: []int{0}}
	h.submit(d)
}

// list walks through all pages of a query.
func (h *history) list(*rapid.T) {
	q := record.Query{
		Tenant: draw(h, "tenant", tenant, rival), Limit: rapid.IntRange(1, 3).Draw(h.T, "limit"),
		Text:     draw(h, "text", "", "LIGHT", "dark"),
		Statuses: draw(h, "statuses", nil, []job.Status{job.StatusQueued}, []job.Status{job.StatusCanceled, job.StatusFailed}),
		Metadata: draw(h, "pairs", nil, nil, []record.Pair{{Key: "user", Value: "u2"}}, []record.Pair{{Key: "n", Value: "1"}, {Key: "user", Value: "u2"}}),
	}
	if rapid.Bool().Draw(h.T, "bounded") {
		q.From, q.To = h.now.Add(-h.age()), h.now.Add(-h.age())
	}
	for more := true; more; more = !q.After.IsZero() {
		want, wantErr := h.spec.List(h.ctx, q)
		got, gotErr := h.real.List(h.ctx, q)
		same(h, want, wantErr, got, gotErr)
		q.After = want.Next
	}
}

func (h *history) submit(d record.Draft) {
	wantByKey, wantErr := h.spec.Recorded(h.ctx, d)
	gotByKey, gotErr := h.real.Recorded(h.ctx, d)
	same(h, wantByKey, wantErr, gotByKey, gotErr)
	want, wantTasks, wantErr := h.spec.Create(h.ctx, d)
	got, gotTasks, gotErr := h.real.Create(h.ctx, d)
	same(h, want, wantErr, got, gotErr)
	same(h, wantTasks, nil, gotTasks, nil)
	if wantErr != nil || want.ID != d.ID {
		return
	}
	h.jobs = append(h.jobs, d.ID)
	h.tasks = append(h.tasks, wantTasks...)
	if d.IdempotencyKey != "" {
		h.drafts = append(h.drafts, d)
	}
}

// anyTask returns a task that was handed out, or now and then one that never was.
func (h *history) anyTask() job.Task {
	switch rapid.IntRange(0, 50).Draw(h.T, "strange") {
	case 50:
		return job.Task{JobID: "nonsense", Dispatch: 1, Lane: lane}
	case 49:
		return job.Task{JobID: "ffffffff-0000-7000-8000-000000000000", Dispatch: 1, Lane: lane}
	default:
		return latestOf(h, "task", h.tasks)
	}
}

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
	c := latestOf(h, "claim", h.claims)
	want, wantErr := h.spec.Succeed(h.ctx, c.spec, stored)
	got, gotErr := h.real.Succeed(h.ctx, c.real, stored)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) fail(*rapid.T) {
	c, reason := latestOf(h, "claim", h.claims).billed(h), draw(h, "reason", blocked, timedOut)
	want, wantErr := h.spec.Fail(h.ctx, c.spec, reason)
	got, gotErr := h.real.Fail(h.ctx, c.real, reason)
	same(h, want, wantErr, got, gotErr)
}

// drawRequeue draws how an image waits.
func (h *history) drawRequeue() record.Requeue {
	return record.Requeue{
		Lane: h.anyLane(), After: draw(h, "after", 0, time.Second, time.Minute, time.Hour),
		GiveBack: rapid.Bool().Draw(h.T, "give back"), Reason: draw(h, "reason", nil, &timedOut),
	}
}

// requeue puts an image back, and mostly waits until its time has come and its
// task with it, as queues do: what depends on that would be rare otherwise.
func (h *history) requeue(*rapid.T) {
	q := h.drawRequeue()
	next, moved := h.putBack(latestOf(h, "claim", h.claims).billed(h), q)
	if !moved {
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
	c, q := latestOf(h, "claim", h.claims), h.drawRequeue()
	next, moved := h.putBack(c, q)
	if moved {
		h.move(next)
		h.putBack(c, q)
	}
}

func (h *history) putBack(c claims, q record.Requeue) (job.Task, bool) {
	want, wantTask, wantErr := h.spec.Requeue(h.ctx, c.spec, q)
	got, gotTask, gotErr := h.real.Requeue(h.ctx, c.real, q)
	same(h, want, wantErr, got, gotErr)
	same(h, wantTask, nil, gotTask, nil)
	h.noteHandedOut(wantErr, wantTask)
	return wantTask, wantErr == nil
}

// noteHandedOut notes tasks that were handed out, unless the call failed.
func (h *history) noteHandedOut(err error, tasks ...job.Task) {
	for _, t := range tasks {
		if err == nil && !slices.Contains(h.tasks, t) {
			h.tasks = append(h.tasks, t)
		}
	}
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

func (h *history) anyPlace() record.Place {
	return record.Place{Lane: h.anyLane(), Model: h.anyModel()}
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

func (h *history) pause(*rapid.T) {
	lanes := []string{h.anyLane(), h.anyLane()}
	p := record.Pause{
		For: draw(h, "for", time.Minute, 0, time.Second, time.Hour), Broken: rapid.Bool().Draw(h.T, "broken"),
		Reason: draw(h, "reason", busy, blocked),
	}
	same(h, 0, h.spec.Pause(h.ctx, lanes, p), 0, h.real.Pause(h.ctx, lanes, p))
}

func (h *history) resume(*rapid.T) {
	l, claimed := h.anyLane(), h.now.Add(-h.age())
	same(h, 0, h.spec.Resume(h.ctx, l, claimed), 0, h.real.Resume(h.ctx, l, claimed))
}

// strike lets an image strike lanes, and mostly puts it back as its claimant
// does.
func (h *history) strike(*rapid.T) {
	c, lanes := latestOf(h, "claim", h.claims), []string{h.anyLane(), h.anyLane()}
	want, wantErr := h.spec.Strike(h.ctx, c.spec, lanes)
	got, gotErr := h.real.Strike(h.ctx, c.real, lanes)
	same(h, want, wantErr, got, gotErr)
	h.pass(draw(h, "time", time.Microsecond, 0, time.Second))
	if wantErr == nil && rapid.IntRange(0, 3).Draw(h.T, "put back") > 0 {
		if next, moved := h.putBack(c, h.drawRequeue()); moved && rapid.Bool().Draw(h.T, "deliver") {
			h.deliver(next)
		}
	}
}

// answer notes that the request of a claimed image was answered well.
func (h *history) answer(*rapid.T) {
	c := latestOf(h, "claim", h.claims).spec
	l, claimed := h.anyLane(), c.Image().StartedAt
	same(h, 0, h.spec.Resume(h.ctx, l, claimed), 0, h.real.Resume(h.ctx, l, claimed))
}

func (h *history) unsent(*rapid.T) {
	age, limit := h.age(), h.limit()
	want, wantErr := h.spec.Unsent(h.ctx, age, limit)
	got, gotErr := h.real.Unsent(h.ctx, age, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) unheard(*rapid.T) {
	age, limit := h.age(), h.limit()
	want, wantErr := h.spec.Unheard(h.ctx, age, limit)
	got, gotErr := h.real.Unheard(h.ctx, age, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) reap(*rapid.T) {
	grace, limit := h.age(), h.limit()
	want, wantTasks, wantErr := h.spec.Reap(h.ctx, grace, limit)
	got, gotTasks, gotErr := h.real.Reap(h.ctx, grace, limit)
	same(h, want, wantErr, got, gotErr)
	same(h, wantTasks, nil, gotTasks, nil)
	h.noteHandedOut(wantErr, wantTasks...)
}

func (h *history) expire(*rapid.T) {
	limit := h.limit()
	want, wantErr := h.spec.Expire(h.ctx, timedOut, limit)
	got, gotErr := h.real.Expire(h.ctx, timedOut, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) expireJob(*rapid.T) {
	id := latestOf(h, "job", h.jobs)
	want, wantErr := h.spec.ExpireJob(h.ctx, id, timedOut)
	got, gotErr := h.real.ExpireJob(h.ctx, id, timedOut)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) retired(*rapid.T) {
	age, limit := h.age(), h.limit()
	want, wantErr := h.spec.Retired(h.ctx, age, limit)
	got, gotErr := h.real.Retired(h.ctx, age, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) remove(*rapid.T) {
	id := latestOf(h, "job", h.jobs)
	same(h, 0, h.spec.Delete(h.ctx, id), 0, h.real.Delete(h.ctx, id))
}

func (h *history) known(*rapid.T) {
	ids := []string{latestOf(h, "job", h.jobs), latestOf(h, "job", h.jobs), "ffffffff-0000-7000-8000-000000000000"}
	want, wantErr := h.spec.Known(h.ctx, ids...)
	got, gotErr := h.real.Known(h.ctx, ids...)
	same(h, want, wantErr, got, gotErr)
}

// outlook compares what a job would meet, and what it meets if it is recorded.
func (h *history) outlook(*rapid.T) {
	d := h.draft()
	want, wantErr := h.spec.Outlook(h.ctx, d)
	got, gotErr := h.real.Outlook(h.ctx, d)
	same(h, want, wantErr, got, gotErr)
	d.IdempotencyKey = ""
	h.submit(d)
	if wantErr == nil {
		j, err := h.real.Get(h.ctx, d.ID)
		same(h, want.Ahead, nil, j.Ahead, err)
	}
}

func (h *history) get(*rapid.T) { h.compareJob(latestOf(h, "job", h.jobs)) }

func (h *history) compareJob(id string) {
	want, wantErr := h.spec.Get(h.ctx, id)
	got, gotErr := h.real.Get(h.ctx, id)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) outcomes(*rapid.T) {
	since := draw(h, "since", time.Hour, time.Minute, 48*time.Hour)
	want, wantErr := h.spec.Outcomes(h.ctx, since)
	got, gotErr := h.real.Outcomes(h.ctx, since)
	same(h, want, wantErr, got, gotErr)
}

// compareReports compares what tells of all images at once.
func (h *history) compareReports(*rapid.T) {
	want, wantErr := h.spec.LaneStates(h.ctx)
	got, gotErr := h.real.LaneStates(h.ctx)
	same(h, want, wantErr, got, gotErr)
	wantModels, wantErr := h.spec.Models(h.ctx)
	gotModels, gotErr := h.real.Models(h.ctx)
	same(h, wantModels, wantErr, gotModels, gotErr)
	wantBacklog, wantErr := h.spec.Backlog(h.ctx, time.Second)
	gotBacklog, gotErr := h.real.Backlog(h.ctx, time.Second)
	same(h, wantBacklog, wantErr, gotBacklog, gotErr)
}

func (h *history) wait(*rapid.T) {
	h.pass(draw(h, "time", time.Second, time.Microsecond, 30*time.Second, time.Minute))
}

func (h *history) waitLong(*rapid.T) {
	h.pass(draw(h, "time", 10*time.Minute, time.Hour, 25*time.Hour))
}

func (h *history) pass(d time.Duration) {
	h.now = h.now.Add(d)
	h.setTime(h.now)
}
