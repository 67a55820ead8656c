package snapshot

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/redis"
)

// Record is a record whose transitions are published. It embeds nothing: so a
// new method of the contract does not compile until somebody decides here
// whether it publishes.
type Record struct {
	record   record.Record
	renderer Renderer
	cache    *cache
	events   *events
	log      *slog.Logger
	teller   Teller // of receivers; nil if nobody is told
}

var _ record.Record = (*Record)(nil)

// NewRecord returns a record that works on inner, and publishes its transitions
// through client.
func NewRecord(inner record.Record, client *redis.Client, renderer Renderer, log *slog.Logger) *Record {
	return &Record{record: inner, renderer: renderer, cache: newCache(client), events: newEvents(client), log: log}
}

// Create implements record.Record.
func (r *Record) Create(ctx context.Context, d record.Draft) (job.Job, []job.Task, error) {
	j, tasks, err := r.record.Create(ctx, d)
	if err != nil {
		return j, tasks, err
	}
	// Callers of a new job first look at when it will start.
	shown := j
	if read, err := r.record.Get(ctx, j.ID); err == nil && read.Version == j.Version {
		shown = read
	}
	r.publish(ctx, nil, shown)
	return j, tasks, nil
}

// Claim implements record.Record.
func (r *Record) Claim(ctx context.Context, req record.ClaimRequest) (record.Claim, error) {
	c, err := r.record.Claim(ctx, req)
	r.publish(ctx, err, c.Job)
	if err == nil && c.Job.StartedAt.Equal(c.Image().StartedAt) {
		go r.tell(ctx, nil, job.WebhookJobStarted, c.Job) // the claim's slot is now
	}
	return c, err
}

// Succeed implements record.Record.
func (r *Record) Succeed(ctx context.Context, c record.Claim, s record.Success) (job.Job, error) {
	j, err := r.record.Succeed(ctx, c, s)
	r.publish(ctx, err, j)
	r.tell(ctx, err, job.WebhookImageSucceeded, j)
	return j, err
}

// Fail implements record.Record.
func (r *Record) Fail(ctx context.Context, c record.Claim, reason job.Error) (job.Job, error) {
	j, err := r.record.Fail(ctx, c, reason)
	r.publish(ctx, err, j)
	r.tell(ctx, err, job.WebhookImageFailed, j)
	return j, err
}

// Requeue implements record.Record.
func (r *Record) Requeue(ctx context.Context, c record.Claim, q record.Requeue) (job.Job, job.Task, error) {
	j, task, err := r.record.Requeue(ctx, c, q)
	r.publish(ctx, err, j)
	return j, task, err
}

// Cancel implements record.Record. It also tells the attempts that work on the
// job.
func (r *Record) Cancel(ctx context.Context, id string) (job.Job, error) {
	j, err := r.record.Cancel(ctx, id)
	r.canceled(ctx, err, id, j)
	return j, err
}

// canceled publishes a job that was canceled, unless err says that it was not.
func (r *Record) canceled(ctx context.Context, err error, id string, j job.Job) {
	r.publish(ctx, err, j)
	if err == nil {
		r.cache.tellCanceled(ctx, id)
	}
	r.tell(ctx, err, "", j)
}

// Reap implements record.Record.
func (r *Record) Reap(ctx context.Context, grace time.Duration, limit int) ([]job.Job, []job.Task, error) {
	jobs, tasks, err := r.record.Reap(ctx, grace, limit)
	r.publish(ctx, err, jobs...)
	return jobs, tasks, err
}

// Expire implements record.Record.
func (r *Record) Expire(ctx context.Context, reason job.Error, limit int) ([]job.Job, error) {
	jobs, err := r.record.Expire(ctx, reason, limit)
	r.publish(ctx, err, jobs...)
	r.tell(ctx, err, job.WebhookImageFailed, jobs...)
	return jobs, err
}

// ExpireJob implements record.Record.
func (r *Record) ExpireJob(ctx context.Context, id string, reason job.Error) (job.Job, error) {
	j, err := r.record.ExpireJob(ctx, id, reason)
	r.publish(ctx, err, j)
	r.tell(ctx, err, job.WebhookImageFailed, j)
	return j, err
}

