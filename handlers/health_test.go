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

	"github.com/google/go-cmp/cmp"

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

func (l *slowLanes) Models(context.Context) ([]record.ModelState, error) { return nil, l.err }

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

// laneStates is a record of lanes and models that a test sets.
type laneStates struct {
	lanes  []record.LaneState
	models []record.ModelState
}

func (s laneStates) LaneStates(context.Context) ([]record.LaneState, error) { return s.lanes, nil }
func (s laneStates) Models(context.Context) ([]record.ModelState, error)    { return s.models, nil }

// A lane that is paused in the settings says so, and not that it may open by itself.
// What waits for a model that no lane serves is listed.
func TestLaneHealthShowsWhatTheSettingsLeaveOut(t *testing.T) {
	h := &handlers.Lanes{
		Lanes: []lane.Lane{{Name: "a", Model: "m", AlsoServes: []string{"old"}}, {Name: "b", Model: "n", Paused: true}},
		Record: laneStates{
			lanes:  []record.LaneState{{Name: "b", Waiting: 2}},
			models: []record.ModelState{{Model: "m", Waiting: 1}, {Model: "n", Waiting: 3}, {Model: "old", Waiting: 4}, {Model: "retired", Waiting: 5}},
		},
		Log: slog.New(slog.DiscardHandler),
	}
	w := httptest.NewRecorder()
	h.Health(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health/lanes", http.NoBody))
	const want = `{"lanes":[` +
		`{"name":"a","model":"m","status":"up","rpm":0,"concurrency":0,"waiting":0,"reason":null,"since":null,"until":null},` +
		`{"name":"b","model":"n","status":"paused","rpm":0,"concurrency":0,"waiting":2,` +
		`"reason":{"code":"paused_in_settings","message":"The lane is paused in the settings (paused in LANES), until it is taken out there."},` +
		`"since":null,"until":null}],` +
		`"unserved":[{"model":"n","waiting":3},{"model":"retired","waiting":5}]}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
}

// Anybody may ask, so that an operator's name and reason are not told.
func TestLaneHealthShowsPausesByHand(t *testing.T) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	h := &handlers.Lanes{
		Lanes: []lane.Lane{{Name: "a", Model: "m"}},
		Record: laneStates{
			lanes:  []record.LaneState{{Name: "a", ByHand: record.HandPause{At: at, Who: "alice", Reason: "it leaks"}}},
			models: []record.ModelState{{Model: "m", Waiting: 1}},
		},
		Log: slog.New(slog.DiscardHandler),
	}
	w := httptest.NewRecorder()
	h.Health(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health/lanes", http.NoBody))
	const want = `{"lanes":[{"name":"a","model":"m","status":"paused","rpm":0,"concurrency":0,"waiting":0,` +
		`"reason":{"code":"paused_by_hand","message":"An operator has paused the lane, until one resumes it."},` +
		`"since":"2026-11-26T12:00:00Z","until":null}],"unserved":[{"model":"m","waiting":1}]}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
}
