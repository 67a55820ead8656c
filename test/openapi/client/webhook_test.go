package client_test

import (
	"net/url"
	"testing"

	"github.com/ai-worker/ai-worker/test/openapi/client/api"
)

func TestWebhooks(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	receiver, err := url.Parse("https://example.com/hook")
	if err != nil {
		t.Fatal(err)
	}
	accepted := as[*api.GenerateImagesAccepted](t)(c.GenerateImages(t.Context(), &api.GenerateRequest{
		Prompt: "a", Webhook: api.NewOptString(receiver.String()), WebhookEvents: []api.GenerateRequestWebhookEventsItem{"job.canceled"},
	}, api.GenerateImagesParams{}))
	id := accepted.Response.ID.String()
	if got := accepted.Response.Input.Webhook.Value; got != *receiver {
		t.Errorf("the receiver is %v", got)
	}
	as[*api.CancelJobOKHeaders](t)(c.CancelJob(t.Context(), api.CancelJobParams{ID: id}))
	list := as[*api.WebhookListHeaders](t)(c.ListWebhooks(t.Context(), api.ListWebhooksParams{ID: id}))
	if hooks := list.Response.Webhooks; len(hooks) != 1 || hooks[0].Event != "job.canceled" || hooks[0].State != "waiting" || !hooks[0].Index.Null {
		t.Fatalf("told: %+v", hooks)
	}
	as[*api.ReplayWebhookConflict](t)(c.ReplayWebhook(t.Context(), api.ReplayWebhookParams{ID: id, WebhookID: list.Response.Webhooks[0].ID}))
	as[*api.ReplayWebhookNotFound](t)(c.ReplayWebhook(t.Context(), api.ReplayWebhookParams{ID: id, WebhookID: "msg_1"}))
}
