package dashboard

import (
	"context"
	"time"
)

// Sweeps asks for a sweep, which moves what waits to where it can be drawn, and goes on
// with bulks.
type Sweeps interface {
	// AskForSweepSoon asks for a sweep within two minutes of now.
	AskForSweepSoon(ctx context.Context, now time.Time) error
	// AskForSweepAt asks for a sweep at a time.
	AskForSweepAt(ctx context.Context, at time.Time) error
}

// bulkSweepAfter is how long after a bulk was started the sweep comes that goes on with
// it.
const bulkSweepAfter = 2 * time.Second

// askForSweep asks for a sweep soon. If none can be asked for, deliveries and the next
// one do the same, later.
func (d *Dashboard) askForSweep(ctx context.Context) {
	d.ask(ctx, func(ctx context.Context) error { return d.options.Sweeps.AskForSweepSoon(ctx, time.Now()) })
}

// askForBulkSweep asks for a sweep within seconds. If none can be asked for, one comes
// that was asked for before, or the daily one.
func (d *Dashboard) askForBulkSweep(ctx context.Context) {
	at := time.Now().Truncate(time.Second).Add(bulkSweepAfter)
	d.ask(ctx, func(ctx context.Context) error { return d.options.Sweeps.AskForSweepAt(ctx, at) })
}

// ask asks for a sweep, in a bounded time, and logs it if that fails.
func (d *Dashboard) ask(ctx context.Context, sweep func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := sweep(ctx); err != nil {
		d.options.Log.WarnContext(ctx, "dashboard: no sweep could be asked for", "error", err)
	}
}
