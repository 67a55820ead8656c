package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A BudgetKeeper keeps what has been reserved and spent of budgets, by their periods.
//
// What is spent and reserved of a period never exceeds its limit, whatever runs at
// once. Create reserves the list price of each image. Succeed, Fail, and the end of
// an image that waits settle it: the reservation goes, and what the image was billed
// is spent. An image that ends while it is worked on otherwise keeps its reservation
// until NoteAttempt tells what its attempt was billed, or until Settle. A reservation
// belongs to the period in which it was made, and so does what settles it.
//
// An image for which there is no room is held: queued, without a task, not ready.
// Release ends that. Its deadline still ends it.
type BudgetKeeper interface {
	// Budgets returns the periods that have not ended, by scope, and how many
	// images are held for want of room, up to MaxHeld. It also returns the scopes
	// of held images of which no such period is known, without a period.
	Budgets(ctx context.Context) ([]BudgetState, error)

	// Held returns the images that are held by scopes other than the given ones,
	// limit at most: of each scope the first ones in the order of turns, and all in
	// that order.
	Held(ctx context.Context, except []job.BudgetScope, limit int) ([]HeldImage, error)

	// Release reserves the price of a held image and parks it. If there is no room,
	// it notes the budget without, and fails with a *BudgetError. It fails with
	// ErrNothingDue if the image is not held. It is no transition.
	Release(ctx context.Context, img HeldImage, b Budgets) error

	// Settle settles images that ended at least age ago and have a reservation left:
	// nobody told what their last attempt was billed, or a version of before budgets
	// ended them. It settles limit at most and returns how many it did.
	Settle(ctx context.Context, age time.Duration, limit int) (int, error)
}

// A BudgetBook is all budgets that are set. The zero book has none.
type BudgetBook struct {
	Budgets job.Budgets
	Log     *slog.Logger // is told once of each level that a period reaches; alerts go by the message
}

// Of returns the budgets of a tenant's pictures, with their periods at a time.
func (b BudgetBook) Of(tenant string, at time.Time) Budgets {
	return Budgets{Periods: b.Budgets.Of(tenant, at), Crossed: b.tell}
}

func (b BudgetBook) tell(s BudgetState) {
	levels := map[int]slog.Level{50: slog.LevelInfo, 80: slog.LevelWarn, 100: slog.LevelError}
	b.Log.LogAttrs(context.Background(), levels[s.Level], "budget threshold",
		slog.Int("percent", s.Level), slog.String("budget", string(s.Scope)), slog.Time("until", s.To),
		slog.Float64("limit_usd", float64(s.LimitMicros)/1e6), slog.Float64("spent_usd", float64(s.SpentMicros)/1e6),
		slog.Float64("reserved_usd", float64(s.ReservedMicros)/1e6))
}

// MaxHeld is how many held images of a scope Budgets counts, at most.
const MaxHeld = 10_000

// Budgets are what an image is to be reserved with.
type Budgets struct {
	Periods []job.BudgetPeriod // by scope; none if no budget is set
	// Crossed is called after a reservation for each period that thereby reached
	// one more of job.BudgetLevels: once for each period and level, whoever
	// reserved. nil for nobody.
	Crossed func(BudgetState)
}

// A BudgetState is a period of a budget.
type BudgetState struct {
	Scope                                    job.BudgetScope
	From, To                                 time.Time
	LimitMicros, ReservedMicros, SpentMicros int64
	Held                                     int // images that wait for room in it; not set by Crossed
	Level                                    int // the highest of job.BudgetLevels that was reached
}

// A HeldImage is an image that waits for room in a budget.
type HeldImage struct {
	JobID  string
	Index  int
	Tenant string
	Scope  job.BudgetScope // of the budget
}

// ErrBudget means that a budget has no room. It comes as a *BudgetError.
var ErrBudget = errors.New("record: the budget has no room")

// A BudgetError is ErrBudget with the budget's scope.
type BudgetError struct{ Scope job.BudgetScope }

// Error returns which budget has no room.
func (e *BudgetError) Error() string { return fmt.Sprintf("%v: %s", ErrBudget, e.Scope) }

// Unwrap returns ErrBudget.
func (e *BudgetError) Unwrap() error { return ErrBudget }
