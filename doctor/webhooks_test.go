package doctor_test

import (
	"errors"
	"testing"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	parses := func() error { return nil }
	for name, tt := range map[string]struct {
		queue string
		parse func() error
		want  want
	}{
		"in order":   {queueName, parses, want{doctor.OK, "webhooks", "images-v1 takes webhooks", ""}},
		"no secret":  {"", nil, want{doctor.Skipped, "webhooks", "WEBHOOK_SECRET is not set", ""}},
		"bad secret": {queueName, func() error { return errors.New("WEBHOOK_SECRET is short") }, want{doctor.Failed, "webhooks", "WEBHOOK_SECRET is short", "docs/webhooks.md"}},
		"missing": {queueName + "x", parses, want{
			doctor.Failed, "webhooks", "there is no queue",
			"gcloud tasks queues create images-v1x --project=p --location=l --max-dispatches-per-second=100 --max-concurrent-dispatches=64",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := setupQueue(t, cloudtasks.Options{})
			expect(t, examine(t, doctor.Webhooks(tt.queue, tt.parse, q.open)), tt.want)
		})
	}
}
