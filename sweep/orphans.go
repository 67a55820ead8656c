package sweep

import (
	"context"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// maxListings bounds the pages of the bucket that one sweep lists. Each has a
// thousand objects at most, and costs one operation of class A.
const maxListings = 100

// orphans returns the step that removes what is stored past retention and is no
// job's: the inputs of a submission that died before its row, and pictures that
// came after their job was removed. The next call goes on with the next page.
//
// Without a retention nothing is removed: jobs are kept, and so is the bucket as
// it is.
func (s *Sweeper) orphans(daily bool) func(context.Context) (n int, more bool, err error) {
	after, listings, before := "", 0, s.clock().Add(-s.Retention)
	return func(ctx context.Context) (int, bool, error) {
		if !daily || s.Retention == 0 {
			return 0, false, nil
		}
		objects, next, err := s.Objects.List(ctx, after, before)
		if err != nil {
			return 0, false, err
		}
		after, listings = next, listings+1
		n, err := s.removeUnknown(ctx, objects)
		return n, next != "" && listings < maxListings, err
	}
}

func (s *Sweeper) clock() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// removeUnknown removes those of the objects whose job is not in the record, and
// returns how many. Their jobs are older than any submission that may still be
// recorded.
func (s *Sweeper) removeUnknown(ctx context.Context, objects []job.StoredObject) (int, error) {
	if len(objects) == 0 {
		return 0, nil
	}
	var ids []string
	for _, o := range objects {
		ids = append(ids, o.JobID)
	}
	known, err := s.Record.Known(ctx, slices.Compact(ids)...)
	if err != nil {
		return 0, err
	}
	objects = slices.DeleteFunc(objects, func(o job.StoredObject) bool {
		_, found := slices.BinarySearch(known, o.JobID)
		return found
	})
	return forEach(ctx, objects, func(ctx context.Context, o job.StoredObject) (bool, error) {
		return true, s.Objects.Remove(ctx, o.Key)
	})
}
