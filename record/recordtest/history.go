package recordtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
// claimants, while time moves, and compares every result. Each history draws which
// operations it leaves out, so that those that are left meet more often (swarm
// testing). A history that fails is made as short as possible and printed with its
// seed.
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
		t.Repeat(h.actions())
		h.compareReports(t)
		h.compareOperators(t)
		h.compareBudgetWebhooks()
		for _, id := range h.jobs {
			h.compareJob(id)
			h.compareWebhooks(id)
			h.compareAttempts(id)
			h.compareInspection(id)
		}
		h.activity(t)
		h.compareSpend(record.SpendQuery{To: h.now.Add(time.Hour), Lane: true, Model: true, Tenant: true, Outcome: true, Limit: plenty})
	})
}

// actions returns what may happen: images are drawn in every history, and each
// other group is in every second one.
func (h *history) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){
		"create": h.create, "claim": h.claim, "claim2": h.claim, "claim3": h.claim, "claim4": h.claim, // most of what happens
		"succeed": h.succeed, "fail": h.fail, "requeue": h.requeue, "requeue2": h.requeue, "postpone": h.postpone,
		"get": h.get, "wait": h.wait,
	}
	groups := map[string]map[string]func(*rapid.T){
		"lanes": {
			"park": h.park, "unpark": h.unpark, "pause": h.pause, "resume": h.resume, "strike": h.strike, "answer": h.answer,
		},
		"ends": {
			"cancel": h.cancel, "reap": h.reap, "expire": h.expire, "waitLong": h.waitLong,
		},
		"repeats": {
			"createAgain": h.createAgain, "retry": h.retry, "renew": h.renew, "requeueAgain": h.requeueAgain, "enqueued": h.enqueued,
		},
		"sweeps": {
			"unsent": h.unsent, "unheard": h.unheard, "expireJob": h.expireJob, "retired": h.retired, "delete": h.remove, "known": h.known,
			"tasksOn": h.tasksOn,
		},
		"webhooks": {
			"webhooks": h.webhooks, "tellTry": h.noteWebhook, "tellTry2": h.noteWebhook, "replay": h.replayWebhook,
			"webhooksSent": h.webhooksSent, "unsentWebhooks": h.unsentWebhooks, "tellTryOfBudget": h.noteBudgetWebhook,
		},
		"budgets": {
			"release": h.release, "release2": h.release, "settle": h.settle, "raise": h.raise, "retireBudgets": h.retireBudgets,
		},
		"attempts": {
			"noteAttempt": h.noteAttempt, "attempts": h.attempts, "spend": h.spend, "forgetSpend": h.forgetSpend,
			"retireAttempts": h.retireAttempts,
		},
		"reads": {
			"list": h.list, "outlook": h.outlook, "outcomes": h.outcomes, "reports": h.compareReports, "inspect": h.inspect,
			"search": h.search, "pictures": h.pictures, "activity": h.activity, "errors": h.errors, "laneFailures": h.laneFailures,
		},
		"operators": {
			"pauseByHand": h.pauseByHand, "resumeByHand": h.resumeByHand, "audit": h.audit, "retireAudit": h.retireAudit,
			"logins": h.logins, "endSession": h.endSession, "ignoreErrors": h.ignoreErrors, "bulk": h.bulk, "retireBulks": h.retireBulks, "operators": h.compareOperators,
			"cancelByHand": h.cancelByHand, "deleteByHand": h.deleteByHand, "replayByHand": h.replayByHand, "createByHand": h.createByHand,
		},
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if rapid.Bool().Draw(h.T, "with "+name) {
			maps.Copy(all, groups[name])
		}
	}
	return all
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
	tries  int            // to log in
	hooks  []string       // ids of webhooks of budgets that were pending once
}

// claims is one claim on both records. The two differ in their tokens.
type claims struct{ spec, real record.Claim }

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
	if many, ok := errors.AsType[*record.TooManyLoginsError](err); ok {
		return fmt.Sprint(many, many.RetryAfter)
	}
	if full, ok := errors.AsType[*record.BudgetError](err); ok {
		return full.Error()
	}
	if other, ok := errors.AsType[*record.ModelError](err); ok {
		return other.Error()
	}
	for _, known := range []error{
		nil, record.ErrNotFound, record.ErrIdempotencyMismatch, record.ErrNothingDue, record.ErrHeld, record.ErrClaimLost,
		record.ErrLanePaused, record.ErrWaiting, record.ErrNotPaused, record.ErrEnded, record.ErrNotEnded, record.ErrNotIgnored,
		record.ErrBudgetChanged,
		record.ErrBulkEnded, record.ErrBulkMoved,
	} {
		if errors.Is(err, known) {
			return fmt.Sprint(known)
		}
	}
	return "unknown: " + err.Error()
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
	var wantCrossed, gotCrossed []record.BudgetState
	want, wantTasks, wantErr := h.spec.Create(h.ctx, counting(d, &wantCrossed))
	got, gotTasks, gotErr := h.real.Create(h.ctx, counting(d, &gotCrossed))
	same(h, wantCrossed, nil, gotCrossed, nil)
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

// noteHandedOut notes tasks that were handed out, unless the call failed.
func (h *history) noteHandedOut(err error, tasks ...job.Task) {
	for _, t := range tasks {
		if err == nil && !slices.Contains(h.tasks, t) {
			h.tasks = append(h.tasks, t)
		}
	}
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
		if next, moved := h.putBack(c, h.drawRequeue()); moved && next != (job.Task{}) && rapid.Bool().Draw(h.T, "deliver") {
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
	wantBudgets, wantErr := h.spec.Budgets(h.ctx)
	gotBudgets, gotErr := h.real.Budgets(h.ctx)
	same(h, wantBudgets, wantErr, gotBudgets, gotErr)
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
