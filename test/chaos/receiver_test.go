package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ai-worker/ai-worker/job"
)

const (
	webhookQueue  = queueParent + "/queues/webhook"
	webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	// tellPatience bounds the wait for the next webhook to be told once nothing
	// breaks.
	tellPatience = 60 * time.Second
)

// A receiver is told what happens to jobs. It fails, is slow and hangs up, until it
// is calm.
type receiver struct {
	t    *testing.T
	url  string
	calm atomic.Bool

	mu     sync.Mutex
	random *rand.Rand
	told   map[string]told // by webhook-id, once it was answered well
	tries  int
}

// told is what a receiver was told of one event.
type told struct{ event, job, status string }

func newReceiver(t *testing.T, seed uint64) *receiver {
	t.Helper()
	r := &receiver{t: t, random: rand.New(rand.NewPCG(seed, 5)), told: make(map[string]told)}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/hook"
	return r
}

// ServeHTTP takes a webhook, or not.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the caller is gone
	}
	r.mu.Lock()
	r.tries++
	n := r.random.IntN(100)
	r.mu.Unlock()
	if !r.calm.Load() {
		switch {
		case n < 15:
			w.WriteHeader(http.StatusInternalServerError)
			return
		case n < 20:
			panic(http.ErrAbortHandler) // it dies
		case n < 25:
			wait(req.Context(), time.Second)
		}
	}
	if err := r.note(req.Header, body); err != nil {
		r.t.Errorf("webhook %s: %v in %s", req.Header.Get("webhook-id"), err, body)
	}
	if !r.calm.Load() && n < 35 {
		panic(http.ErrAbortHandler) // it has taken the webhook, and dies before it says so
	}
}

// note checks a webhook and keeps it. One that comes again must tell the same.
func (r *receiver) note(header http.Header, body []byte) error {
	check, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		return err
	}
	if err := check.Verify(body, header); err != nil {
		return err
	}
	var m struct {
		Type string
		Data struct {
			JobID string `json:"job_id"`
			Job   struct{ Status string }
			Image *struct{ Status string }
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	is := told{event: m.Type, job: m.Data.JobID, status: m.Data.Job.Status}
	if m.Data.Image != nil {
		is.status = m.Data.Image.Status
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id := header.Get("webhook-id")
	if before, again := r.told[id]; again && before != is {
		return fmt.Errorf("it told %+v before", before)
	}
	r.told[id] = is
	return nil
}

// TestChaosTellsReceivers breaks the same, and the receiver of all events too. Each
// event is told, and only what happened.
func TestChaosTellsReceivers(t *testing.T) {
	seed, length := settings(t)
	length = min(length, 2*time.Minute)
	t.Logf("CHAOS_SEED=%d, for %.0f s", seed, length.Seconds())
	plan := newPlan(seed+1, length)
	d := deploy(t, seed, false, plan, newReceiver(t, seed))
	jobs := d.run(plan, false)
	if t.Failed() {
		return
	}
	d.check(jobs)
	d.checkTold()
}

// awaitTold waits until all webhooks are told.
func (d *deployment) awaitTold(ctx context.Context) {
	d.t.Helper()
	limited, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stuck := time.AfterFunc(tellPatience, giveUp)
	defer stuck.Stop()
	left, least := -1, -1
	ended := until(limited, func() bool {
		if err := d.record.read(limited, `SELECT count(*) FROM webhooks WHERE state = 'waiting'`, &left); err != nil {
			return false
		}
		if least < 0 || left < least {
			least = left
			stuck.Reset(tellPatience)
		}
		return left == 0
	})
	if !ended {
		d.t.Errorf("%d webhooks are left, and none was told for %s", least, tellPatience)
	}
}

// checkTold compares what the receiver was told with what became of the jobs.
func (d *deployment) checkTold() {
	d.t.Helper()
	want := make(map[string]told)
	add := func(id string, event job.WebhookEvent, index int, status string) {
		want[job.WebhookID(id, event, index)] = told{string(event), id, status}
	}
	for _, j := range d.readEnded() {
		if j.started {
			add(j.id, job.WebhookJobStarted, 0, "processing")
		}
		add(j.id, job.WebhookEvent("job."+j.status), 0, j.status)
	}
	for _, r := range d.readRows() {
		add(r.job, job.WebhookEvent("image."+r.status), r.index, r.status)
	}
	d.receiver.mu.Lock()
	defer d.receiver.mu.Unlock()
	if diff := cmp.Diff(want, d.receiver.told, cmp.AllowUnexported(told{})); diff != "" {
		d.t.Errorf("what happened (-) and what was told (+):\n%s", diff)
	}
	kinds := make(map[string]int)
	for _, is := range want {
		kinds[is.event]++
	}
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		list = append(list, fmt.Sprintf("%d %s", kinds[kind], kind))
	}
	d.t.Logf("%d tries told %s", d.receiver.tries, strings.Join(list, ", "))
}

// ended is a job that has ended.
type ended struct {
	id, status string
	started    bool
}

func (d *deployment) readEnded() []ended {
	d.t.Helper()
	const sql = `SELECT id::text, status, started_at IS NOT NULL FROM jobs`
	return collect(d, func(r pgx.CollectableRow) (e ended, err error) {
		err = r.Scan(&e.id, &e.status, &e.started)
		return e, err
	}, sql)
}
