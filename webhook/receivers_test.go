package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/webhook"
)

// add records a webhook of its own job.
func (b bundle) add(id, url string) job.WebhookTask {
	h := hook(job.WebhookJobPartial)
	h.ID = id
	b.record.hooks[id], b.record.urls[id] = h, url
	return job.WebhookTask{JobID: jobID, WebhookID: id, Try: 1}
}

// stuck returns a bundle whose receivers at port 1 do not answer before free is
// closed, and the number of tries that are under way there.
func stuck(t *testing.T) (b bundle, underWay *atomic.Int32, free chan struct{}) {
	t.Helper()
	underWay, free = new(atomic.Int32), make(chan struct{})
	b = setup(t, func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Host, ":1") {
			underWay.Add(1)
			<-free
			underWay.Add(-1)
		}
	})
	return b, underWay, free
}

// A receiver that does not answer holds up its own webhooks only. Those that
// find it busy wait for a place, and lose no try.
func TestSlowReceiverHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, underWay, free := stuck(t)
		other := b.add("other", "http://127.0.0.1:2/")
		var tasks []job.WebhookTask
		for i := range webhook.PerReceiver + 1 {
			tasks = append(tasks, b.add(fmt.Sprint("slow-", i), "http://LOCALHOST:1/"))
		}
		late := tasks[webhook.PerReceiver]
		var wg sync.WaitGroup
		for _, task := range tasks[:webhook.PerReceiver] {
			wg.Go(func() { b.deliver(t, task, webhook.VerdictDone) })
		}
		synctest.Wait()

		// A busy receiver puts it off ever longer, by a task of another name.
		for _, seconds := range []int{5, 10, 20, 40, 80, 160, 300, 300, 300} {
			bound := time.Duration(seconds) * time.Second
			b.deliver(t, late, webhook.VerdictDone)
			b.deliver(t, late, webhook.VerdictDone) // the same delivery again
			next := b.queue.take(t)
			if wait := time.Until(next.At); wait < bound/2 || wait > bound {
				t.Errorf("put off by %s the %d. time, want %s and at least half of it", wait, next.Task.PutOff, bound)
			}
			want := late
			want.PutOff++
			if next.Task != want {
				t.Fatalf("put %+v, want %+v", next.Task, want)
			}
			late = next.Task
		}
		if h := b.record.hooks[late.WebhookID]; h.Tries != 0 || underWay.Load() != webhook.PerReceiver {
			t.Errorf("%d tries are spent, %d are under way", h.Tries, underWay.Load())
		}
		b.deliver(t, other, webhook.VerdictDone)
		if state := b.record.hooks["other"].State; state != job.WebhookDelivered {
			t.Errorf("another receiver's webhook is %s", state)
		}

		close(free)
		wg.Wait()
		b.deliver(t, late, webhook.VerdictDone)
		for _, task := range tasks {
			if h := b.record.hooks[task.WebhookID]; h.State != job.WebhookDelivered || h.Tries != 1 {
				t.Errorf("%s is %s after %d tries", h.ID, h.State, h.Tries)
			}
		}
	})
}

// Many slow receivers together take part of the instance only.
func TestSlowReceiversTogetherAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, underWay, free := stuck(t)
		var tasks []job.WebhookTask
		for i := range webhook.AtOnce + 1 {
			tasks = append(tasks, b.add(fmt.Sprint("slow-", i), fmt.Sprintf("http://127.0.0.%d:1/", i+1)))
		}
		var wg sync.WaitGroup
		for _, task := range tasks[:webhook.AtOnce] {
			wg.Go(func() { b.deliver(t, task, webhook.VerdictDone) })
		}
		synctest.Wait()
		b.deliver(t, tasks[webhook.AtOnce], webhook.VerdictDone)
		late := b.queue.take(t).Task
		if n := underWay.Load(); n != webhook.AtOnce || late.PutOff != 1 {
			t.Errorf("%d tries are under way, want %d and one put off", n, webhook.AtOnce)
		}
		close(free)
		wg.Wait()
		b.deliver(t, late, webhook.VerdictDone)
		if state := b.record.hooks[late.WebhookID].State; state != job.WebhookDelivered {
			t.Errorf("once there is room, the one that was put off is %s", state)
		}
	})
}
