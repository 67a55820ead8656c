package doctor

import (
	"context"
	"fmt"
	"math"

	"github.com/ai-worker/ai-worker/record"
)

// assumedSeconds is how long a picture takes, as long as none was drawn. Models
// take 15 to 40 s.
const assumedSeconds = 20.0

// restSeconds is how long a delivery takes besides its picture: it waits for its
// slot, writes to the record, and is answered. A concurrency that leaves no time
// for that uses 95 % of the quota.
const restSeconds = 5.0

// Concurrency checks that each lane may have enough requests in flight to use its
// quota. That takes rate × time (Little's law), with restSeconds in the time. rec
// may be nil; then the time is assumed.
func Concurrency(lanes []LaneSettings, rec Record) Check {
	return Check{
		Name: "concurrency", Needs: LaneSettings{}.needs(),
		Run: func(ctx context.Context) []Finding {
			var out record.Outcomes
			if rec != nil {
				// Without a record the time is assumed; the database's line says why.
				out, _ = rec.Outcomes(ctx, record.RunsSince)
			}
			var findings []Finding
			for _, l := range lanes {
				findings = append(findings, concurrency(l, out.Runs[l.Quota.Model]).on(l.Quota.Name))
			}
			return findings
		},
	}
}

// concurrency compares a lane's concurrency with the time that pictures take.
// The median decides whether it is enough. The value that it advises is enough
// for slow pictures, too.
func concurrency(l LaneSettings, runs record.Runs) Finding {
	usual, slow := assumedSeconds, assumedSeconds
	source := fmt.Sprintf("at %.0f s a picture, which is assumed", usual)
	if runs.Pictures > 0 {
		usual, slow = runs.Median.Seconds(), runs.P95.Seconds()
		source = fmt.Sprintf("at %.3g s a picture (95 in 100 take up to %.3g s; the latest %d)", usual, slow, runs.Pictures)
	}
	source += fmt.Sprintf(", and %.0f s for the rest", restSeconds)
	enough := needed(l.Quota.RPM, usual)
	if l.Quota.Concurrency >= enough {
		return ok("%d at once is enough for %d a minute %s", l.Quota.Concurrency, l.Quota.RPM, source)
	}
	advice := needed(l.Quota.RPM, slow)
	fix := fmt.Sprintf("Set %s to %d; with terraform, the lane's concurrency, which is the queue's too.", l.concurrency(), advice)
	if l.Quota.Queue != "" {
		fix += fmt.Sprintf("\nElse also: gcloud tasks queues update %s --max-concurrent-dispatches=%d", l.queue(), advice)
	}
	return warning(fix,
		"%d at once make %d of %d pictures a minute %s; it takes %d", l.Quota.Concurrency, min(perMinute(l.Quota.Concurrency, usual+restSeconds), l.Quota.RPM), l.Quota.RPM, source, enough)
}

// needed returns how many requests at once it takes to make rpm requests a
// minute, if each picture takes that many seconds.
func needed(rpm int, seconds float64) int {
	const dust = 1e-9 // rounding errors of floating point: 60 × 25 ÷ 60 must be 25
	return max(1, int(math.Ceil(float64(rpm)*(seconds+restSeconds)/60-dust)))
}
