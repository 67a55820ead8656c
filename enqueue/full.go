package enqueue

import (
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// A FullError is record.ErrTooManyWaiting with the time after which there should be
// room.
type FullError struct {
	*record.TooManyWaitingError

	RetryAfter time.Duration // from leastWait to mostWait
}

// Unwrap returns the record's error.
func (e *FullError) Unwrap() error { return e.TooManyWaitingError }

// Bounds of the time after which a tenant may ask again. It is an estimate: others
// take turns too, and pictures may be canceled.
const (
	leastWait = time.Second
	mostWait  = time.Hour
)

// explain adds to an error of the record what the producer knows of it.
func (p *Producer) explain(d record.Draft, err error) error {
	if b, ok := errors.AsType[*record.BudgetError](err); ok {
		return p.beyond(d, b.Scope, d.PriceMicros*int64(d.Input.Count))
	}
	full, ok := errors.AsType[*record.TooManyWaitingError](err)
	if !ok {
		return err
	}
	return &FullError{full, p.untilRoom(d.DrawnBy(), full.Waiting+d.Input.Count-full.Most)}
}

// untilRoom returns how long the lanes of a model that are not paused take to
// draw so many pictures.
func (p *Producer) untilRoom(model string, pictures int) time.Duration {
	rpm := lane.Rates(p.lanes)[model]
	if rpm == 0 {
		return mostWait
	}
	return min(max(time.Duration(pictures)*time.Minute/time.Duration(rpm), leastWait), mostWait)
}