// Delete implements record.Record, and removes the job's snapshot for good. It
// removes that of a job that is gone, too: whoever removed the job may have ended
// before.
func (r *Record) Delete(ctx context.Context, id string) error {
	err := r.record.Delete(ctx, id)
	if err != nil && !errors.Is(err, record.ErrNotFound) {
		return err
	}
	if left, err := r.record.Known(ctx, id); err == nil && len(left) > 0 {
		return nil // it has not ended
	}
	r.cache.drop(ctx, id)
	return err
}

// publish stores the snapshots of jobs in Redis, unless err says that there was
// no transition. It never fails; see cache.put.
func (r *Record) publish(ctx context.Context, err error, jobs ...job.Job) {
	if err != nil {
		return
	}
	for _, j := range jobs {
		snap, err := r.renderer.Render(j)
		if err != nil {
			r.log.ErrorContext(ctx, "a job cannot be rendered", "job_id", j.ID, "error", err)
			continue
		}
		r.cache.put(ctx, snap)
	}
}

// The methods below are no transitions. They call the inner record, and publish
// nothing.

// Recorded implements record.Record.
func (r *Record) Recorded(ctx context.Context, d record.Draft) (job.Job, error) {
	return r.record.Recorded(ctx, d)
}

// Outlook implements record.Record.
func (r *Record) Outlook(ctx context.Context, d record.Draft) (record.Outlook, error) {
	return r.record.Outlook(ctx, d)
}

// Get implements record.Record.
func (r *Record) Get(ctx context.Context, id string) (job.Job, error) { return r.record.Get(ctx, id) }

// List implements record.Record.
func (r *Record) List(ctx context.Context, q record.Query) (record.Page, error) {
	return r.record.List(ctx, q)
}

// Enqueued implements record.Record.
func (r *Record) Enqueued(ctx context.Context, tasks ...job.Task) error {
	return r.record.Enqueued(ctx, tasks...)
}

// Renew implements record.Record.
func (r *Record) Renew(ctx context.Context, c record.Claim, lease time.Duration) error {
	return r.record.Renew(ctx, c, lease)
}

// Postpone implements record.Record.
func (r *Record) Postpone(ctx context.Context, t job.Task, model string, to record.Place) (job.Task, error) {
	return r.record.Postpone(ctx, t, model, to)
}

// Park implements record.Record.
func (r *Record) Park(ctx context.Context, t job.Task, model string) error {
	return r.record.Park(ctx, t, model)
}

// Unpark implements record.Record.
func (r *Record) Unpark(ctx context.Context, model string, to []record.Place) ([]job.Task, error) {
	return r.record.Unpark(ctx, model, to)
}

// TasksOn implements record.Record.
func (r *Record) TasksOn(ctx context.Context, lane, model string, limit int) ([]job.Task, error) {
	return r.record.TasksOn(ctx, lane, model, limit)
}

// LaneStates implements record.Record.
func (r *Record) LaneStates(ctx context.Context) ([]record.LaneState, error) {
	return r.record.LaneStates(ctx)
}

// Pause implements record.Record.
func (r *Record) Pause(ctx context.Context, lanes []string, p record.Pause) error {
	return r.record.Pause(ctx, lanes, p)
}

// Resume implements record.Record.
func (r *Record) Resume(ctx context.Context, lane string, claimed time.Time) error {
	return r.record.Resume(ctx, lane, claimed)
}

// Strike implements record.Record.
func (r *Record) Strike(ctx context.Context, c record.Claim, lanes []string) (int, error) {
	return r.record.Strike(ctx, c, lanes)
}

// Unsent implements record.Record.
func (r *Record) Unsent(ctx context.Context, age time.Duration, limit int) ([]job.Task, error) {
	return r.record.Unsent(ctx, age, limit)
}

// Unheard implements record.Record.
func (r *Record) Unheard(ctx context.Context, age time.Duration, limit int) ([]job.Task, error) {
	return r.record.Unheard(ctx, age, limit)
}

// Retired implements record.Record.
func (r *Record) Retired(ctx context.Context, age time.Duration, limit int) ([]job.Job, error) {
	return r.record.Retired(ctx, age, limit)
}

// Known implements record.Record.
func (r *Record) Known(ctx context.Context, ids ...string) ([]string, error) {
	return r.record.Known(ctx, ids...)
}

// NoteAttempt implements record.Record.
func (r *Record) NoteAttempt(ctx context.Context, c record.Claim, stored bool) error {
	return r.record.NoteAttempt(ctx, c, stored)
}

