package record

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Operators is what people do by hand, and what is kept of it. What an Act
// describes is done and written to the audit in one transaction: neither is there
// without the other.
type Operators interface {
	// Overview returns what an operator looks at first. The cost does not grow with
	// how much waits or how much has ended. It grows with how many tenants there
	// are, and with how many images are worked on.
	Overview(ctx context.Context) (Overview, error)

	// PauseByHand lets no claim use the lane until ResumeByHand. It changes
	// nothing of other pauses of the lane, and none of them changes or ends it.
	// It fails with ErrLanePaused if the lane is paused by hand already.
	PauseByHand(ctx context.Context, lane string, a Act) error

	// ResumeByHand ends a lane's pause by hand, and no other one. It fails with
	// ErrNotPaused if there is none.
	ResumeByHand(ctx context.Context, lane string, a Act) error

	// Audit returns a page of what was done by hand, the latest first.
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)

	// RetireAudit removes entries of the audit that are older than AuditKept,
	// limit at most, and returns how many. Nothing else removes or changes one.
	RetireAudit(ctx context.Context, limit int) (int, error)

	// BeginLogin notes a try to log in as one that failed. If MaxFailedLogins
	// tries of the same user, or from the same address, failed within
	// LoginWindow, it notes nothing and fails with a *TooManyLoginsError. That
	// holds however many calls there are at once.
	BeginLogin(ctx context.Context, t LoginTry) error

	// EndLogin notes that a try succeeded: it no longer counts as failed.
	EndLogin(ctx context.Context, t LoginTry, a Act) error

	// EndSession makes SessionEnded true of the session for so long. If it is true
	// already, EndSession changes nothing.
	EndSession(ctx context.Context, id string, lasts time.Duration, a Act) error

	// SessionEnded reports whether EndSession ended a session.
	SessionEnded(ctx context.Context, id string) (bool, error)

	JobOperators
}

// ErrNotPaused means that a lane is not paused by hand.
var ErrNotPaused = errors.New("record: the lane is not paused by hand")

// ErrTooManyLogins means that too many tries to log in have failed.
var ErrTooManyLogins = errors.New("record: too many tries to log in failed")

const (
	// AuditKept is for how long an entry of the audit is kept. In Postgres, a
	// trigger holds that as well.
	AuditKept = 400 * 24 * time.Hour

	// MaxFailedLogins is how many tries of one user, or from one address, may
	// fail within LoginWindow.
	MaxFailedLogins = 10
	// LoginWindow is for how long a failed try counts.
	LoginWindow = 15 * time.Minute
)

// Actions that an Act names.
const (
	ActionPauseLane  = "pause lane"
	ActionResumeLane = "resume lane"
	ActionLogIn      = "log in"
	ActionLogOut     = "log out"
)

// An Act says who does something by hand, and why.
type Act struct {
	Who    string // name of the operator
	Role   string // the operator's role at that time
	Action string // one of the constants above, or of those for jobs
	Reason string // in the operator's own words; empty with a login or logout
	// Bulk is the id of the bulk that cancels or retries a job; empty for none. Entries
	// of the audit have it in their Detail.
	Bulk string `json:"bulk,omitempty"`
}

// A HandPause is the pause of a lane by an operator. It is zero if there is none.
type HandPause struct {
	At     time.Time
	Who    string
	Reason string
}

// An AuditEntry is one thing that was done by hand.
type AuditEntry struct {
	ID     int64 // rises with time
	At     time.Time
	Act    Act
	Target string            // what it was done to, such as the name of a lane; may be empty
	Detail map[string]string // what else is worth knowing; nil for nothing
}

// An AuditQuery says which entries of the audit are asked for.
type AuditQuery struct {
	Who    string // by whom; empty for anybody
	Target string // what was done to this; empty for anything
	Before int64  // entries with a smaller id only; 0 for all
	Limit  int    // at most so many; at least 1
}

// An AuditPage is a part of the audit.
type AuditPage struct {
	Entries []AuditEntry
	Next    int64 // Before of the next page; 0 if this is the last one
}

// NewAuditPage returns the page of a query, of which one entry more than its limit
// was looked for.
func NewAuditPage(q AuditQuery, found []AuditEntry) AuditPage {
	if len(found) <= q.Limit {
		return AuditPage{Entries: found}
	}
	found = found[:q.Limit]
	return AuditPage{Entries: found, Next: found[len(found)-1].ID}
}

// A LoginTry is one try to log in.
type LoginTry struct {
	ID string // a UUID
	// User and Address name whose tries are counted together. They need not be
	// what was typed: people type passwords in the wrong place.
	User, Address string
}

// A TooManyLoginsError is ErrTooManyLogins with the time after which the next try
// is let through.
type TooManyLoginsError struct{ RetryAfter time.Duration }

// Error returns when to try again.
func (e *TooManyLoginsError) Error() string {
	return fmt.Sprintf("%v: try again in %s", ErrTooManyLogins, e.RetryAfter.Round(time.Second))
}

// Unwrap returns ErrTooManyLogins.
func (e *TooManyLoginsError) Unwrap() error { return ErrTooManyLogins }
