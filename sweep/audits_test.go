package sweep_test

import (
	"fmt"
	"testing"

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
