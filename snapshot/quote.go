package snapshot

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A Quote is what is known of a job that is not recorded.
type Quote struct {
	Input       job.Input
	PriceMicros int64 // list price of one picture in millionths of a US dollar, 0 if it is not known
	Outlook     record.Outlook
	Run         time.Duration // what a picture of the model typically takes, 0 if that is not known
}

// QuoteResource is a quote as callers see it. Its fields mean what those of a job
// mean.
type QuoteResource struct {
	DryRun   bool     `json:"dry_run" doc:"Always true: no job is recorded, and no picture is kept."`
	Model    string   `json:"model"`
	Count    int      `json:"count"`
	PriceUSD *float64 `json:"price_usd" doc:"List price of one picture; null if not known."`
	CostUSD  *float64 `json:"cost_usd" doc:"List price of all pictures; null if not known. Attempts that bring no picture may be billed as well: see max_cost_usd."`

	WaitingFor            Waiting    `json:"waiting_for" enum:"turn,quota,lane,budget,model" doc:"What the first picture would wait for."`
	QueuePosition         *int       `json:"queue_position" doc:"How many pictures would go before the first of these; null if no lane draws them now."`
	EstimatedStartAt      *time.Time `json:"estimated_start_at" doc:"When the first should start, by the rates of the quotas and the pauses of lanes; null if no lane draws them now."`
	EstimatedCompletionAt *time.Time `json:"estimated_completion_at" doc:"When the last should be done, if a picture takes as long as those of the last day; null if no lane draws them now, or none was drawn in that day."`
}

// Quote returns a quote as callers see it.
func (r *Record) Quote(q Quote) QuoteResource { return r.renderer.Quote(q) }

// Quote returns a quote as callers see it.
func (r Renderer) Quote(q Quote) QuoteResource {
	resource := QuoteResource{
		DryRun: true, Model: q.Input.Model, Count: q.Input.Count,
		PriceUSD: usd(q.PriceMicros), CostUSD: usd(q.PriceMicros * int64(q.Input.Count)),
	}
	first := job.Image{Status: job.StatusQueued, Parked: q.Outlook.Ahead == nil}
	if q.Outlook.Held == q.Input.Count {
		first.Parked, first.HeldBy = false, q.Outlook.HeldBy
	}
	j := job.Job{Input: q.Input, Images: []job.Image{first}, Ahead: q.Outlook.Ahead, Paused: q.Outlook.Paused}
	o := r.outlook(j)
	resource.WaitingFor, _ = o.waitingFor(first)
	resource.QueuePosition, resource.EstimatedStartAt = o.next(j)
	if resource.EstimatedStartAt != nil && q.Run > 0 {
		done := *resource.EstimatedStartAt
		if q.Outlook.LastAhead != nil {
			done = sentBy(*q.Outlook.LastAhead, o.openings)
		}
		if begins := o.budgetBegins(q.Outlook.HeldBy); q.Outlook.Held > 0 && begins != nil && begins.After(done) {
			done = *begins
		}
		done = done.Add(q.Run)
		resource.EstimatedCompletionAt = &done
	}
	return resource
}

// usd returns an amount in US dollars, or nil if it is not known.
func usd(micros int64) *float64 {
	if micros == 0 {
		return nil
	}
	amount := float64(micros) / 1e6
	return &amount
}
