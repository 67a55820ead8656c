package handlers

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/snapshot"
)

// quote answers a dry run: with what the job would cost, and when it would be done.
func (h *Jobs) quote(ctx context.Context, s enqueue.Submission) (*jobOutput, error) {
	q, err := h.Producer.Quote(ctx, s)
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(h.Snapshots.Quote(snapshot.Quote{
		Input: s.Input, PriceMicros: s.PriceMicros, Outlook: q.Outlook, Run: q.Run,
	}))
	if err != nil {
		return nil, err
	}
	return &jobOutput{Status: http.StatusOK, ContentType: jsonType, CacheControl: "no-store", Body: doc}, nil
}
