package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
	"github.com/ai-worker/ai-worker/status/sqlite"
	"github.com/ai-worker/ai-worker/status/statustest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	// To migrate takes longer than most tests do, so each gets a copy.
	path := filepath.Join(t.TempDir(), "status.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	statustest.Run(t, func(t *testing.T) status.Store {
		path := filepath.Join(t.TempDir(), "status.db")
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			t.Fatal(err)
		}
		return open(t, path)
	})
}

// A call that is cut short may cost its connection, which must not be the
// database.
func TestMemoryOutlivesACanceledCall(t *testing.T) {
	store := open(t, sqlite.Memory)
	s := submission()
	want, _, err := store.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			group.Go(cancel)
			_, _, _ = store.Create(ctx, submission()) // it may get through or not
		})
	}
	group.Wait()
	got, err := store.Get(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	want.Ahead = got.Ahead
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the job (-want +got):\n%s", d)
	}
}

func TestStateSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new directory", "a?b#c%20.db")
	first := open(t, path)
	s := submission()
	want, _, err := first.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, path).Get(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	want.Ahead = got.Ahead
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the job after reopening (-want +got):\n%s", d)
	}
}

// Two stores on one file stand for two processes.
func TestTwoStoresShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status.db")
	one, two := open(t, path), open(t, path)
	s := submission()
	_, tasks, err := one.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	r := status.ClaimRequest{Model: s.Input.Model, Task: tasks[0], Lease: time.Hour}
	c, err := two.Claim(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Claim(t.Context(), r); !errors.Is(err, status.ErrHeld) {
		t.Errorf("second claim: %v, want %v", err, status.ErrHeld)
	}
	if _, err := one.Succeed(t.Context(), c, status.Success{}); err != nil {
		t.Error(err)
	}
}

func TestLeaseEndsByTheClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC)
	store := open(t, sqlite.Memory, sqlite.WithClock(func() time.Time { return now }))
	s := submission()
	j, tasks, err := store.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if !j.CreatedAt.Equal(now) || !j.ExpiresAt.Equal(now.Add(s.ExpiresIn)) {
		t.Errorf("created at %v, expires at %v; it is %v", j.CreatedAt, j.ExpiresAt, now)
	}
	r := status.ClaimRequest{Model: s.Input.Model, Task: tasks[0], Lease: time.Minute}
	for _, step := range []struct {
		wait time.Duration
		want error
	}{{0, nil}, {time.Minute - time.Microsecond, status.ErrHeld}, {time.Microsecond, nil}} {
		now = now.Add(step.wait)
		if _, err := store.Claim(t.Context(), r); !errors.Is(err, step.want) {
			t.Errorf("claim at %v: %v, want %v", now, err, step.want)
		}
	}
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	if _, err := sqlite.Open(t.Context(), t.TempDir()); err == nil {
		t.Error("opened a directory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlite.Open(ctx, sqlite.Memory); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a context that is over: %v", err)
	}
}

func open(t *testing.T, path string, options ...sqlite.Option) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func submission() status.Submission {
	return status.Submission{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "acme", ExpiresIn: time.Hour,
		Priority: job.PriorityNormal, Weight: 1, Lanes: []string{"a"},
		Input: job.Input{Prompt: "a lighthouse", Model: "model-a", Count: 1},
	}
}
