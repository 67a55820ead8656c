package sweep

import (
	"context"
	"time"
)

// uploadAge is how old an upload is when it is removed. Jobs that took it have
// copies of their own.
const uploadAge = 25 * time.Hour

// uploads returns the step that removes uploads that cannot be used any more.
func (s *Sweeper) uploads() mend {
	before := s.clock().Add(-uploadAge)
	return func(ctx context.Context) (int, bool, error) {
		n, more, err := s.Objects.RemoveUploads(ctx, before)
		return n, more && n > 0, err // the next call would begin with the same page
	}
}
