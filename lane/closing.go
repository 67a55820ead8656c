package lane

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
)

const (
	// minuteClosing is for how long a lane closes when its requests a minute
	// are used up and the provider does not say for how long. Any window of a
	// minute is empty after that time.
	minuteClosing = time.Minute
	// dayClosing is for how long a lane closes when its quota of a day is used
	// up and the start of the next day is not known.
	dayClosing = time.Hour
	// spendClosing is for how long a spend cap closes a lane. The cap's window
	// is ten minutes.
	spendClosing = 10 * time.Minute
	// brokenClosing is how long a broken lane is left alone before one more
	// request finds out whether it has been mended.
	brokenClosing = 5 * time.Minute
)

// ClosedFor returns for how long a failure closes its lane; 0 if it does not.
func ClosedFor(f *job.Failure) time.Duration {
	switch f.Remedy {
	case job.RemedyStop:
		return brokenClosing
	case job.RemedyWait:
		return limitClosing(f)
	default:
		return 0
	}
}

func limitClosing(f *job.Failure) time.Duration {
	if f.Limit == job.LimitCapacity || f.Limit == job.LimitStorage {
		return 0 // the lane itself has quota left
	}
	if f.RetryAfter > 0 {
		return f.RetryAfter
	}
	switch f.Limit {
	case job.LimitDay:
		return dayClosing
	case job.LimitSpend:
		return spendClosing
	default:
		return minuteClosing
	}
}

// Closes returns the names of the lanes that a failure on one lane closes. The
// spend cap of a billing account closes all lanes of that account.
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
