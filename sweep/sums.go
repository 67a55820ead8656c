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

// sums returns the step that removes the sums of hours of long ago. A daily sweep
// does it, since there is no more to remove before.
func (s *Sweeper) sums(daily bool) func(context.Context) (n int, more bool, err error) {
	return func(ctx context.Context) (int, bool, error) {
		if !daily {
			return 0, false, nil
		}
		n, err := s.Record.ForgetSpend(ctx, sumsAge, sumsPage)
		return n, n == sumsPage, err
	}
}
