package record

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// An Ignorer keeps which groups of errors operators do not want to see for now. Board
// goes on counting them.
type Ignorer interface {
	// IgnoreError keeps that a group is ignored, in place of what was kept of it
	// before, and writes that to the audit in the same transaction.
	IgnoreError(ctx context.Context, e Ignore, a Act) error

	// NoticeError ends that a group is ignored, and writes that to the audit in the
	// same transaction. It fails with ErrNotIgnored if it is not ignored, or no
	// longer.
	NoticeError(ctx context.Context, name ErrorName, a Act) error

	// IgnoredErrors returns what is ignored, the latest first, MaxIgnored at most.
	IgnoredErrors(ctx context.Context) ([]IgnoredError, error)
}

// ErrNotIgnored means that a group of errors is not ignored.
var ErrNotIgnored = errors.New("record: the errors are not ignored")

// MaxIgnored is how many groups IgnoredErrors returns, at most.
const MaxIgnored = 1000

// Actions of an Ignorer that an Act names.
const (
	ActionIgnoreError = "ignore errors"
	ActionNoticeError = "stop ignoring errors"
)

// An ErrorName names an ErrorGroup.
type ErrorName struct {
	Outcome      job.Outcome
	Detail, Lane string
}

// Name returns the name of the group.
func (g ErrorGroup) Name() ErrorName { return ErrorName{g.Outcome, g.Detail, g.Lane} }

// Target returns the name for the audit, without the provider's words.
func (n ErrorName) Target() string {
	if n.Lane == "" {
		return string(n.Outcome)
	}
	return string(n.Outcome) + " on " + n.Lane
}

// An Ignore says which group is ignored, and for how long.
type Ignore struct {
	Name  ErrorName
	Until time.Time // until then; the zero time for no such end
	Above int       // until so many attempts or more fail so in ErrorHours hours; 0 for no such end
}

// Detail returns what the audit tells of it.
func (i Ignore) Detail() map[string]string {
	all := map[string]string{}
	if i.Name.Detail != "" {
		all["words"] = i.Name.Detail
	}
	if !i.Until.IsZero() {
		all["until"] = i.Until.UTC().Format(time.RFC3339)
	}
	if i.Above > 0 {
		all["above"] = strconv.Itoa(i.Above)
	}
	return all
}

// An IgnoredError is a group that is ignored, since when, by whom and why.
type IgnoredError struct {
	Ignore

	At          time.Time
	Who, Reason string
}

// Over reports whether more attempts failed so of late than the group is ignored
// for. Its date is for the record to know.
func (i IgnoredError) Over(g ErrorGroup) bool {
	lately := 0
	for _, n := range g.Hours {
		lately += n
	}
	return i.Above > 0 && lately >= i.Above
}
