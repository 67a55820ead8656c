package redis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
	"github.com/ai-worker/ai-worker/status/postgres"
	"github.com/ai-worker/ai-worker/status/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/status/redis"
	"github.com/ai-worker/ai-worker/status/redis/redistest"
	"github.com/ai-worker/ai-worker/status/sqlite"
	"github.com/ai-worker/ai-worker/status/statustest"
)

// render is a job as this test's callers see it.
func render(j job.Job) ([]byte, error) {
	return json.Marshal(struct {
		ID       string          `json:"id"`
		Status   job.Status      `json:"status"`
		Version  int64           `json:"version"`
		Tenant   string          `json:"tenant"`
		Prompt   string          `json:"prompt"`
		Metadata json.RawMessage `json:"metadata"`
		Images   []job.Image     `json:"images"`
	}{j.ID, j.Status, j.Version, j.Tenant, j.Input.Prompt, j.Metadata, j.Images})
}

func newSQLite(t *testing.T) status.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// postgresPool is one database for all tests of the suite: emptying it takes a
// hundredth of the time of making another.
func postgresPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := postgrestest.New(t, os.DirFS("../postgres/migrations"), func(ctx context.Context, url string) error {
		_, err := postgres.Migrate(ctx, url)
		return err
	})
	pool, err := postgres.NewPool(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func decorate(t *testing.T, inner status.Store, url string) (*redis.Store, *goredis.Client) {
	t.Helper()
	client, err := redis.NewClient(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return redis.New(inner, client, render, slog.New(slog.DiscardHandler)), client
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	conform := func(t *testing.T, open func(*testing.T) status.Store) {
		t.Helper()
		statustest.Run(t, func(t *testing.T) status.Store {
			store, _ := decorate(t, open(t), server.URL())
			return store
		})
	}
	t.Run("sqlite", func(t *testing.T) { conform(t, newSQLite) })
	t.Run("postgres", func(t *testing.T) {
		pool := postgresPool(t)
		conform(t, func(t *testing.T) status.Store {
			if _, err := pool.Exec(t.Context(), "DELETE FROM jobs; DELETE FROM turns; DELETE FROM tenants; DELETE FROM lanes"); err != nil {
				t.Fatal(err)
			}
			return postgres.New(pool)
		})
	})
}

type bundle struct {
	*redis.Store
	inner  status.Store
	client *goredis.Client
	server *redistest.Server
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{inner: newSQLite(t), server: redistest.Start(t)}
	b.Store, b.client = decorate(t, b.inner, b.server.URL())
	return b
}

func (b *bundle) create(t *testing.T, count int) (job.Job, []job.Task) {
	t.Helper()
	j, tasks, err := b.Create(t.Context(), status.Submission{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "web", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: time.Hour,
		Lanes: slices.Repeat([]string{"a"}, count),
		Input: job.Input{Prompt: `say "version":99`, Model: "m", Count: count},
		// Deeper than Redis' own JSON decoder goes, and with a version of its own.
		Metadata: json.RawMessage(`{"version":99,"a":` + strings.Repeat("[", 1500) + strings.Repeat("]", 1500) + `}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return j, tasks
}

func (b *bundle) claim(t *testing.T, task job.Task) status.Claim {
	t.Helper()
	c, err := b.Claim(t.Context(), status.ClaimRequest{Model: "m", Task: task, Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stored is the version of the job's snapshot in Redis, 0 if there is none.
func (b *bundle) stored(t *testing.T, id string) int64 {
	t.Helper()
	doc, err := b.client.Get(t.Context(), redis.SnapshotKey(id)).Bytes()
	if errors.Is(err, goredis.Nil) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	snap, err := status.ParseSnapshot(doc)
	if err != nil {
		t.Fatal(err)
	}
	return snap.Version
}

func TestEveryTransitionLeavesASnapshotAndAnEvent(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 2)
	sub := b.client.Subscribe(t.Context(), redis.EventsChannel(j.ID))
	defer sub.Close()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(j job.Job, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		want, err := render(j)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.client.Get(t.Context(), redis.SnapshotKey(j.ID)).Bytes()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("snapshot %s, %v; want %s", got, err, want)
		}
		msg, err := sub.ReceiveMessage(t.Context())
		if err != nil || msg.Payload != string(want) {
			t.Errorf("event %v, %v; want %s", msg, err, want)
		}
		left, err := b.client.TTL(t.Context(), redis.SnapshotKey(j.ID)).Result()
		if err != nil || left < redis.TTL-time.Minute || left > redis.TTL {
			t.Errorf("the snapshot stays for %s, %v; want %s", left, err, redis.TTL)
		}
	}
	c := b.claim(t, tasks[0])
	check(c.Job, nil)
	j, next, err := b.Requeue(t.Context(), c, status.Requeue{Lane: "a", GiveBack: true})
	check(j, err)
	c = b.claim(t, next)
	check(c.Job, nil)
	check(b.Succeed(t.Context(), c, status.Success{Object: job.Object{Key: "k"}}))
	c = b.claim(t, tasks[1])
	check(c.Job, nil)
	check(b.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked, Message: "No."}))
}

// Budgets: one command for each change, none for a lease.
func TestOneCommandPerChange(t *testing.T) {
	b := setup(t)
	_, tasks := b.create(t, 1) // also loads the script
	var commands []string
	b.client.AddHook(counter{&commands})
	c := b.claim(t, tasks[0])
	if err := b.Renew(t.Context(), c, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Succeed(t.Context(), c, status.Success{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"evalsha", "evalsha"}, commands); diff != "" {
		t.Errorf("commands of an image (-want +got):\n%s", diff)
	}
}

type counter struct{ commands *[]string }

func (c counter) DialHook(next goredis.DialHook) goredis.DialHook { return next }
func (c counter) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (c counter) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		*c.commands = append(*c.commands, cmd.Name())
		return next(ctx, cmd)
	}
}

// Writers of one job's versions race; the newest stays, whoever is last.
func TestSnapshotsNeverGoBackwards(t *testing.T) {
	b := setup(t)
	j, _ := b.create(t, 1)
	var stale []*redis.Store
	for range 8 {
		s, _ := decorate(t, fixed{job: j}, b.server.URL())
		stale = append(stale, s)
	}
	var wg sync.WaitGroup
	for i, s := range stale {
		wg.Go(func() {
			for v := range int64(50) {
				newer := j
				newer.Version = (v*7+int64(i))%50 + 1
				s.Store = fixed{job: newer}
				if _, err := s.Fail(t.Context(), status.Claim{}, job.Error{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := b.stored(t, j.ID); got != 50 {
		t.Errorf("version %d is stored, want 50", got)
	}
}

// fixed is a record in which every transition leads to one job.
type fixed struct {
	status.Store
	job job.Job
}

func (f fixed) Fail(context.Context, status.Claim, job.Error) (job.Job, error) { return f.job, nil }

func TestWithoutRedisTheRecordAnswers(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	b.server.Stop()
	c := b.claim(t, tasks[0]) // version 2, which Redis misses
	snap, err := b.Snapshot(t.Context(), j.ID)
	if err != nil || snap.Version != 2 {
		t.Fatalf("version %d, %v; want 2 from the record", snap.Version, err)
	}
	if _, err := b.Snapshot(t.Context(), uuid.NewString()); !errors.Is(err, status.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}

	// Once Redis is back, the next change of any job brings what it missed.
	b.server.Restart()
	other, _ := b.create(t, 1)
	deadline := time.Now().Add(20 * time.Second)
	for b.stored(t, j.ID) != 2 || b.stored(t, other.ID) != 1 {
		if time.Now().After(deadline) {
			t.Fatalf("Redis has version %d of the job it missed", b.stored(t, j.ID))
		}
		if _, err := b.Snapshot(t.Context(), other.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Succeed(t.Context(), c, status.Success{}); err != nil {
		t.Fatal(err)
	}
	if got := b.stored(t, j.ID); got != 3 {
		t.Errorf("version %d is stored, want 3", got)
	}
}

// A change that Redis never hears of is not hidden for longer than MaxAge.
func TestOldSnapshotsAreNotBelieved(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	// Another instance's change, whose write to Redis was lost.
	c, err := b.inner.Claim(t.Context(), status.ClaimRequest{Model: "m", Task: tasks[0], Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if snap, err := b.Snapshot(t.Context(), j.ID); err != nil || snap.Version != 1 {
		t.Fatalf("version %d, %v; want the young snapshot's 1", snap.Version, err)
	}
	b.age(t, j.ID, redis.MaxAge+time.Second)
	if snap, err := b.Snapshot(t.Context(), j.ID); err != nil || snap.Version != 2 {
		t.Errorf("version %d, %v; want the record's 2", snap.Version, err)
	}
	if got := b.stored(t, j.ID); got != 2 {
		t.Errorf("version %d is stored, want it repaired to 2", got)
	}
	// What has ended is believed however old it is.
	if _, err := b.Succeed(t.Context(), c, status.Success{}); err != nil {
		t.Fatal(err)
	}
	b.age(t, j.ID, 2*time.Hour)
	store, _ := decorate(t, fixed{}, b.server.URL())
	if snap, err := store.Snapshot(t.Context(), j.ID); err != nil || snap.Version != 3 {
		t.Errorf("version %d, %v; want the finished job's snapshot", snap.Version, err)
	}
}

// age makes a snapshot as old as if it had been written some time ago.
func (b *bundle) age(t *testing.T, id string, by time.Duration) {
	t.Helper()
	if err := b.client.PExpire(t.Context(), redis.SnapshotKey(id), redis.TTL-by).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAwait(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if snap, err := b.Await(short, j.ID); err != nil || snap.Version != 1 {
		t.Errorf("at the end of the wait: version %d, %v; want 1", snap.Version, err)
	}
	ended := make(chan status.Snapshot, 1)
	go func() {
		snap, err := b.Await(t.Context(), j.ID)
		if err != nil {
			t.Error(err)
		}
		ended <- snap
	}()
	c := b.claim(t, tasks[0])
	if _, err := b.Succeed(t.Context(), c, status.Success{}); err != nil {
		t.Fatal(err)
	}
	if snap := <-ended; snap.Version != 3 || snap.Status != job.StatusSucceeded {
		t.Errorf("version %d, %s; want 3, succeeded", snap.Version, snap.Status)
	}
	if _, err := b.Await(t.Context(), uuid.NewString()); !errors.Is(err, status.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestBadURLsAreNotRepeated(t *testing.T) {
	_, err := redis.NewClient("redis://default:hunter2@host:6379/database")
	if err == nil || strings.Contains(fmt.Sprint(err), "hunter2") || !strings.Contains(err.Error(), "REDIS_URL") {
		t.Errorf("got %v", err)
	}
}

func TestOnCancelHearsOfEveryInstancesCancels(t *testing.T) {
	b := setup(t)
	j, _ := b.create(t, 1)
	other, _ := decorate(t, b.inner, b.server.URL())
	canceled := make(chan struct{}, 1)
	stop := b.OnCancel(t.Context(), j.ID, func() { canceled <- struct{}{} })
	defer stop()
	unrelated := b.OnCancel(t.Context(), uuid.NewString(), func() { t.Error("another job's watcher was called") })
	defer unrelated()
	// The subscription is made while the work is; what is canceled before it
	// stands is found when the lease is renewed.
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := other.Cancel(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		select {
		case <-canceled:
			return
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the watcher was never called")
		}
	}
}
