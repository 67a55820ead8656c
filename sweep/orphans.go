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
func (s *Sweeper) orphans() mend {
	after, listings, before := "", 0, s.clock().Add(-s.Retention)
	return func(ctx context.Context) (int, bool, error) {
		if s.Retention == 0 {
			return 0, false, nil
		}
		objects, next, err := s.Objects.List(ctx, after, before)
		if err != nil {
			return 0, false, err
		}
		after, listings = next, listings+1
		objects, err = s.unknown(ctx, objects)
		if err != nil {
			return 0, false, err
		}
		n, err := s.removeObjects(ctx, objects)
		return n, next != "" && listings < maxListings, err // past a page of which nothing can be removed, too
	}
}

func (s *Sweeper) clock() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// unknown returns those of the objects whose job is not in the record. Their jobs
// are older than any submission that may still be recorded.
func (s *Sweeper) unknown(ctx context.Context, objects []job.StoredObject) ([]job.StoredObject, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	var ids []string
	for _, o := range objects {
		ids = append(ids, o.JobID)
	}
	known, err := s.Record.Known(ctx, slices.Compact(ids)...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(objects, func(o job.StoredObject) bool {
		_, found := slices.BinarySearch(known, o.JobID)
		return found
	}), nil
}

// removeObjects removes objects, and returns how many. One that cannot be removed
// does not stop the others.
func (s *Sweeper) removeObjects(ctx context.Context, objects []job.StoredObject) (int, error) {
	return forEach(ctx, objects, func(ctx context.Context, o job.StoredObject) (bool, error) {
		return true, s.Objects.Remove(ctx, o.Key)
	})
}
