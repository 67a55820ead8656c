package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// A database that never answers does not hold a caller whose context has no
// end.
func TestStatementsEnd(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t))
	ends := map[string]func(context.Context) error{
		"statement": func(ctx context.Context) error {
			_, err := pool.Exec(ctx, "SELECT pg_sleep(3600)")
			return err
		},
		"batch": func(ctx context.Context) error {
			var b pgx.Batch
			b.Queue("SELECT pg_sleep(3600)")
			return pool.SendBatch(ctx, &b).Close()
		},
	}
	errs := make(chan error, len(ends))
	for name, send := range ends {
		go func() {
			err := send(context.WithoutCancel(t.Context()))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			errs <- err
		}()
	}
	for range ends {
		select {
		case <-errs:
		case <-time.After(time.Minute):
			t.Fatal("still waiting after a minute")
		}
	}
}
