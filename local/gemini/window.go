package gemini

import (
	"fmt"
	"time"
)

// minute is the length of the limit's window. A request exactly that much older
// than another is outside the other's window.
const minute = 60 * time.Second

// A window holds the requests of the last 60 s of one key to one model.
type window struct {
	arrived  []time.Time // all of them
	admitted []time.Time // those that were not refused for being too many
}

// arrive counts a request at now. It returns how long the request would have to
// wait to be within rpm (0 if it is within), and how many came in the last 60
// s.
//
// A refused request does not count, or a client that retries would never get
// through. One that fails in any other way counts.
func (w *window) arrive(now time.Time, rpm int) (wait time.Duration, inWindow int) {
	w.arrived = append(since(w.arrived, now), now)
	w.admitted = since(w.admitted, now)
	if rpm > 0 && len(w.admitted) >= rpm {
		return w.admitted[len(w.admitted)-rpm].Add(minute).Sub(now), len(w.arrived)
	}
	w.admitted = append(w.admitted, now)
	return 0, len(w.arrived)
}

// since returns times without those that are older than the window that ends at
// now.
func since(times []time.Time, now time.Time) []time.Time {
	first := 0
	for first < len(times) && now.Sub(times[first]) >= minute {
		first++
	}
	return times[first:]
}

// tooMany returns the real service's answer to a request over the limit.
func tooMany(rpm int, model string, wait time.Duration) reply {
	delay := fmt.Sprintf("%.9gs", wait.Seconds())
	return quotaReply(delay, violation{
		Metric: "generativelanguage.googleapis.com/generate_requests_per_model",
		ID:     "GenerateRequestsPerMinutePerProjectPerModel",
		Model:  model,
		Value:  fmt.Sprint(rpm),
	})
}
