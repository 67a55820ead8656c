package dashboard

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ai-worker/ai-worker/record"
)

const (
	// readingLasts is how long a reading is shown, to all who look.
	readingLasts = 2 * time.Second
	// readTimeout bounds a reading.
	readTimeout = 5 * time.Second
)

// readings reads the overview for all pages that are looked at: once in
// readingLasts, however many tabs of however many people there are, and never for
// nobody.
type readings struct {
	record Record
	log    *slog.Logger
	flight singleflight.Group

	mu     sync.Mutex
	latest *reading
	round  int // rises with each change by hand: what was read before is not shown after
}

// A reading is what the record said, and when.
type reading struct {
	overview record.Overview
	err      error
	at       time.Time
}

// get returns a reading that lasts still, or makes one. A failure is a reading as
// well.
func (c *readings) get(ctx context.Context) (record.Overview, error) {
	latest, round := c.state()
	if latest != nil && time.Since(latest.at) < readingLasts {
		return latest.overview, latest.err
	}
	v, _, _ := c.flight.Do(strconv.Itoa(round), func() (any, error) {
		if latest, now := c.state(); now == round && latest != nil && time.Since(latest.at) < readingLasts {
			return latest, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // others wait for it too
		defer cancel()
		o, err := c.record.Overview(ctx)
		if err != nil {
			err = errAway(err)
		}
		return c.keep(&reading{overview: o, err: err, at: time.Now()}, round), nil
	})
	r := v.(*reading)
	return r.overview, r.err
}

func (c *readings) state() (*reading, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest, c.round
}

// keep keeps a reading for others, unless something changed since it began.
func (c *readings) keep(r *reading, round int) *reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.round == round {
		c.latest = r
	}
	return r
}

// forget makes the next reading a new one.
func (c *readings) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest = nil
	c.round++
}
