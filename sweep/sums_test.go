package sweep_test

import (
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What attempts cost is known for 400 days, also when their jobs are gone.
func TestDailySweepRemovesOldSums(t *testing.T) {
	b := setupBucket(t)
	c := b.claim(t, b.submit(t, 1), 0)
	if _, err := b.record.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked}); err != nil {
		t.Fatal(err)
	}
	sums := func() int {
		all, err := b.record.Spend(t.Context(), record.SpendQuery{To: time.Now().Add(time.Hour), Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	b.advance(399 * 24 * time.Hour)
	if swept := b.daily(t); swept.Sums != 0 || swept.Removed != 1 || sums() != 1 {
		t.Errorf("after 399 days: %+v, and %d sums are left", swept, sums())
	}
	b.advance(2 * 24 * time.Hour)
	if swept := b.sweepOnce(t); swept.Sums != 0 {
		t.Errorf("a sweep that is not daily: %+v", swept)
	}
	if swept := b.daily(t); swept.Sums != 1 || sums() != 0 {
		t.Errorf("after 401 days: %+v, and %d sums are left", swept, sums())
	}
}
