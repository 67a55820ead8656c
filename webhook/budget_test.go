package webhook_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/webhook"
)

// budgetHook returns the webhook of a budget, msg_2, which is of no job.
func budgetHook(scope job.BudgetScope) job.Webhook {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	return job.Webhook{
		ID: "msg_2", Event: job.WebhookBudgetThreshold, At: from.Add(time.Hour), State: job.WebhookWaiting,
		Budget: &job.BudgetReached{
			Scope: scope, From: from, To: from.AddDate(0, 1, 0), LimitMicros: 40_000_000, RaisedMicros: 10_000_000,
			SpentMicros: 39_500_000, ReservedMicros: 500_000, Percent: 80,
		},
	}
}

func TestBodyOfABudget(t *testing.T) {
	t.Parallel()
	const rest = `"from":"2026-10-31T23:00:00Z","to":"2026-11-30T23:00:00Z","limit_usd":40,"raised_usd":10,"spent_usd":39.5,` +
		`"reserved_usd":0.5,"percent":80,"at":"2026-11-01T00:00:00Z"}}`
	for scope, data := range map[job.BudgetScope]string{
		job.ServiceBudget:        `{"scope":"service",`,
		job.TenantBudget("acme"): `{"scope":"tenant","tenant":"acme",`,
	} {
		got, err := webhook.Body(budgetHook(scope), nil)
		want := `{"type":"budget.threshold","timestamp":"2026-11-01T00:00:00Z","data":` + data + rest
		if string(got) != want || err != nil {
			t.Errorf("told %s, %v, want %s", got, err, want)
		}
	}
}

// What is told of budgets goes to their receiver and is signed with its secret, which
// jobs' receivers do not know. It is tried again as others are.
func TestDeliverTellsOfABudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("a job's receiver is told") })
		b.record.hooks["msg_2"] = budgetHook(job.ServiceBudget)
		var ids []string
		codes := []int{http.StatusBadGateway, http.StatusOK}
		b.Budgets(webhook.Receiver{URL: url, Sender: receive(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if !strings.Contains(string(body), `"type":"budget.threshold"`) {
				t.Errorf("told %s", body)
			}
			ids = append(ids, r.Header.Get("Webhook-Id"))
			w.WriteHeader(codes[len(ids)-1])
		})})
		first := job.WebhookTask{WebhookID: "msg_2", Try: 1}
		b.deliver(t, first, webhook.VerdictDone)
		next := b.queue.take(t)
		time.Sleep(time.Until(next.At))
		b.deliver(t, next.Task, webhook.VerdictDone)
		if h := b.record.hooks["msg_2"]; h.State != job.WebhookDelivered || h.Tries != 2 || len(ids) != 2 || ids[0] != ids[1] {
			t.Errorf("%s after %d tries, told %v", h.State, h.Tries, ids)
		}
	})
}

// Webhooks that wait when their receiver is taken out of the settings end, and do not
// slow down the queue. Those of jobs wait for the secret.
func TestDeliverTellsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("a receiver is told") })
		b.record.hooks["msg_2"] = budgetHook(job.ServiceBudget)
		b.deliver(t, job.WebhookTask{WebhookID: "msg_2", Try: 1}, webhook.VerdictDone)
		if h := b.record.hooks["msg_2"]; h.State != job.WebhookFailed || !strings.Contains(b.record.log[0].Try.Message, "BUDGET_WEBHOOK is not set") {
			t.Errorf("%s, noted %+v", h.State, b.record.log)
		}
		b.NoSender()
		if v, err := b.Deliver(t.Context(), task(1)); v != webhook.VerdictUnavailable || err == nil || !strings.Contains(err.Error(), "WEBHOOK_SECRET") {
			t.Errorf("verdict %d, %v", v, err)
		}
	})
}
