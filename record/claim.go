package record

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A ClaimRequest is a slot to be used.
type ClaimRequest struct {
	Model string        // the model of the slot's lane
	Task  job.Task      // the delivered task, with its lane
	Lease time.Duration // for how long the image is the claimant's, unless it is renewed
}

// A Claim is the right to move one image, until its lease runs out.
type Claim struct {
	Token     string  // guards every later transition
	Job       job.Job // as the claim left it
	Index     int     // of the claimed image
	Dispatch  int     // how often the claimed image was put on a queue so far
	Number    int     // of the attempt among all of the image, from 1
	Reclaimed bool    // the image was claimed before, so its picture may already be stored
	Struck    bool    // the image has struck a lane before; see Record.Strike
	// Probation tells that the lane of the delivered task was paused and not
	// resumed: a good answer to this image's request shows that it works.
	Probation bool
	// Report is what the attempt was and cost. Whoever made the claim sets it
	// before ending it.
	Report job.Report
}

// Image returns the claimed image as the claim left it.
func (c Claim) Image() job.Image { return c.Job.Images[c.Index] }

// NextTask returns the task of the claimed image's next dispatch, on a lane.
func (c Claim) NextTask(lane string) job.Task {
	return job.Task{JobID: c.Job.ID, Index: c.Index, Dispatch: c.Dispatch + 1, Lane: lane}
}

// A Success is a picture that is stored.
type Success struct{ Object job.Object }

// A Requeue says how an image waits for its next dispatch.
type Requeue struct {
	Lane     string        // of the next task
	After    time.Duration // for how long it is not ready
	GiveBack bool          // the attempt does not count
	Reason   *job.Error    // why the attempt ended; nil if nothing was wrong with it

	PriceMicros int64   // what the next attempt may count, in millionths of a US dollar
	Budgets     Budgets // that the next attempt counts against
}

// Covers reports whether the end of the attempt of a claim must settle and reserve:
// it was billed, or what is reserved does not cover the next one.
func (q Requeue) Covers(c Claim) bool {
	return len(q.Budgets.Periods) > 0 && (c.Report.Bill.BoundMicros > 0 || c.Image().ReservedMicros < q.PriceMicros)
}
