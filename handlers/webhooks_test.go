package handlers_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/webhook"
)

const receiver = "https://example.com/hooks?key=1"

func TestGenerateRecordsWhoIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, want := range map[string]*job.Receiver{
		`{"prompt":"p"}`: nil,
		`{"prompt":"p","webhook":"` + receiver + `"}`: {URL: receiver, Events: job.EndEvents()},
		`{"prompt":"p","webhook":"` + receiver + `","webhook_events":["job.started","image.failed","job.started"]}`: {
			URL: receiver, Events: []job.WebhookEvent{job.WebhookImageFailed, job.WebhookJobStarted},
		},
	} {
		shown := b.generate(body).job(t)
		j, err := b.record.Get(t.Context(), shown.ID)
		if diff := cmp.Diff(want, j.Input.Webhook); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", body, err, diff)
		}
		if want != nil && (shown.Input.Webhook != want.URL || !cmp.Equal(shown.Input.WebhookEvents, want.Events)) {
			t.Errorf("%s shows %q, %v", body, shown.Input.Webhook, shown.Input.WebhookEvents)
		}
	}
}

func TestGenerateRefusesReceivers(t *testing.T) {
	t.Parallel()
	b, secretless := setup(t), setup(t)
	secretless.jobs.CheckURL = nil
	for body, c := range map[string]struct {
		b    *bundle
		want fault
	}{
		`{"prompt":"p","webhook":"http://example.com/"}`:                                        {b, fault{"body.webhook", "does not begin with https://"}},
		`{"prompt":"p","webhook":"http://localhost:3000/"}`:                                     {b, fault{"body.webhook", "does not begin with https://"}},
		`{"prompt":"p","webhook":"https://10.0.0.1/"}`:                                          {b, fault{"body.webhook", "has an IP address that is not public"}},
		`{"prompt":"p","webhook":"` + receiver + strings.Repeat("x", 2048) + `"}`:               {b, fault{"body.webhook", "expected length <= 2048"}},
		`{"prompt":"p","webhook_events":["job.failed"]}`:                                        {b, fault{"body.webhook_events", "needs webhook"}},
		`{"prompt":"p","webhook":"` + receiver + `","webhook_events":["job.archived"]}`:         {b, fault{"body.webhook_events[0]", "expected value to be one of"}},
		`{"prompt":"p","webhook":"` + receiver + `","webhook_events":[]}`:                       {b, fault{"body.webhook_events", "expected array length >= 1"}},
		`{"prompt":"p","webhook":"` + receiver + `"}`:                                           {secretless, fault{"body.webhook", "no WEBHOOK_SECRET"}},
		`{"prompt":"p","webhook":"` + receiver + `","webhook_events":["job.failed"],"Count":1}`: {b, fault{"body.Count", ""}},
	} {
		got := c.b.generate(body).problem(t, http.StatusUnprocessableEntity).Errors
		if len(got) != 1 || got[0].Location != c.want.Location || !strings.Contains(got[0].Message, c.want.Message) {
			t.Errorf("%s: %+v, want %+v", body, got, c.want)
		}
	}
}

// The log shows each event with its tries, to the job's owner alone.
func TestWebhookLogAndReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.generate(`{"prompt":"p","webhook":"` + receiver + `"}`).job(t).ID
	path := "/api/jobs/" + id + "/webhooks"
	if got := b.do(http.MethodGet, path, ""); got.code != http.StatusOK || got.body != `{"webhooks":[]}`+"\n" {
		t.Errorf("before anything happened: %d %s", got.code, got.body)
	}
	if _, err := b.record.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	hooks, err := b.record.Webhooks(t.Context(), id)
	if err != nil || len(hooks) != 1 {
		t.Fatalf("%+v, %v", hooks, err)
	}
	hook, replay := hooks[0], path+"/"+hooks[0].ID+"/replay"
	b.do(http.MethodPost, replay, "").problem(t, http.StatusConflict)

	try := job.WebhookTry{
		Number: 1, StartedAt: now, Duration: 1500 * time.Millisecond, Status: 503,
		Failure: job.WebhookStatus, Message: "The receiver answered 503.", Answer: "later",
	}
	note := job.WebhookNote{JobID: id, WebhookID: hook.ID, State: job.WebhookFailed, Try: try}
	if _, noted, err := b.record.NoteWebhook(t.Context(), note); !noted || err != nil {
		t.Fatal(noted, err)
	}
	status, failure := 503, "status"
	want := handlers.WebhookResource{
		ID: hook.ID, Event: "job.canceled", State: "failed", CreatedAt: hook.At, Tries: []handlers.WebhookTryOutput{{
			Number: 1, StartedAt: now, DurationMS: 1500, Status: &status, Failure: &failure, Message: try.Message, Answer: "later",
		}},
	}
	var list handlers.WebhookList
	decode(t, b.do(http.MethodGet, path, "").body, &list)
	if diff := cmp.Diff(handlers.WebhookList{Webhooks: []handlers.WebhookResource{want}}, list); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}

	got := b.do(http.MethodPost, replay, "")
	var replayed handlers.WebhookResource
	decode(t, got.body, &replayed)
	want.State, want.NextAt = "waiting", replayed.NextAt
	if diff := cmp.Diff(want, replayed); diff != "" || got.code != http.StatusAccepted || replayed.NextAt == nil {
		t.Errorf("replay: %d (-want +got):\n%s", got.code, diff)
	}
	b.do(http.MethodPost, path+"/msg_1/replay", "").problem(t, http.StatusNotFound)
	for _, method := range [][2]string{{http.MethodGet, path}, {http.MethodPost, replay}} {
		b.do(method[0], method[1], "", "Authorization", "Bearer "+otherKey).problem(t, http.StatusNotFound)
	}
	b.jobs.CheckURL = nil
	if p := b.do(http.MethodPost, replay, "").problem(t, http.StatusUnprocessableEntity); !strings.Contains(p.Detail, "WEBHOOK_SECRET") {
		t.Errorf("a replay that nobody could sign: %s", p.Detail)
	}
}

