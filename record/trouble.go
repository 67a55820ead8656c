package record

import (
	"regexp"

	"github.com/ai-worker/ai-worker/job"
)

// Failed reports whether an attempt that ended so counts as a failure: it neither
// succeeded, nor was canceled, nor was given back without a reason. The index
// attempts_failed of record/postgres has the same rule.
func Failed(o job.Outcome) bool {
	return o != job.OutcomeSucceeded && o != job.OutcomeCanceled && o != job.OutcomeGivenBack
}

// Add counts an attempt that was begun in the minute.
func (m *Minute) Add(o job.Outcome, n int) {
	switch {
	case o == job.OutcomeSucceeded:
		m.Drawn += n
	case o == job.Outcome(job.CodeQuotaExhausted):
		m.Limited += n
	case Failed(o):
		m.Failed += n
	default:
		m.Other += n
	}
}

// What differs between the words of failures that are alike: what is quoted, ids,
// and numbers. record/postgres/sql/errors.sql has the same patterns.
var (
	quoted = regexp.MustCompile(`"[^"]*"|` + "`[^`]*`")
	// In single quotes, after something that no apostrophe comes after.
	singleQuoted = regexp.MustCompile(`(^|[ (:=,])'[^']*'`)
	// An id has digits in two places at least, and letters between.
	ids     = regexp.MustCompile(`[A-Za-z0-9_-]*[0-9][A-Za-z_-]+[0-9][A-Za-z0-9_-]*`)
	numbers = regexp.MustCompile(`[0-9]+`)
)

// NormalDetail returns a provider's words without what differs between failures
// that are alike: quoted words become …, ids and numbers become #. It returns the
// first MaxErrorDetail characters.
func NormalDetail(detail string) string {
	detail = quoted.ReplaceAllString(detail, "…")
	detail = singleQuoted.ReplaceAllString(detail, "${1}…")
	detail = ids.ReplaceAllString(detail, "#")
	detail = numbers.ReplaceAllString(detail, "#")
	if all := []rune(detail); len(all) > MaxErrorDetail {
		detail = string(all[:MaxErrorDetail])
	}
	return detail
}
