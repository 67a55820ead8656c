package webhook_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ai-worker/ai-worker/webhook"
)

// Hooks returns what receives webhooks that were signed with secret. The library is
// github.com/standard-webhooks/standard-webhooks/libraries/go.
func Hooks(secret string) (http.Handler, error) {
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 20_000))
		if err != nil || webhook.Verify(body, r.Header) != nil {
			http.Error(w, "The signature does not match.", http.StatusUnauthorized)
			return
		}
		// Keep the body under the webhook-id, and work on it after you have answered.
		fmt.Fprintln(w, "received")
	}), nil
}

// A secret is replaced while webhooks are sent: receivers that have the new one
// or still the old one accept them, and others do not.
func Example() {
	signing, err := webhook.ParseSecrets("WEBHOOK_SECRET", newSecret+","+oldSecret)
	if err != nil {
		panic(err)
	}
	sender := webhook.NewSender(signing, webhook.NewPolicy(true), nil)
	for _, secret := range []string{newSecret, oldSecret, "whsec_" + "b2YgYSBzdHJhbmdlciwgd2hvZXZlciB0aGF0IGlz"} {
		hooks, err := Hooks(secret)
		if err != nil {
			panic(err)
		}
		receiver := httptest.NewServer(hooks)
		outcome, err := sender.Send(context.Background(), receiver.URL, "msg_1", []byte(`{"type":"job.succeeded"}`))
		fmt.Println(outcome.Try.Status, outcome.Try.Answer, err)
		receiver.Close()
	}
	// Output:
	// 200 received <nil>
	// 200 received <nil>
	// 401 The signature does not match. <nil>
}
