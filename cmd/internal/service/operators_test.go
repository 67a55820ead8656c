package service_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/cmd/internal/service"
	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What is refused, operators are told with the setting that is in the way.
func TestRefusalsSayWhatIsInTheWay(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&enqueue.FullError{TooManyWaitingError: &record.TooManyWaitingError{Waiting: 9, Most: 10}}, "9 pictures waiting, of 10 that may"},
		{&enqueue.CostError{PriceMicros: 33_600, Count: 3, LimitMicros: 50_000}, "may cost $0.05 (max_cost_usd in TENANTS), and 3 pictures for $0.0336"},
		{&job.NoUploadError{ID: "inputs/x/0"}, "not stored any more"},
		{&enqueue.BudgetError{Scope: "tenant:web"}, "tenant:web\" has no room"},
		{enqueue.ErrNoLane, "LANES"},
		{enqueue.ErrNoPrice, "price of the job's model"},
		{enqueue.ErrNothingToRetry, "No picture of the job failed"},
		{enqueue.ErrOutOfBounds, "cannot be asked for"},
		{record.ErrIdempotencyMismatch, "Open it again"},
		{enqueue.ErrNotEnqueued, "Cloud Tasks cannot be reached"},
	} {
		refused, ok := errors.AsType[*dashboard.RefusedError](service.Refusal(fmt.Errorf("wrapped: %w", tt.err)))
		if !ok || !strings.Contains(refused.Text, tt.want) {
			t.Errorf("%v: %+v", tt.err, refused)
		}
	}
	if err := service.Refusal(enqueue.ErrNotEnded); !errors.Is(err, record.ErrNotEnded) {
		t.Errorf("a job that goes on: %v", err)
	}
	away := errors.New("connection refused")
	if err := service.Refusal(away); !errors.Is(err, away) || service.Refusal(nil) != nil {
		t.Errorf("another error: %v", err)
	}
}
