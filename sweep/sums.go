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
)

// sums removes the sums of hours of long ago.
func (s *Sweeper) sums(ctx context.Context) (n int, more bool, err error) {
	n, err = s.Record.ForgetSpend(ctx, sumsAge, sumsPage)
	return n, n == sumsPage, err
}
