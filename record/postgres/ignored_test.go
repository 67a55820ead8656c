package postgres_test

import (
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// Operators who ignore groups at once wait for each other, and do not deadlock: each
// removes what is past its time, which may be what another one is writing.
func TestErrorsAreIgnoredAtOnce(t *testing.T) {
	t.Parallel()
	rec := postgres.New(newPool(t, postgrestest.NewRecord(t)))
	past := time.Now().Add(-time.Hour)
	var g errgroup.Group
	for _, lane := range []string{"a", "b", "c"} {
		g.Go(func() error {
			for range 200 {
				i := record.Ignore{Name: record.ErrorName{Outcome: job.Outcome(job.CodeBlocked), Lane: lane}, Until: past}
				if err := rec.IgnoreError(t.Context(), i, record.Act{Who: "otto", Action: record.ActionIgnoreError}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
