package cloudtasks

import (
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
)

// An Outcome is what came of one delivery.
type Outcome string

// The outcomes of a delivery.
const (
	Succeeded Outcome = "succeeded" // answered 2xx: the task is gone
	Retrying  Outcome = "retrying"  // failed, and will come again at Dispatch.Next
	GaveUp    Outcome = "gave_up"   // failed for the last time: the task is gone, there is no dead-letter queue
	Ignored   Outcome = "ignored"   // the task had ended, or another attempt of it is under way; a duplicate
	Aborted   Outcome = "aborted"   // cut off by Close: the task is still in the queue
)

// A Dispatch is one delivery that is over.
type Dispatch struct {
	Queue     string // full name
	Task      string // full name
	URL       string
	Attempt   int       // 1 is the first
	Scheduled time.Time // the schedule time it was sent for
	At        time.Time // when it was sent
	Latency   time.Duration
	Status    int   // HTTP status; 504 also at the dispatch deadline, 0 without an answer
	Err       error // why there was no answer
	Forced    bool  // by RunTask
	Duplicate bool  // a second delivery of the same attempt
	Outcome   Outcome
	Next      time.Time // of a task that is Retrying
}

// Stats are what a queue has done since this process started, and its state now.
type Stats struct {
	Queue  string // full name
	Paused bool

	Tasks    int // not ended
	InFlight int // attempts under way, RunTask's and duplicates left out

	Dispatched int // deliveries, of any kind
	Succeeded  int
	Failed     int // attempts
	GaveUp     int // tasks

	Rate          float64   // dispatches a second that are configured
	EffectiveRate float64   // what slow-downs and slow starts leave of it now
	Tokens        float64   // dispatches that could leave at once
	NextDue       time.Time // schedule time of the first waiting task; zero when none waits
}

// Stats returns what the queue with the given full name has done and its state,
// or false when there is no such queue.
func (e *Emulator) Stats(queue string) (Stats, bool) {
	e.engine.mu.Lock()
	defer e.engine.mu.Unlock()
	q, ok := e.engine.queues[queue]
	if !ok {
		return Stats{}, false
	}
	return q.snapshot(e.engine.clock.Now()), true
}

// Queues lists the full names of all queues, in order.
func (e *Emulator) Queues() []string {
	e.engine.mu.Lock()
	defer e.engine.mu.Unlock()
	return sortedKeys(e.engine.queues)
}

func (q *queue) snapshot(now time.Time) Stats {
	q.bucket.refill(now)
	s := q.stats
	s.Queue, s.Paused = q.name(), q.pb.GetState() == cloudtaskspb.Queue_PAUSED
	s.Tasks, s.InFlight = len(q.tasks), q.inFlight
	s.Rate, s.Tokens = q.bucket.rate, q.bucket.tokens
	s.EffectiveRate = q.bucket.rate * q.bucket.ease.factor(now)
	if t := q.due.first(); t != nil {
		s.NextDue = t.due
	}
	return s
}
