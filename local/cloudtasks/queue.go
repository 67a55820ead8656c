package cloudtasks

import (
	"math/bits"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
)

// A queue holds tasks and decides when one may go. The engine's lock guards it.
type queue struct {
	pb     *cloudtaskspb.Queue
	policy *iampb.Policy
	tasks  map[string]*task // every task that has not ended, by full name
	due    dueHeap          // those that wait
	bucket bucket

	inFlight int // attempts under way that count against the concurrency limit
	timer    Timer
	wake     time.Time // when timer fires

	lastSent time.Time   // the last dispatch
	lastCut  time.Time   // the last slow-down
	answers  errorWindow // since then
	stats    Stats
}

func newQueue(pb *cloudtaskspb.Queue, now time.Time) *queue {
	return &queue{
		pb:     pb,
		tasks:  make(map[string]*task),
		bucket: newBucket(pb.GetRateLimits().GetMaxDispatchesPerSecond(), now),
	}
}

func (q *queue) name() string { return q.pb.GetName() }

// full reports whether the concurrency limit is reached.
func (q *queue) full() bool {
	return q.inFlight >= int(q.pb.GetRateLimits().GetMaxConcurrentDispatches())
}

// configure puts a changed configuration into force.
func (q *queue) configure(pb *cloudtaskspb.Queue, now time.Time) {
	q.pb = pb
	q.bucket.setRate(pb.GetRateLimits().GetMaxDispatchesPerSecond(), now)
}

// startSlowly slows a queue that is new or has been idle.
func (q *queue) startSlowly(now time.Time) {
	if q.lastSent.IsZero() || now.Sub(q.lastSent) >= slowStartIdle {
		q.bucket.setEase(ease{from: slowStartFactor, at: now, double: slowStartDoubling}, now)
	}
}

// noteAnswer records how the worker answered what was sent at the time sent, and
// slows the queue down when it should.
func (q *queue) noteAnswer(ok, pushedBack bool, sent, now time.Time) {
	q.answers.add(ok)
	if pushedBack || q.answers.tooMany() {
		q.slowDown(sent, now)
	}
}

// slowDown cuts the effective rate. It ignores answers to what was sent before
// the last cut, because they say nothing about the rate after it.
func (q *queue) slowDown(sent, now time.Time) {
	if sent.Before(q.lastCut) {
		return
	}
	from := max(slowDownFloor, q.bucket.ease.factor(now)*slowDownFactor)
	q.bucket.setEase(ease{from: from, at: now, double: slowDownDoubling}, now)
	q.lastCut, q.answers = now, errorWindow{}
}

// An errorWindow remembers whether the last answers were errors.
type errorWindow struct {
	failed uint32 // a bit for each answer, the latest lowest
	seen   int
}

func (w *errorWindow) add(ok bool) {
	w.failed <<= 1
	if !ok {
		w.failed |= 1
	}
	w.failed &= 1<<errorWindowSize - 1
	w.seen = min(w.seen+1, errorWindowSize)
}

// tooMany reports whether the window is full and the rate of errors high.
func (w *errorWindow) tooMany() bool {
	return w.seen == errorWindowSize && bits.OnesCount32(w.failed) >= errorWindowMax
}
