package enqueue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A Redraw says with what a job is drawn again.
type Redraw struct {
	Prompt, Model, AspectRatio, ImageSize string
	Count                                 int
	Seed                                  *int32
	Tell                                  bool   // the job's receiver is told of the new one too
	Key                                   string // makes it one job, however often it is asked for

	Weight          float64 // the tenant's share of turns, against 1
	MaxWaiting      int     // as Submission.MaxWaiting
	PriceMicros     int64   // as Submission.PriceMicros
	CostLimitMicros int64   // as Retry.CostLimitMicros

	ByHand record.Act
}

// Redraw accepts a new job for the tenant of another one: with edits, and otherwise
// with the same input, metadata, priority and time to live. The other job stays as it
// is. Redraw fails as Submit does.
func (p *Producer) Redraw(ctx context.Context, j job.Job, r Redraw) (job.Job, error) {
	in := j.Input
	in.Prompt, in.Model, in.AspectRatio, in.ImageSize = r.Prompt, r.Model, r.AspectRatio, r.ImageSize
	in.Count, in.Seed, in.Retry, in.CostLimitMicros = r.Count, r.Seed, nil, r.CostLimitMicros
	if !r.Tell {
		in.Webhook = nil
	}
	s := Submission{
		Tenant: j.Tenant, Weight: r.Weight, Priority: j.Priority, Input: in, Metadata: j.Metadata,
		ExpiresIn: j.ExpiresAt.Sub(j.CreatedAt), IdempotencyKey: "by-hand-" + r.Key, Fingerprint: r.fingerprint(),
		MaxWaiting: r.MaxWaiting, PriceMicros: r.PriceMicros, ByHand: byHand(&r.ByHand, j),
	}
	return p.Submit(ctx, s.withCopies())
}

// fingerprint tells one redraw from another.
func (r Redraw) fingerprint() string {
	seed := "none"
	if r.Seed != nil {
		seed = fmt.Sprint(*r.Seed)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "redraw %q %q %q %q %d %s %t", r.Prompt, r.Model, r.AspectRatio, r.ImageSize, r.Count, seed, r.Tell))
	return hex.EncodeToString(sum[:])
}
