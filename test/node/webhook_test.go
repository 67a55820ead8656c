package node_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/webhook"
)

// sentWebhook sends a webhook, signed with both secrets as while one is
// replaced. It returns what arrived, as JSON.
func sentWebhook(t *testing.T, secrets ...string) string {
	t.Helper()
	var arrived struct {
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		arrived.Headers, arrived.Body = map[string]string{}, string(body)
		for name := range r.Header {
			arrived.Headers[strings.ToLower(name)] = r.Header.Get(name) // as Node has them
		}
	}))
	defer receiver.Close()

	signing, err := webhook.ParseSecrets("WEBHOOK_SECRET", strings.Join(secrets, " "))
	if err != nil {
		t.Fatal(err)
	}
	body, err := webhook.Body(
		job.Webhook{Event: job.WebhookJobSucceeded, At: time.Now(), JobID: "0199"},
		json.RawMessage(`{"id":"0199","input":{"prompt":"a lighthouse, \u003cin\u003e Münster 🖼"},"output":["https://img.example.com/0?a=1&b=2"]}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := webhook.NewSender(signing, webhook.NewPolicy(true), nil).Send(t.Context(), receiver.URL, "msg_1", body)
	if err != nil || outcome.Result != webhook.ResultDelivered {
		t.Fatalf("%+v, %v", outcome, err)
	}
	text, err := json.Marshal(arrived)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// webhookExample returns the example in JavaScript of docs/webhooks.md.
func webhookExample(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```js\n")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/webhooks.md has no example in JavaScript")
	}
	return example
}
