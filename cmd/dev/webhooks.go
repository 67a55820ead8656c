package main

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ai-worker/ai-worker/config"
)

// secretBytes is how long the secret is that signs webhooks.
const secretBytes = 32

// fillInWebhooks lets receivers be on this machine. If there is a queue for
// webhooks and no secret, it makes one, and notes it, to be shown.
func (e *environment) fillInWebhooks(cfg *config.Config) error {
	cfg.Dev.Loopback = true
	if cfg.WebhookSecret != "" || cfg.Tasks.WebhookQueue == "" {
		return nil
	}
	key := make([]byte, secretBytes)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	e.secret = "whsec_" + base64.StdEncoding.EncodeToString(key)
	cfg.WebhookSecret = config.Secret(e.secret)
	return nil
}

// newWebhookQueue returns the queue for webhooks with the settings that terraform
// gives it.
func newWebhookQueue() *cloudtaskspb.Queue {
	return &cloudtaskspb.Queue{
		Name:       localProject + "/queues/webhook",
		RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 100, MaxConcurrentDispatches: 64},
		RetryConfig: &cloudtaskspb.RetryConfig{
			MaxAttempts:  -1,
			MinBackoff:   durationpb.New(time.Second),
			MaxBackoff:   durationpb.New(5 * time.Minute),
			MaxDoublings: 9,
		},
	}
}
