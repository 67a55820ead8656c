package dashboard_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// acting does what operators do to jobs, as the service does, on a queue that takes
// every task.
type acting struct {
	site     *site
	producer *enqueue.Producer
	renderer snapshot.Renderer
	refuse   error    // of what is asked for next
	removed  []string // jobs whose pictures were removed
}

func newActing(t *testing.T, s *site) *acting {
	t.Helper()
	return &acting{
		site: s,
		producer: enqueue.New(enqueue.Config{
			Record: s.kept, Queue: &enqueuetest.Queue{}, Inputs: &enqueuetest.Inputs{}, Lanes: s.options.Lanes, Process: t.Context(), Log: slog.New(slog.DiscardHandler),
			Target: enqueue.Target{SweepQueue: "sweeps", Webhooks: enqueue.WebhookTarget{Queue: "webhooks"}},
		}),
		renderer: snapshot.Renderer{
			Lanes: []snapshot.Lane{{Name: "a", Models: []string{"m"}, RPM: 60}}, Now: time.Now, BaseURL: "https://api.example.com",
			ImageURL: func(key string) (string, error) { return pictures + "/" + key, nil },
		},
	}
}

func (a *acting) Render(j job.Job) ([]byte, error) {
	snap, err := a.renderer.Render(j)
	return snap.JSON, err
}

func (a *acting) Retry(ctx context.Context, j job.Job, act record.Act) (job.Job, error) {
	if a.refuse != nil {
		return job.Job{}, a.refuse
	}
	return a.producer.Retry(ctx, j, enqueue.Retry{Weight: 1, ByHand: &act})
}

func (a *acting) Redraw(ctx context.Context, j job.Job, e dashboard.Edits, act record.Act) (job.Job, error) {
	return a.producer.Redraw(ctx, j, enqueue.Redraw{
		Prompt: e.Prompt, Model: e.Model, AspectRatio: e.AspectRatio, ImageSize: e.ImageSize, Count: e.Count, Seed: e.Seed,
		Tell: e.Tell, Key: e.Key, Weight: 1, ByHand: act,
	})
}

func (a *acting) Replay(ctx context.Context, jobID, id string, act record.Act) error {
	_, err := a.producer.Webhooks().ReplayByHand(ctx, jobID, id, act)
	return err
}

func (a *acting) Remove(ctx context.Context, j job.Job, act record.Act) error {
	if err := a.site.kept.DeleteByHand(ctx, j.ID, act); err != nil {
		return err
	}
	a.removed = append(a.removed, j.ID)
	return nil
}
