package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// A receiver is told of jobs. It checks what comes as docs/webhooks.md says.
type receiver struct {
	*httptest.Server

	mu      sync.Mutex
	tries   map[string]int      // by webhook-id
	told    map[string][]string // the events that it took, by job
	refuses func(event string, try int) bool
}

// A message is the body of a webhook.
type message struct {
	Type string
	Data struct {
		JobID string `json:"job_id"`
		Index *int
		Job   job
		Image struct{ Status, URL string }
	}
}

func receive(t *testing.T, secret string) *receiver {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{tries: map[string]int{}, told: map[string][]string{}, refuses: func(string, int) bool { return false }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = verifier.Verify(body, req.Header)
		}
		var m message
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		if err != nil {
			t.Errorf("%v: %s", err, body)
		}
		w.WriteHeader(r.take(t, req.Header.Get("Webhook-Id"), m))
	}))
	t.Cleanup(r.Close)
	return r
}

// take notes a message, unless it is one to refuse, and returns what to answer.
func (r *receiver) take(t *testing.T, id string, m message) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries[id]++
	if m.Data.Index != nil && "image."+m.Data.Image.Status != m.Type || m.Data.Index == nil && m.Type != "job.started" && "job."+m.Data.Job.Status != m.Type {
		t.Errorf("%s tells of %+v", m.Type, m.Data)
	}
	if r.refuses(m.Type, r.tries[id]) {
		return http.StatusServiceUnavailable
	}
	r.told[m.Data.JobID] = append(r.told[m.Data.JobID], m.Type)
	return http.StatusOK
}

// events returns the events of a job that the receiver took, sorted.
func (r *receiver) events(jobID string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.told[jobID]))
}

// wantEvents waits until the receiver took as many events of a job as are wanted,
// and then wants these.
func (r *receiver) wantEvents(t *testing.T, jobID string, want ...string) {
	t.Helper()
	await(t, strings.Join(want, ", "), patience, func() bool { return len(r.events(jobID)) >= len(want) })
	slices.Sort(want)
	if diff := cmp.Diff(want, r.events(jobID)); diff != "" {
		t.Errorf("told of the job (-want +got):\n%s", diff)
	}
}

// webhookLog is what the API tells of a job's webhooks.
type webhookLog struct {
	Webhooks []struct {
		ID, Event, State string
		Tries            []struct {
			Status  int
			Failure string
		}
	}
}

// A receiver is told of everything that happens to its jobs, once, and again if
// it asks: on a record in memory, and on Postgres.
func TestDevTellsReceivers(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		testTelling(t)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		empty := func(context.Context, string) error { return nil }
		testTelling(t, "DATABASE_URL="+postgrestest.New(t, fstest.MapFS{}, empty))
	})
}

func testTelling(t *testing.T, env ...string) {
	t.Helper()
	p, a := startDev(t, t.TempDir(), env...)
	var secret []string
	await(t, "that it says what it signs with", time.Minute, func() bool {
		secret = regexp.MustCompile(`WEBHOOK_SECRET=(\S+)\n`).FindStringSubmatch(p.out.String())
		return secret != nil
	})
	r := receive(t, secret[1])
	r.refuses = func(event string, try int) bool { return event == "job.succeeded" && try == 1 }
	all := `"webhook":"` + r.URL + `","webhook_events":["job.started","image.succeeded","image.failed","job.succeeded","job.partial","job.failed","job.canceled"]`

	// The first try of the last event fails, and the second one comes 5 s later.
	drawn := a.generate(`{"prompt":"A lighthouse","count":3,` + all + `}`)
	failed := a.generate(`{"prompt":"[[block:SAFETY]]","count":2,` + all + `}`)
	r.wantEvents(t, drawn.ID, "job.started", "image.succeeded", "image.succeeded", "image.succeeded", "job.succeeded")
	r.wantEvents(t, failed.ID, "job.started", "image.failed", "image.failed", "job.failed")

	log := func() webhookLog {
		var log webhookLog
		if _, err := a.call(http.MethodGet, "/api/jobs/"+drawn.ID+"/webhooks", "", &log); err != nil {
			t.Fatal(err)
		}
		return log
	}
	await(t, "the log of a delivered webhook", patience, func() bool { return !strings.Contains(states(log()), "waiting") })
	last := log().Webhooks[4]
	if last.Event != "job.succeeded" || last.State != "delivered" || len(last.Tries) != 2 || last.Tries[0].Status != 503 || last.Tries[0].Failure != "status" {
		t.Errorf("the log ends with %+v", last)
	}
	var replayed struct{ State string }
	resp, err := a.call(http.MethodPost, "/api/jobs/"+drawn.ID+"/webhooks/"+last.ID+"/replay", "", &replayed)
	if err != nil || resp.StatusCode != http.StatusAccepted || replayed.State != "waiting" {
		t.Fatalf("replay: %v, %+v", err, replayed)
	}
	r.wantEvents(t, drawn.ID, "job.started", "image.succeeded", "image.succeeded", "image.succeeded", "job.succeeded", "job.succeeded")
}

// states returns the states of all webhooks of a log.
func states(log webhookLog) string {
	var all []string
	for _, w := range log.Webhooks {
		all = append(all, w.State)
	}
	return strings.Join(all, " ")
}
