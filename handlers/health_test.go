package handlers_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// slowLanes takes a second for each reading, and counts them.
type slowLanes struct {
	read atomic.Int32
	err  error
}

func (l *slowLanes) LaneStates(ctx context.Context) ([]record.LaneState, error) {
	l.read.Add(1)
	select {
	case <-time.After(time.Second):
		return []record.LaneState{{Name: "a", Waiting: 1}}, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Anybody may ask how the lanes are doing. The record is asked once in 5 s,
// however many do, whether it answers or not, and whether the first one waits
// for the answer or not.
func TestLaneHealthAsksTheRecordSeldom(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"record answers": {nil, http.StatusOK},
		"record is away": {errors.New("away"), http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				states := &slowLanes{err: tt.err}
				h := &handlers.Lanes{Lanes: []lane.Lane{{Name: "a"}}, Record: states, Log: slog.New(slog.DiscardHandler)}
				ask := func(ctx context.Context) int {
					w := httptest.NewRecorder()
					h.Health(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/health/lanes", http.NoBody))
					return w.Code
				}
				for round := range int32(3) {
					first, hangUp := context.WithCancel(t.Context())
					go ask(first)
					synctest.Wait()
					hangUp()
					var callers sync.WaitGroup
					for range 100 {
						callers.Go(func() {
							if got := ask(t.Context()); got != tt.want {
								t.Errorf("answered %d, want %d", got, tt.want)
							}
						})
					}
					callers.Wait()
					if got := states.read.Load(); got != round+1 {
						t.Errorf("round %d: the record was asked %d times", round, got)
					}
					if ask(t.Context()); states.read.Load() != round+1 {
						t.Errorf("round %d: the record was asked again at once", round)
					}
					time.Sleep(5 * time.Second)
				}
			})
		})
	}
}
