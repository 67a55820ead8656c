package lane

import (
	"time"
	_ "time/tzdata" // the image that is shipped has no time zones

	"github.com/ai-worker/ai-worker/job"
)

const (
	// minuteClosing is for how long a lane closes whose requests a minute are
	// used up, where the provider does not say: what any window of a minute
	// needs to empty.
	minuteClosing = time.Minute
	// spendClosing is that of a spend cap, whose window is ten minutes.
	spendClosing = 10 * time.Minute
	// brokenClosing is how long a broken lane is left alone before one more
	// request finds out whether it has been mended.
	brokenClosing = 5 * time.Minute
)

// ClosedFor is for how long a failure closes its lane; 0 if it does not.
func ClosedFor(f *job.Failure, now time.Time) time.Duration {
	switch f.Remedy {
	case job.RemedyStop:
		return brokenClosing
	case job.RemedyWait:
		return limitClosing(f, now)
	default:
		return 0
	}
}

func limitClosing(f *job.Failure, now time.Time) time.Duration {
	if f.Limit == job.LimitCapacity || f.Limit == job.LimitStorage {
		return 0 // it is not the lane that is short of anything
	}
	if f.RetryAfter > 0 {
		return f.RetryAfter
	}
	switch f.Limit {
	case job.LimitDay:
		return nextMidnightPacific(now).Sub(now)
	case job.LimitSpend:
		return spendClosing
	default:
		return minuteClosing
	}
}

// nextMidnightPacific is when quotas of a day start anew, see
// https://ai.google.dev/gemini-api/docs/rate-limits.
func nextMidnightPacific(now time.Time) time.Time {
	pacific, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		panic(err) // it is embedded
	}
	y, m, d := now.In(pacific).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, pacific)
}

// Closes are the lanes that a failure on one lane closes: the spend cap of a
// billing account closes all of that account's.
func Closes(f *job.Failure, on Lane, lanes []Lane) []string {
	names := []string{on.Name}
	if f.Remedy != job.RemedyWait || f.Limit != job.LimitSpend || on.Account == "" {
		return names
	}
	for _, l := range lanes {
		if l.Account == on.Account && l.Name != on.Name {
			names = append(names, l.Name)
		}
	}
	return names
}