// Attempts implements record.Record.
func (r *Record) Attempts(ctx context.Context, jobID string) ([]job.Attempt, error) {
	return r.record.Attempts(ctx, jobID)
}

// Spend implements record.Record.
func (r *Record) Spend(ctx context.Context, q record.SpendQuery) ([]record.Spend, error) {
	return r.record.Spend(ctx, q)
}

// RetireAttempts implements record.Record.
func (r *Record) RetireAttempts(ctx context.Context, limit int) (int, error) {
	return r.record.RetireAttempts(ctx, limit)
}

// ForgetSpend implements record.Record.
func (r *Record) ForgetSpend(ctx context.Context, age time.Duration, limit int) (int, error) {
	return r.record.ForgetSpend(ctx, age, limit)
}

// Budgets implements record.Record.
func (r *Record) Budgets(ctx context.Context) ([]record.BudgetState, error) {
	return r.record.Budgets(ctx)
}

// Held implements record.Record.
func (r *Record) Held(ctx context.Context, except []job.BudgetScope, limit int) ([]record.HeldImage, error) {
	return r.record.Held(ctx, except, limit)
}

// Release implements record.Record.
func (r *Record) Release(ctx context.Context, img record.HeldImage, b record.Budgets) error {
	return r.record.Release(ctx, img, b)
}

// RaiseBudget implements record.Record.
func (r *Record) RaiseBudget(ctx context.Context, raise record.BudgetRaise, a record.Act) error {
	return r.record.RaiseBudget(ctx, raise, a)
}

// RetireBudgets implements record.Record.
func (r *Record) RetireBudgets(ctx context.Context, limit int) (int, error) {
	return r.record.RetireBudgets(ctx, limit)
}

// Settle implements record.Record.
func (r *Record) Settle(ctx context.Context, age time.Duration, limit int) (int, error) {
	return r.record.Settle(ctx, age, limit)
}

// Backlog implements record.Record.
func (r *Record) Backlog(ctx context.Context, unsent time.Duration) (record.Backlog, error) {
	return r.record.Backlog(ctx, unsent)
}

// Models implements record.Record.
func (r *Record) Models(ctx context.Context) ([]record.ModelState, error) {
	return r.record.Models(ctx)
}

// Outcomes implements record.Record.
func (r *Record) Outcomes(ctx context.Context, since time.Duration) (record.Outcomes, error) {
	return r.record.Outcomes(ctx, since)
}

// MeasureBulk implements record.Record.
func (r *Record) MeasureBulk(ctx context.Context, q record.SearchQuery) (record.BulkMeasure, error) {
	return r.record.MeasureBulk(ctx, q)
}

// StartBulk implements record.Record.
func (r *Record) StartBulk(ctx context.Context, d record.BulkDraft, a record.Act) (record.Bulk, error) {
	return r.record.StartBulk(ctx, d, a)
}

// AbortBulk implements record.Record.
func (r *Record) AbortBulk(ctx context.Context, id string, a record.Act) (record.Bulk, error) {
	return r.record.AbortBulk(ctx, id, a)
}

// Bulk implements record.Record.
func (r *Record) Bulk(ctx context.Context, id string) (record.Bulk, error) {
	return r.record.Bulk(ctx, id)
}

// Bulks implements record.Record.
func (r *Record) Bulks(ctx context.Context, before string, limit int) ([]record.Bulk, error) {
	return r.record.Bulks(ctx, before, limit)
}

// RetireBulks implements record.Record.
func (r *Record) RetireBulks(ctx context.Context, limit int) (int, error) {
	return r.record.RetireBulks(ctx, limit)
}

// OpenBulks implements record.Record.
func (r *Record) OpenBulks(ctx context.Context, limit int) ([]record.Bulk, error) {
	return r.record.OpenBulks(ctx, limit)
}

// BulkTargets implements record.Record.
func (r *Record) BulkTargets(ctx context.Context, b record.Bulk, limit int) (record.BulkTargets, error) {
	return r.record.BulkTargets(ctx, b, limit)
}

// AdvanceBulk implements record.Record.
func (r *Record) AdvanceBulk(ctx context.Context, b record.Bulk, s record.BulkStep) (record.Bulk, error) {
	return r.record.AdvanceBulk(ctx, b, s)
}
