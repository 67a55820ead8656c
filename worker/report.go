package worker

import (
	"context"
	"errors"

	"github.com/ai-worker/ai-worker/job"
)

// bill returns what the attempt's request cost, if it was charged.
func (a *attempt) bill(answer job.Answer) job.Bill {
	return a.lane.model.Bill(a.claim.Job.Input.ImageSize, answer)
}

// reportAnswer notes what came of the request: the picture, or why there is none.
// A request that was cut off may be charged; nobody knows.
func (a *attempt) reportAnswer(pic job.Picture, err error) {
	answer, billed := pic.Answer, true
	if f, ok := errors.AsType[*job.Failure](err); ok {
		answer = f.Answer
		billed = f.Billable || answer.Tokens != nil
	}
	a.report.AnsweredAt, a.report.FinishReason, a.report.Detail = answer.At, answer.FinishReason, answer.Detail
	if billed {
		a.report.Bill = a.bill(answer)
	}
}

// noteLost tells the record what the request was and cost of an attempt that somebody
// else has ended. If none was sent, it tells that only where something is reserved for the
// image. It does not try again: what is lost then is a line in the books, and no picture.
func (a *attempt) noteLost(ctx context.Context) {
	if !a.report.Asked() && a.claim.Image().ReservedMicros == 0 {
		return
	}
	a.claim.Report = a.report
	if err := a.worker.record.NoteAttempt(a.late, a.claim, a.stored); err != nil {
		a.log.WarnContext(ctx, "not recorded: what a canceled attempt cost", "cost_usd", float64(a.report.Bill.CostMicros)/1e6, "error", err)
	}
}
