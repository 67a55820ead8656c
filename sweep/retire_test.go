package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/sweep"
)

// The audit is kept for 400 days. The daily sweep removes what is older, page by
// page, and no other sweep does.
func TestDailySweepRemovesWhatIsOldOfTheAudit(t *testing.T) {
	b := setup(t, sweepQueue)
	for n := range 150 {
		if n == 120 {
			b.advance(record.AuditKept)
		}
		err := b.record.PauseByHand(t.Context(), fmt.Sprint("lane-", n), record.Act{Who: "ada", Role: "admin", Action: record.ActionPauseLane, Reason: "why"})
		if err != nil {
			t.Fatal(err)
		}
	}
	b.advance(1)
	if diff := cmp.Diff(sweep.Swept{}, b.sweepOnce(t)); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	swept, _ := b.sweeper.SweepDaily(t.Context()) // fails, since there is no bucket to list
	if diff := cmp.Diff(sweep.Swept{Audits: 120}, swept); diff != "" {
		t.Errorf("swept daily (-want +got):\n%s", diff)
	}
}

// A bulk is kept for as long as the audit of its start. The daily sweep removes it then,
// also while the bucket does not answer.
func TestDailySweepRemovesOldBulks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, sweepQueue)
		b.sweeper.Objects = &silent{}
		bulk := b.bulk(t, record.BulkCancel)
		b.sweepOnce(t) // it meets no job, and ends
		b.ended(t)     // which is past retention by then
		b.advance(record.AuditKept)
		if swept, _ := b.sweeper.Sweep(t.Context()); swept.Bulks != 0 {
			t.Errorf("a sweep that is not daily: %+v", swept)
		}
		swept, err := b.sweeper.SweepDaily(t.Context())
		if swept.Bulks != 1 || swept.Audits != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("swept daily: %+v, %v", swept, err)
		}
		if _, err := b.record.Bulk(t.Context(), bulk.ID); !errors.Is(err, record.ErrNotFound) {
			t.Errorf("the bulk: %v", err)
		}
	})
}

// An attempt is kept for 400 days, also if jobs are kept for ever. The daily sweep removes
// it then, page by page, and leaves its job.
func TestDailySweepRemovesOldAttempts(t *testing.T) {
	b := setupBucket(t)
	b.sweeper.Retention = 0
	const backs = 1_000 // a page
	j := b.submit(t, 1)
	c := b.claim(t, j, 0)
	for range backs {
		_, next, err := b.record.Requeue(t.Context(), c, record.Requeue{Lane: "a", GiveBack: true})
		if err == nil {
			c, err = b.record.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: next, Lease: time.Minute})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.record.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked}); err != nil {
		t.Fatal(err)
	}
	b.advance(399 * 24 * time.Hour)
	if swept := b.daily(t); swept.Attempts != 0 {
		t.Errorf("after 399 days: %+v", swept)
	}
	b.advance(2 * 24 * time.Hour)
	if swept := b.sweepOnce(t); swept.Attempts != 0 {
		t.Errorf("a sweep that is not daily: %+v", swept)
	}
	if swept := b.daily(t); swept.Attempts != backs+1 {
		t.Errorf("after 401 days: %+v; want %d attempts", swept, backs+1)
	}
	left, err := b.record.Attempts(t.Context(), j.ID)
	if err != nil || len(left) != 0 || b.job(t, j.ID).Status != job.StatusFailed {
		t.Errorf("%d attempts are left, %v, and the job is %+v", len(left), err, b.job(t, j.ID))
	}
}
