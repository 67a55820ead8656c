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
// No reservation makes what is spent and reserved of a period exceed its limit and what
// an operator added to that, whatever runs at once. Create reserves the list price of
// each image. Succeed, Fail, and the end of an image that waits settle it: the
// reservation goes, and what the image was billed is spent. An image that ends while it
// is worked on otherwise keeps its reservation until NoteAttempt tells what its attempt
// was billed, or until Settle. A reservation belongs to the period in which it was made,
// and so does what settles it.
//
// An image for which there is no room is held: queued, without a task, not ready.
// Release ends that. Its deadline still ends it.
//
// With Budgets.Webhooks, whatever makes a period reach a level also records a webhook
// of that, in the same transaction; see WebhookKeeper.
type BudgetKeeper interface {
	// Budgets returns the periods that have not ended, by scope, and how many
	// images are held for want of room, up to MaxHeld. A scope that holds images and
	// has no such period is returned too, without one.
	Budgets(ctx context.Context) ([]BudgetState, error)

	// Held returns the images that are held by scopes other than the given ones,
	// limit at most: of each scope the first ones in the order of turns, and all in
	// that order.
	Held(ctx context.Context, except []job.BudgetScope, limit int) ([]HeldImage, error)

	// Release reserves the price of a held image and parks it. If there is no room,
	// it notes the budget without, and fails with a *BudgetError. It fails with
	// ErrNothingDue if the image is not held. It is no transition.
	Release(ctx context.Context, img HeldImage, b Budgets) error

	// RaiseBudget sets what is added to the limit of a period, from the next
	// reservation on, whoever makes it. It writes that to the audit, whose Target is
	// the scope. Nothing that is reserved is taken back: after less is added than
	// before, more may be used than is allowed, and nothing finds room until it is
	// not. RaiseBudget fails with ErrBudgetChanged, and does nothing, if the period
	// has ended or another amount than raise.WasMicros is added to its limit.
	RaiseBudget(ctx context.Context, raise BudgetRaise, a Act) error

	// RetireBudgets removes periods that ended BudgetsKept ago, and their webhooks, limit
	// periods at most, and returns how many. What images had reserved in them is not
	// settled any more.
	RetireBudgets(ctx context.Context, limit int) (int, error)

	// Settle settles images that ended at least age ago and have a reservation left:
	// nobody told what their last attempt was billed, or a version of before budgets
	// ended them. It settles limit at most and returns how many it did.
	Settle(ctx context.Context, age time.Duration, limit int) (int, error)
}

// A BudgetBook is all budgets that are set. The zero book has none.
type BudgetBook struct {
	Budgets job.Budgets
	Log     *slog.Logger // is told once of each level that a period reaches; alerts go by the message
	// Tell puts webhooks of budgets on their queue. It must be bounded in time, since
	// reservations wait for it. nil if nobody is told by webhook: then none is recorded.
	Tell func()
}

// Of returns the budgets of a tenant's pictures, with their periods at a time.
func (b BudgetBook) Of(tenant string, at time.Time) Budgets {
	return Budgets{Periods: b.Budgets.Of(tenant, at), Crossed: b.tell, Webhooks: b.Tell != nil}
}

func (b BudgetBook) tell(s BudgetState) {
	levels := map[int]slog.Level{50: slog.LevelInfo, 80: slog.LevelWarn, 100: slog.LevelError}
	b.Log.LogAttrs(context.Background(), levels[s.Level], "budget threshold",
		slog.Int("percent", s.Level), slog.String("budget", string(s.Scope)), slog.Time("until", s.To),
		slog.Float64("limit_usd", float64(s.LimitMicros)/1e6), slog.Float64("spent_usd", float64(s.SpentMicros)/1e6),
		slog.Float64("reserved_usd", float64(s.ReservedMicros)/1e6))
	if b.Tell != nil {
		b.Tell()
	}
}

// MaxHeld is how many held images of a scope Budgets counts, at most.
const MaxHeld = 10_000

// Budgets are what an image is to be reserved with.
type Budgets struct {
	Periods []job.BudgetPeriod // by scope; none if no budget is set
	// Crossed is called for each period that reached one more of job.BudgetLevels:
	// once for each period and level, whoever reserved. A period in which an image
	// found no room has reached all: what is left may be less than a picture. So has
	// one that refuses, once it has no room for one image. Where a limit is raised,
	// the levels that are above what is used then are told again. nil for nobody.
	Crossed func(BudgetState)
	// Webhooks tells to record a webhook of each level for which Crossed is called, of
	// what it is called with.
	Webhooks bool
}

// A BudgetState is a period of a budget.
type BudgetState struct {
	Scope                                    job.BudgetScope
	From, To                                 time.Time
	LimitMicros, ReservedMicros, SpentMicros int64
	RaisedMicros                             int64 // what an operator added to the limit; LiftMicros for no limit
	Held                                     int   // images that wait for room in it; not set by Crossed
	Level                                    int   // the highest of job.BudgetLevels that was reached
}

// Reached returns what a webhook tells of a period that has just reached its level.
func (s BudgetState) Reached() job.BudgetReached {
	return job.BudgetReached{
		Scope: s.Scope, From: s.From, To: s.To, LimitMicros: s.LimitMicros, RaisedMicros: s.RaisedMicros,
		SpentMicros: s.SpentMicros, ReservedMicros: s.ReservedMicros, Percent: s.Level,
	}
}

// AllowedMicros returns how much may be spent and reserved.
func (s BudgetState) AllowedMicros() int64 { return s.LimitMicros + s.RaisedMicros }

// UsedMicros returns how much is spent and reserved.
func (s BudgetState) UsedMicros() int64 { return s.SpentMicros + s.ReservedMicros }

// LiftMicros, added to a limit, stands for no limit: it is a billion US dollars, and the
// largest limit of the settings a million.
const LiftMicros = 1_000_000_000_000_000

// BudgetsKept is how long after its end a period is kept.
const BudgetsKept = 400 * 24 * time.Hour

// ActionRaiseBudget is the action of an Act that changes what is added to a limit.
const ActionRaiseBudget = "raise budget"

// ErrBudgetChanged means that a period of a budget has ended, or that somebody else
// changed what is added to its limit.
var ErrBudgetChanged = errors.New("record: the budget is not as it was")

// A BudgetRaise is what an operator adds to the limit of a period.
type BudgetRaise struct {
	Period    job.BudgetPeriod
	WasMicros int64 // what is added so far
	Micros    int64 // what is added from then on: 0 for the limit of the settings, LiftMicros for no limit
}

// Detail returns what the audit has of it, besides the Act.
func (r BudgetRaise) Detail() map[string]string {
	return map[string]string{"added": added(r.Micros), "before": added(r.WasMicros), "until": r.Period.To.UTC().Format(time.RFC3339)}
}

func added(micros int64) string {
	if micros >= LiftMicros {
		return "no limit"
	}
	return job.USD(micros)
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
