package doctor

import (
	"context"

	"github.com/ai-worker/ai-worker/lane"
)

// The limits that terraform sets for the queue for webhooks. The worker tells a
// receiver less at a time than that.
const (
	webhooksAMinute = 6000
	webhooksAtOnce  = 64
)

// Webhooks checks the secret that signs webhooks, and the queue that they wait on,
// if there is a secret. parse returns what is wrong with it; nil stands for none.
func Webhooks(queue string, parse func() error, open Open[Queues]) Check {
	l := LaneSettings{Quota: lane.Lane{Name: "webhooks", Queue: queue, RPM: webhooksAMinute, Concurrency: webhooksAtOnce}}
	return Check{
		Name: "queue", Subject: l.Quota.Name, Needs: []string{"WEBHOOK_QUEUE", "CLOUD_TASKS_ENDPOINT"},
		Run: func(ctx context.Context) []Finding {
			if parse == nil {
				return []Finding{skipped("WEBHOOK_SECRET is not set: requests with webhook are refused")}
			}
			if err := parse(); err != nil {
				return []Finding{failed("Replace the secret; see docs/webhooks.md.", "%v", err)}
			}
			return ownQueue(ctx, l, open)
		},
	}
}
