package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

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
