package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/webhook"
)

var errAway = errors.New("the record is away")

// record keeps webhooks as the contract of webhook.Record says.
type record struct {
	mu        sync.Mutex
	hooks     map[string]job.Webhook
	job       job.Job           // theirs, as it is now
	urls      map[string]string // of the receivers of those that another job's receiver is told of, by id
	log       []job.WebhookNote
	readFails error
	noteFails func(context.Context) error
}

func (r *record) Webhook(_ context.Context, jobID, id string) (job.Webhook, job.Job, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, found := r.hooks[id]
	j := r.job
	if url := r.urls[id]; url != "" {
		j.Input.Webhook = &job.Receiver{URL: url}
	}
	return h, j, found && h.JobID == jobID, r.readFails
}

func (r *record) NoteWebhook(ctx context.Context, n job.WebhookNote) (time.Time, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.noteFails != nil {
		if err := r.noteFails(ctx); err != nil {
			return time.Time{}, false, err
		}
	}
	h := r.hooks[n.WebhookID]
	if h.State != job.WebhookWaiting || h.Tries != n.Try.Number-1 {
		return time.Time{}, false, nil
	}
	h.State, h.Tries, h.NextAt = n.State, n.Try.Number, time.Time{}
	if n.State == job.WebhookWaiting {
		h.NextAt = time.Now().Add(n.After)
	}
	r.hooks[h.ID] = h
	r.log = append(r.log, n)
	for id, other := range r.hooks {
		if n.State == job.WebhookGone && other.State == job.WebhookWaiting && other.JobID == n.JobID {
			other.State, other.NextAt = job.WebhookGone, time.Time{}
			r.hooks[id] = other
		}
	}
	return h.NextAt, true, nil
}

// queue keeps tasks under their names until they are taken.
type queue struct {
	mu    sync.Mutex
	names map[string]bool
	tasks []put
	fails error
}

type put struct {
	At   time.Time
	Task job.WebhookTask
}

func (q *queue) PutWebhook(_ context.Context, at time.Time, t job.WebhookTask) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fails != nil {
		return q.fails
	}
	if !q.names[t.ID()] {
		q.names[t.ID()] = true
		q.tasks = append(q.tasks, put{at, t})
	}
	return nil
}

// take removes the only task of the queue.
func (q *queue) take(t *testing.T) put {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) != 1 {
		t.Fatalf("%d tasks are on the queue, want one", len(q.tasks))
	}
	p := q.tasks[0]
	q.tasks = nil
	return p
}

type bundle struct {
	*webhook.Deliverer

	record *record
	queue  *queue
	log    *strings.Builder
	drain  chan struct{}
}

// setup returns a deliverer of one webhook, msg_1, whose receiver is handler.
func setup(t *testing.T, handler http.HandlerFunc) bundle {
	t.Helper()
	b := bundle{
		record: &record{
			hooks: map[string]job.Webhook{"msg_1": hook(job.WebhookJobPartial)},
			job:   job.Job{ID: jobID, Input: job.Input{Prompt: "a lighthouse", Webhook: &job.Receiver{URL: url}}},
			urls:  map[string]string{},
		},
		queue: &queue{names: map[string]bool{}},
		log:   &strings.Builder{}, drain: make(chan struct{}),
	}
	b.Deliverer = webhook.NewDeliverer(webhook.Config{
		Record: b.record, Queue: b.queue, Sender: receive(t, handler), Schedule: webhook.DefaultSchedule(),
		Render:   func(j job.Job) (json.RawMessage, error) { return snapshot(j.Input.Prompt), nil },
		Draining: b.drain, Log: slog.New(slog.NewTextHandler(b.log, nil)),
	})
	return b
}

// task returns the task of a try of msg_1.
func task(try int) job.WebhookTask {
	return job.WebhookTask{JobID: jobID, WebhookID: "msg_1", Try: try}
}

func (b bundle) deliver(t *testing.T, task job.WebhookTask, want webhook.Verdict) {
	t.Helper()
	if got, err := b.Deliver(t.Context(), task); got != want || err != nil {
		t.Fatalf("%+v: verdict %d, %v, want %d", task, got, err, want)
	}
}

func answer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// counting counts the requests that reach handler, and keeps their webhook-id.
func counting(got *[]string, handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*got = append(*got, r.Header.Get("Webhook-Id"))
		handler(w, r)
	}
}

func TestDeliverTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var body []byte
		b := setup(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ = io.ReadAll(r.Body)
			io.WriteString(w, "thanks")
		})
		h := b.record.hooks["msg_1"]
		b.deliver(t, task(1), webhook.VerdictDone)

		want, err := webhook.Body(h, snapshot("a lighthouse"))
		if err != nil || string(body) != string(want) {
			t.Errorf("told %s, %v, want %s", body, err, want)
		}
		notes := []job.WebhookNote{{
			JobID: jobID, WebhookID: "msg_1", State: job.WebhookDelivered,
			Try: job.WebhookTry{Number: 1, StartedAt: time.Now().UTC(), Status: 200, Answer: "thanks"},
		}}
		if diff := cmp.Diff(notes, b.record.log); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		if len(b.queue.tasks) != 0 {
			t.Errorf("tasks remain: %v", b.queue.tasks)
		}
		if log := b.log.String(); strings.Contains(log, "hooks?key") || !strings.Contains(log, "host=localhost") {
			t.Errorf("the log must name the receiver's host only: %s", log)
		}
	})
}

// Ten tries, over 75 hours, each one task. Each is the same message.
func TestDeliverTriesForThreeDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		b := setup(t, counting(&ids, answer(http.StatusBadGateway)))
		begin := time.Now()
		b.deliver(t, task(1), webhook.VerdictDone)
		for try := 2; try <= 10; try++ {
			next := b.queue.take(t)
			if next.Task != task(try) || !next.At.Equal(b.record.hooks["msg_1"].NextAt) {
				t.Fatalf("try %d: the queue has %+v, the record %+v", try, next, b.record.hooks["msg_1"])
			}
			time.Sleep(time.Until(next.At))
			b.deliver(t, next.Task, webhook.VerdictDone)
		}
		if took := time.Since(begin); took < 68*time.Hour || took > 84*time.Hour {
			t.Errorf("all tries took %s, want 75 hours and a tenth more or less", took)
		}
		want := job.Webhook{State: job.WebhookFailed, Tries: 10}
		ignore := cmpopts.IgnoreFields(job.Webhook{}, "ID", "JobID", "Event", "Index", "At", "Version", "Status")
		if diff := cmp.Diff(want, b.record.hooks["msg_1"], ignore); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
		if fmt.Sprint(ids) != "["+strings.TrimSpace(strings.Repeat("msg_1 ", 10))+"]" || len(b.queue.tasks) != 0 {
			t.Errorf("told %v, and tasks remain: %v", ids, b.queue.tasks)
		}
		if n := strings.Count(b.log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings, want one of the last try", n)
		}
	})
}

func TestDeliverFollowsTheAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		change  func(*job.Webhook, *job.Job)
		state   job.WebhookState
		atLeast time.Duration // until the next try
		atMost  time.Duration
	}{
		"429": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "600")
				w.WriteHeader(http.StatusTooManyRequests)
			}, state: job.WebhookWaiting, atLeast: 10 * time.Minute, atMost: 11 * time.Minute,
		},
		"a redirect": {handler: answer(http.StatusFound), state: job.WebhookWaiting, atLeast: 4 * time.Second, atMost: 6 * time.Second},
		"410":        {handler: answer(http.StatusGone), state: job.WebhookGone},
		"a bad URL":  {handler: answer(http.StatusOK), change: func(_ *job.Webhook, j *job.Job) { j.Input.Webhook.URL = "https://10.0.0.1/" }, state: job.WebhookFailed},
		"nobody":     {handler: answer(http.StatusOK), change: func(_ *job.Webhook, j *job.Job) { j.Input.Webhook = nil }, state: job.WebhookFailed},
		"no URL":     {handler: answer(http.StatusOK), change: func(_ *job.Webhook, j *job.Job) { j.Input.Webhook.URL = "%" }, state: job.WebhookFailed},
		"the last":   {handler: answer(http.StatusBadGateway), change: func(h *job.Webhook, _ *job.Job) { h.Tries = 9 }, state: job.WebhookFailed},
		"of a replay": {
			handler: answer(http.StatusBadGateway), change: func(h *job.Webhook, _ *job.Job) { h.Tries, h.RoundFrom = 13, 13 },
			state: job.WebhookWaiting, atLeast: 4 * time.Second, atMost: 6 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, c.handler)
				h := b.record.hooks["msg_1"]
				if c.change != nil {
					c.change(&h, &b.record.job)
				}
				b.record.hooks["msg_1"] = h
				b.deliver(t, task(h.Tries+1), webhook.VerdictDone)
				got := b.record.hooks["msg_1"]
				if got.State != c.state || got.Tries != h.Tries+1 {
					t.Errorf("%s after %d tries, want %s after %d", got.State, got.Tries, c.state, h.Tries+1)
				}
				if c.state != job.WebhookWaiting {
					if len(b.queue.tasks) != 0 {
						t.Errorf("tasks remain: %v", b.queue.tasks)
					}
					return
				}
				if wait := time.Until(b.queue.take(t).At); wait < c.atLeast || wait > c.atMost {
					t.Errorf("the next try is in %s, want %s to %s", wait, c.atLeast, c.atMost)
				}
			})
		})
	}
}

