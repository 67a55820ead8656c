package sweep

import (
	"context"
	"time"
)

const (
	// sumsAge is for how long the sums of an hour are kept: a year, and a month to
	// compare with that of the year before.
	sumsAge = 400 * 24 * time.Hour
	// sumsPage is how many are removed at once. They are small.
	sumsPage = 1000
	// attemptsPage is how many attempts are removed at once. A day has many of them.
	attemptsPage = 1000
)

// forgetSums removes the sums of hours of long ago.
func (s *Sweeper) forgetSums(ctx context.Context) (n int, more bool, err error) {
	n, err = s.Record.ForgetSpend(ctx, sumsAge, sumsPage)
	return n, n == sumsPage, err
}

// retireAudit removes entries of the audit that are past their time.
func (s *Sweeper) retireAudit(ctx context.Context) (n int, more bool, err error) {
	n, err = s.Record.RetireAudit(ctx, page)
	return n, n == page, err
}

// retireBulks removes bulks that ended long ago.
func (s *Sweeper) retireBulks(ctx context.Context) (n int, more bool, err error) {
	n, err = s.Record.RetireBulks(ctx, page)
	return n, n == page, err
}

// retireBudgets removes periods of budgets that are past their time.
func (s *Sweeper) retireBudgets(ctx context.Context) (n int, more bool, err error) {
	n, err = s.Record.RetireBudgets(ctx, page)
	return n, n == page, err
}

// retireAttempts removes attempts that ended long ago.
func (s *Sweeper) retireAttempts(ctx context.Context) (n int, more bool, err error) {
	n, err = s.Record.RetireAttempts(ctx, attemptsPage)
	return n, n == attemptsPage, err
}
