package enqueue

import (
	"context"
	"time"
)

// AskForSweep asks for the next sweep by a clock of the test's.
func (p *Producer) AskForSweep(ctx context.Context, now time.Time) error { return p.next.ask(ctx, now) }
