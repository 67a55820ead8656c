package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// seedWebhooks records for each job a webhook that was delivered, one that waits
// for its time, and one that was just put on the queue.
func seedWebhooks(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	execSQL(t, pool, `
INSERT INTO webhooks (job_id, event, happened_at, version, status, state, sent, next_at, handed_out_at)
SELECT id, event, now(), 2, status, state, true, CASE WHEN state = 'waiting' THEN now() + later END, now() + later
FROM jobs, (VALUES ('job.started', 'delivered', interval '-1 day'), ('job.succeeded', 'waiting', interval '1 hour'),
                   ('job.failed', 'waiting', interval '0')) AS of_job (event, state, later)
WHERE status = 'succeeded'`)
}

// hooked records a job of one picture whose receiver is told of events.
func hooked(t *testing.T, rec *postgres.Record, events ...job.WebhookEvent) job.Task {
	t.Helper()
	_, tasks, err := rec.Create(t.Context(), record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "acme", Weight: 1, Lanes: []string{"a"}, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "p", Model: model, Count: 1, Webhook: &job.Receiver{URL: "https://example.com", Events: events}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tasks[0]
}

// A picture of a job with a receiver costs its transitions nothing more: each
// webhook costs five statements of its own, in four round trips. Two put it on its
// queue, three deliver it.
func TestWebhookTakesFourRoundTrips(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	rec := postgres.New(pool)
	task := hooked(t, rec, job.EndEvents()...)
	tr.reset()
	c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rec.Succeed(t.Context(), c, record.Success{}); err != nil {
		t.Fatal(err)
	}
	if len(tr.statements) != 5 || tr.roundTrips != 2 {
		t.Errorf("a picture takes %d statements in %d round trips, want 5 in 2", len(tr.statements), tr.roundTrips)
	}
	tr.reset()
	due, err := rec.PendingWebhooks(t.Context(), task.JobID)
	if err != nil || len(due) != 1 {
		t.Fatalf("%+v, %v", due, err)
	}
	hook := due[0].Task
	note := job.WebhookNote{JobID: hook.JobID, WebhookID: hook.WebhookID, State: job.WebhookDelivered, Try: job.WebhookTry{Number: 1}}
	for _, err := range []error{
		rec.WebhooksEnqueued(t.Context(), hook),
		func() error { _, _, _, err := rec.Webhook(t.Context(), hook.JobID, hook.WebhookID); return err }(),
		func() error { _, _, err := rec.NoteWebhook(t.Context(), note); return err }(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(tr.statements) != 5 || tr.roundTrips != 4 {
		t.Errorf("a webhook takes %d statements in %d round trips, want 5 in 4", len(tr.statements), tr.roundTrips)
	}
}

// oldSQL is what a program of before webhooks does to a job: it records one, draws
// its picture, and ends it. It knows nothing of what the migration added.
const oldSQL = `
INSERT INTO jobs (id, tenant, priority, input, fingerprint, total, queued, created_at, expires_at)
VALUES ('00000000-0000-7000-8000-000000000001', 't', 0, '{}', '', 1, 1, now(), now());
INSERT INTO images (job_id, idx, model, priority, recorded_at, expires_at, start_tag, task_job_id, task_idx, task_dispatch, task_lane, handed_out_at, due_at)
VALUES ('00000000-0000-7000-8000-000000000001', 0, 'm', 0, now(), now(), 0, '00000000-0000-7000-8000-000000000001', 0, 1, 'a', now(), now());
UPDATE jobs SET version = version + 1, queued = queued - 1, processing = processing + 1, started_at = coalesce(started_at, now());
WITH moved AS (UPDATE images SET status = 'succeeded', completed_at = now() RETURNING job_id)
UPDATE jobs SET version = version + 1, processing = processing - 1, succeeded = succeeded + 1,
    completed_at = CASE WHEN queued + processing = 1 THEN now() END
FROM moved WHERE id = job_id`

// A program of before works on the new schema while a deployment goes on, on its
// own jobs and on those of a newer one.
func TestProgramsOfBeforeWebhooksGoOn(t *testing.T) {
	t.Parallel()
	url := postgrestest.NewRecord(t)
	pool := newPool(t, url)
	rec := postgres.New(pool)
	id := hooked(t, rec, job.WebhookEvents()...).JobID
	execSQL(t, pool, oldSQL)
	for _, id := range []string{id, "00000000-0000-7000-8000-000000000001"} {
		j, err := rec.Get(t.Context(), id)
		if err != nil || j.Status != job.StatusSucceeded {
			t.Fatalf("%s, %v", j.Status, err)
		}
		if hooks, err := rec.Webhooks(t.Context(), id); err != nil || len(hooks) > 0 {
			t.Errorf("%+v, %v", hooks, err)
		}
		if err := rec.Delete(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// A webhook that ends all others of its job takes them in the order in which those
// do that take several, so that none of these holds what the other waits for.
func TestGoneTakesWebhooksInOrder(t *testing.T) {
	t.Parallel()
	url := postgrestest.NewRecord(t)
	rec, hold := postgres.New(newPool(t, url)), holdUp{t, newPool(t, url)}
	task := hooked(t, rec, job.WebhookEvents()...)
	if _, err := rec.Cancel(t.Context(), task.JobID); err != nil {
		t.Fatal(err)
	}
	execSQL(t, hold.pool, `
INSERT INTO webhooks (job_id, event, happened_at, version, status, handed_out_at)
SELECT id, 'job.started', now(), 1, status, now() FROM jobs`)
	first, last := job.WebhookID(task.JobID, job.WebhookJobCanceled, 0), job.WebhookID(task.JobID, job.WebhookJobStarted, 0)

	release := hold.lock(`SELECT FROM webhooks WHERE id = $1 FOR UPDATE`, first)
	noted := start(func() {
		note := job.WebhookNote{JobID: task.JobID, WebhookID: last, State: job.WebhookGone, Try: job.WebhookTry{Number: 1}}
		if _, ok, err := rec.NoteWebhook(t.Context(), note); !ok || err != nil {
			t.Errorf("noted %t, %v", ok, err)
		}
	})
	hold.waitUntil(1, noted)
	if _, err := hold.pool.Exec(t.Context(), `SELECT FROM webhooks WHERE id = $1 FOR UPDATE NOWAIT`, last); err != nil {
		t.Errorf("it holds the last one while it waits for the first: %v", err)
	}
	release()
	<-noted
}

// A receiver that wants no more is not told of what happens just then, and nothing
// deadlocks: transitions of the job, its removal, and notes of other tries come at
// the same time.
func TestGoneWhileTheJobGoesOn(t *testing.T) {
	t.Parallel()
	rec := postgres.New(newPool(t, postgrestest.NewRecord(t)))
	for range 20 {
		task := hooked(t, rec, job.WebhookEvents()...)
		c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		started := job.WebhookID(task.JobID, job.WebhookJobStarted, 0)
		at := make(chan struct{})
		errs := make(chan error)
		for _, do := range []func(context.Context) error{
			func(ctx context.Context) error {
				_, _, err := rec.NoteWebhook(ctx, job.WebhookNote{JobID: task.JobID, WebhookID: started, State: job.WebhookGone, Try: job.WebhookTry{Number: 1}})
				return err
			},
			func(ctx context.Context) error { _, err := rec.Succeed(ctx, c, record.Success{}); return err },
			func(ctx context.Context) error {
				return rec.WebhooksEnqueued(ctx, job.WebhookTask{JobID: task.JobID, WebhookID: started, Try: 1},
					job.WebhookTask{JobID: task.JobID, WebhookID: job.WebhookID(task.JobID, job.WebhookJobSucceeded, 0), Try: 1})
			},
			func(ctx context.Context) error { _, err := rec.UnsentWebhooks(ctx, 0, 10); return err },
		} {
			go func() {
				<-at
				errs <- do(t.Context())
			}()
		}
		close(at)
		for range 4 {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		hooks, err := rec.Webhooks(t.Context(), task.JobID)
		waiting := slices.IndexFunc(hooks, func(w job.Webhook) bool { return w.State != job.WebhookGone })
		if err != nil || waiting >= 0 {
			t.Fatalf("%v: %+v", err, hooks)
		}
	}
}

// Names of webhooks are made by the database, and are the domain's.
func TestWebhookNamesAreTheDomains(t *testing.T) {
	t.Parallel()
	rec := postgres.New(newPool(t, postgrestest.NewRecord(t)))
	task := hooked(t, rec, job.WebhookEvents()...)
	c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
	if err == nil {
		_, err = rec.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked})
	}
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := rec.Webhooks(t.Context(), task.JobID)
	if err != nil || len(hooks) != 3 {
		t.Fatalf("%+v, %v", hooks, err)
	}
	for _, w := range hooks {
		if want := job.WebhookID(w.JobID, w.Event, w.Index); w.ID != want || strings.Contains(w.ID, ".") {
			t.Errorf("%s of image %d is called %s, want %s", w.Event, w.Index, w.ID, want)
		}
	}
}