// telling is a webhook.Deliverer that answers as it is told to.
type telling struct {
	verdict webhook.Verdict
	err     error
	tasks   []job.WebhookTask
}

func (d *telling) Deliver(_ context.Context, t job.WebhookTask) (webhook.Verdict, error) {
	d.tasks = append(d.tasks, t)
	return d.verdict, d.err
}

func TestWebhookDeliveries(t *testing.T) {
	t.Parallel()
	const id = "0199a5a0-0000-7000-8000-000000000000"
	const body = `{"job_id":"` + id + `","webhook_id":"msg_1","try":2,"put_off":3,"renewed":1}`
	task := []job.WebhookTask{{JobID: id, WebhookID: "msg_1", Try: 2, PutOff: 3, Renewed: 1}}
	for name, c := range map[string]struct {
		deliverer *telling
		body      string
		code      int
		tasks     []job.WebhookTask
		log       string
	}{
		"done":      {&telling{verdict: webhook.VerdictDone}, body, 200, task, ""},
		"again":     {&telling{verdict: webhook.VerdictAgain}, body, 409, task, ""},
		"no record": {&telling{verdict: webhook.VerdictUnavailable, err: errors.New("away")}, body, 503, task, "away"},
		"a budget's": {
			&telling{}, `{"job_id":"","webhook_id":"msg_2","try":1}`, 200, []job.WebhookTask{{WebhookID: "msg_2", Try: 1}}, "",
		},
		"no JSON":           {&telling{}, `x`, 200, nil, "cannot be read"},
		"no job":            {&telling{}, `{"job_id":"x","webhook_id":"msg_1","try":1}`, 200, nil, "job_id"},
		"no try":            {&telling{}, `{"job_id":"` + id + `","webhook_id":"msg_1"}`, 200, nil, "try 0"},
		"a service unasked": {nil, body, 503, nil, "WEBHOOK_SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &strings.Builder{}
			h := &handlers.Tasks{Process: t.Context(), Log: slog.New(slog.NewTextHandler(log, nil))}
			var got []job.WebhookTask
			if c.deliverer != nil {
				h.Webhooks = c.deliverer
			}
			w := httptest.NewRecorder()
			h.Webhook(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/tasks/webhook", strings.NewReader(c.body)))
			if c.deliverer != nil {
				got = c.deliverer.tasks
			}
			if w.Code != c.code || !cmp.Equal(got, c.tasks) || !strings.Contains(log.String(), c.log) {
				t.Errorf("answered %d, delivered %+v, logged %s", w.Code, got, log)
			}
		})
	}
}

// A retry of a job whose receiver could not be told is refused, as a new job would
// be.
func TestRetryOfAJobWhoseReceiverCannotBeTold(t *testing.T) {
	b := setup(t)
	path := "/api/jobs/" + b.generate(`{"prompt":"p","webhook":"`+receiver+`"}`).job(t).ID
	b.do(http.MethodPost, path+"/cancel", "")
	b.jobs.CheckURL = nil
	if p := b.do(http.MethodPost, path+"/retry", "").problem(t, http.StatusUnprocessableEntity); !strings.Contains(p.Detail, "WEBHOOK_SECRET") {
		t.Errorf("it says %q", p.Detail)
	}
}