// 410 ends all that is to be told of the job, and nothing of other jobs.
func TestGoneEndsTheJobsOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		b := setup(t, counting(&ids, answer(http.StatusGone)))
		other := hook(job.WebhookJobPartial)
		other.ID = "msg_2"
		b.record.hooks["msg_2"] = other
		b.deliver(t, task(1), webhook.VerdictDone)
		b.deliver(t, job.WebhookTask{JobID: jobID, WebhookID: "msg_2", Try: 1}, webhook.VerdictDone)
		if len(ids) != 1 {
			t.Errorf("told %v after 410", ids)
		}
	})
}

// A delivery that comes again makes no second try, and sees that the next one
// has its task.
func TestDeliverOnce(t *testing.T) {
	t.Parallel()
	t.Run("after the try", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var ids []string
			b := setup(t, counting(&ids, answer(http.StatusBadGateway)))
			b.deliver(t, task(1), webhook.VerdictDone)
			b.deliver(t, task(1), webhook.VerdictDone)
			b.queue.take(t)
			if len(ids) != 1 {
				t.Errorf("told %d times", len(ids))
			}
		})
	})
	t.Run("once it is delivered", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var ids []string
			b := setup(t, counting(&ids, answer(http.StatusOK)))
			b.deliver(t, task(1), webhook.VerdictDone)
			b.deliver(t, task(1), webhook.VerdictDone)
			b.deliver(t, task(2), webhook.VerdictDone)
			if len(ids) != 1 || len(b.queue.tasks) != 0 {
				t.Errorf("told %d times, and the queue has %v", len(ids), b.queue.tasks)
			}
		})
	})
	t.Run("during the try", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var b bundle
			var ids []string
			b = setup(t, counting(&ids, func(http.ResponseWriter, *http.Request) {
				b.deliver(t, task(1), webhook.VerdictAgain)
			}))
			b.deliver(t, task(1), webhook.VerdictDone)
			if len(ids) != 1 {
				t.Errorf("told %d times", len(ids))
			}
		})
	})
	t.Run("after the process ended before the next task was put", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var ids []string
			b := setup(t, counting(&ids, answer(http.StatusBadGateway)))
			b.queue.fails = errors.New("the queue is away")
			if v, err := b.Deliver(t.Context(), task(1)); v != webhook.VerdictAgain || !errors.Is(err, b.queue.fails) {
				t.Errorf("verdict %d, %v", v, err)
			}
			b.queue.fails = nil
			time.Sleep(2 * time.Second)
			b.deliver(t, task(1), webhook.VerdictDone)
			if next := b.queue.take(t); next.Task != task(2) || !next.At.Equal(b.record.hooks["msg_1"].NextAt) {
				t.Errorf("put %+v, want try 2 when the record says", next)
			}
			if len(ids) != 1 {
				t.Errorf("told %d times", len(ids))
			}
		})
	})
	t.Run("noted by another process meanwhile", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var b bundle
			b = setup(t, func(w http.ResponseWriter, r *http.Request) {
				h := b.record.hooks["msg_1"]
				h.Tries, h.NextAt = 1, time.Now().Add(time.Minute)
				b.record.hooks["msg_1"] = h
			})
			b.deliver(t, task(1), webhook.VerdictAgain)
			b.deliver(t, task(1), webhook.VerdictDone)
			if next := b.queue.take(t); next.Task != task(2) || len(b.record.log) != 0 {
				t.Errorf("put %+v, noted %+v", next, b.record.log)
			}
		})
	})
}

// A task that another one came in place of does nothing, or each webhook that was
// put off for long would have more and more of them.
func TestDeliverOnlyTheLatestTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		b := setup(t, counting(&ids, answer(http.StatusBadGateway)))
		h := b.record.hooks["msg_1"]
		h.Renewed = 1
		b.record.hooks["msg_1"] = h
		b.deliver(t, task(1), webhook.VerdictDone)
		if len(ids) != 0 || len(b.queue.tasks) != 0 {
			t.Errorf("an old task told %v, and put %v", ids, b.queue.tasks)
		}
		latest := task(1)
		latest.Renewed = 1
		b.deliver(t, latest, webhook.VerdictDone)
		if next := b.queue.take(t).Task; len(ids) != 1 || next.Renewed != 1 || next.Try != 2 {
			t.Errorf("told %v, and put %+v", ids, next)
		}
	})
}

func TestDeliverNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("a receiver is told") })
		for _, task := range []job.WebhookTask{
			{JobID: jobID, WebhookID: "msg_2", Try: 1}, {JobID: "another", WebhookID: "msg_1", Try: 1}, {},
		} {
			b.deliver(t, task, webhook.VerdictDone) // the job was removed
		}
		b.record.readFails = errAway
		if v, err := b.Deliver(t.Context(), task(1)); v != webhook.VerdictUnavailable || !errors.Is(err, errAway) {
			t.Errorf("verdict %d, %v without the record", v, err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if v, err := b.Deliver(ended, task(1)); v != webhook.VerdictAgain || err != nil {
			t.Errorf("verdict %d, %v as the process ends", v, err)
		}
		b.record.readFails = nil
		close(b.drain)
		b.deliver(t, task(1), webhook.VerdictAgain)
	})
}

// If the outcome cannot be noted, the receiver is told again by the same
// webhook-id: nobody knows that it was told.
func TestDeliverWithoutANote(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		b := setup(t, counting(&ids, answer(http.StatusOK)))
		b.record.noteFails = func(context.Context) error { return errAway }
		if v, err := b.Deliver(t.Context(), task(1)); v != webhook.VerdictUnavailable || !errors.Is(err, errAway) {
			t.Errorf("verdict %d, %v", v, err)
		}
		b.record.noteFails = nil
		b.deliver(t, task(1), webhook.VerdictDone)
		if diff := cmp.Diff([]string{"msg_1", "msg_1"}, ids); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// A process that ends cuts a try short, which counts for nothing, and notes one
// that was answered.
func TestDeliverWhileTheProcessEnds(t *testing.T) {
	t.Parallel()
	t.Run("before the answer", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			b := setup(t, func(_ http.ResponseWriter, r *http.Request) {
				end()
				<-r.Context().Done()
			})
			if v, err := b.Deliver(ctx, task(1)); v != webhook.VerdictAgain || err != nil || len(b.record.log) != 0 {
				t.Errorf("verdict %d, %v, noted %+v", v, err, b.record.log)
			}
		})
	})
	t.Run("after the answer", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			b := setup(t, answer(http.StatusBadGateway))
			b.record.noteFails = func(ctx context.Context) error {
				end()
				synctest.Wait()
				return ctx.Err()
			}
			if v, err := b.Deliver(ctx, task(1)); v != webhook.VerdictDone || err != nil || b.record.hooks["msg_1"].Tries != 1 {
				t.Errorf("verdict %d, %v, %+v", v, err, b.record.hooks["msg_1"])
			}
			b.queue.take(t)
		})
	})
	t.Run("with a record that does not answer", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			b := setup(t, answer(http.StatusOK))
			b.record.noteFails = func(ctx context.Context) error {
				end()
				<-ctx.Done()
				return ctx.Err()
			}
			begin := time.Now()
			v, err := b.Deliver(ctx, task(1))
			if took := time.Since(begin); v != webhook.VerdictUnavailable || err == nil || took != time.Second {
				t.Errorf("verdict %d, %v after %s, want a second", v, err, took)
			}
		})
	})
}

// What this service cannot make is no endless delivery: it counts as a try.
func TestDeliverWhatCannotBeMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, answer(http.StatusOK))
		d := webhook.NewDeliverer(webhook.Config{
			Record: b.record, Queue: b.queue, Sender: receive(t, answer(http.StatusOK)), Schedule: webhook.DefaultSchedule(),
			Render: func(job.Job) (json.RawMessage, error) { return nil, errors.New("no key to sign with") },
			Log:    slog.New(slog.NewTextHandler(b.log, nil)),
		})
		if v, err := d.Deliver(t.Context(), task(1)); v != webhook.VerdictDone || err != nil {
			t.Errorf("verdict %d, %v", v, err)
		}
		want := job.WebhookTry{
			Number: 1, StartedAt: time.Now().UTC(), Failure: job.WebhookInternal, Message: "This service failed to make the webhook.",
		}
		if diff := cmp.Diff(want, b.record.log[0].Try); diff != "" {
			t.Errorf("noted (-want +got):\n%s", diff)
		}
		if b.queue.take(t).Task != task(2) || !strings.Contains(b.log.String(), "no key to sign with") {
			t.Errorf("the log says %s", b.log)
		}
	})
}
