package snapshot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/record/recordtest"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/redis/redistest"
	"github.com/ai-worker/ai-worker/snapshot"
)

// renderer returns a renderer with a clock of its own.
func renderer() snapshot.Renderer {
	return snapshot.Renderer{
		Lanes: []snapshot.Lane{{Name: "a", Models: []string{"m"}, RPM: 60}}, Now: func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) },
		BaseURL:  "https://api.example.com",
		ImageURL: func(key string) (string, error) { return "https://pictures.example.com/" + key, nil },
	}
}

// postgresPool returns a pool on one database for all tests of the suite. To
// empty it takes a hundredth of the time of making another.
func postgresPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := postgrestest.NewRecord(t)
	pool, err := postgres.NewPool(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// client returns a process' client of the server.
func client(t testing.TB, url string) *redis.Client {
	t.Helper()
	c, err := redis.NewClient(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// publish returns a record that publishes inner, as another process would.
func publish(t testing.TB, inner record.Record, url string) *snapshot.Record {
	t.Helper()
	return snapshot.NewRecord(inner, client(t, url), renderer(), slog.New(slog.DiscardHandler))
}

func TestRecord(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	conform := func(t *testing.T, open func(*testing.T) record.Record) {
		t.Helper()
		recordtest.Run(t, func(t *testing.T) record.Record { return publish(t, open(t), server.URL()) })
	}
	t.Run("memory", func(t *testing.T) { conform(t, func(*testing.T) record.Record { return memory.New() }) })
	t.Run("postgres", func(t *testing.T) {
		pool := postgresPool(t)
		conform(t, func(t *testing.T) record.Record {
			postgrestest.Empty(t, pool)
			return postgres.New(pool)
		})
	})
}

type bundle struct {
	*snapshot.Record
	inner  record.Record
	client *goredis.Client // of the test itself
	server *redistest.Server
}

func setup(t testing.TB) *bundle {
	t.Helper()
	b := &bundle{inner: memory.New(), server: redistest.Start(t)}
	b.Record = publish(t, b.inner, b.server.URL())
	opts, err := goredis.ParseURL(b.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	b.client = goredis.NewClient(opts)
	t.Cleanup(func() { _ = b.client.Close() })
	return b
}

// draft returns a job of a number of pictures.
func draft(count int) record.Draft {
	return record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "web", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: time.Hour,
		Lanes: slices.Repeat([]string{"a"}, count),
		Input: job.Input{Prompt: `say "version":99`, Model: "m", Count: count},
		// Deeper than Redis' own JSON decoder goes, and with a version of its own.
		Metadata: json.RawMessage(`{"version":99,"a":` + strings.Repeat("[", 1500) + strings.Repeat("]", 1500) + `}`),
	}
}

func (b *bundle) create(t testing.TB, count int) (job.Job, []job.Task) {
	t.Helper()
	return b.createFor(t, count, time.Hour)
}

// createFor records a job that expires after a time.
func (b *bundle) createFor(t testing.TB, count int, expiresIn time.Duration) (job.Job, []job.Task) {
	t.Helper()
	d := draft(count)
	d.ExpiresIn = expiresIn
	j, tasks, err := b.Create(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return j, tasks
}

func claimOf(task job.Task) record.ClaimRequest {
	return record.ClaimRequest{Model: "m", Task: task, Lease: time.Hour}
}

func (b *bundle) claim(t testing.TB, task job.Task) record.Claim {
	t.Helper()
	c, err := b.Claim(t.Context(), claimOf(task))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stored returns the version of the job's snapshot in Redis, 0 if there is
// none.
func (b *bundle) stored(t *testing.T, id string) int64 {
	t.Helper()
	doc, err := b.client.Get(t.Context(), snapshot.Key(id)).Bytes()
	if errors.Is(err, goredis.Nil) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	snap, err := snapshot.Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	return snap.Version
}

func TestEveryTransitionLeavesASnapshotAndAnEvent(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 2)
	sub := b.client.Subscribe(t.Context(), snapshot.EventsChannel(j.ID))
	defer sub.Close()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(j job.Job, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		want, err := renderer().Render(j)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.client.Get(t.Context(), snapshot.Key(j.ID)).Bytes()
		if err != nil || !bytes.Equal(got, want.JSON) {
			t.Errorf("snapshot %s, %v; want %s", got, err, want.JSON)
		}
		msg, err := sub.ReceiveMessage(t.Context())
		if err != nil || msg.Payload != string(want.JSON) {
			t.Errorf("event %v, %v; want %s", msg, err, want.JSON)
		}
		left, err := b.client.TTL(t.Context(), snapshot.Key(j.ID)).Result()
		if err != nil || left < snapshot.TTL-time.Minute || left > snapshot.TTL {
			t.Errorf("the snapshot stays for %s, %v; want %s", left, err, snapshot.TTL)
		}
	}
	c := b.claim(t, tasks[0])
	check(c.Job, nil)
	j, next, err := b.Requeue(t.Context(), c, record.Requeue{Lane: "a", GiveBack: true})
	check(j, err)
	c = b.claim(t, next)
	check(c.Job, nil)
	check(b.Succeed(t.Context(), c, record.Success{Object: job.Object{Key: "k"}}))
	c = b.claim(t, tasks[1])
	check(c.Job, nil)
	check(b.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked, Message: "No."}))
	overdue, _ := b.createFor(t, 1, 0)
	sub = b.client.Subscribe(t.Context(), snapshot.EventsChannel(overdue.ID))
	defer sub.Close()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	j = overdue
	check(b.ExpireJob(t.Context(), j.ID, job.DeadlineExceeded()))
}

// The budget is one command for each change, and none for a renewed lease.
func TestOneCommandPerChange(t *testing.T) {
	b := setup(t)
	_, tasks := b.create(t, 1) // also loads the script
	before := b.calls(t)
	c := b.claim(t, tasks[0])
	if err := b.Renew(t.Context(), c, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Succeed(t.Context(), c, record.Success{}); err != nil {
		t.Fatal(err)
	}
	got := b.calls(t)
	for name, n := range before {
		if got[name] -= n; got[name] == 0 {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(map[string]int{"evalsha": 2}, got); diff != "" {
		t.Errorf("commands of an image (-want +got):\n%s", diff)
	}
}

// calls returns how often the server got each command, without those that
// scripts run and those of calls itself.
func (b *bundle) calls(t *testing.T) map[string]int {
	t.Helper()
	info, err := b.client.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	calls := make(map[string]int)
	for _, m := range regexp.MustCompile(`cmdstat_(\w+):calls=(\d+)`).FindAllStringSubmatch(info, -1) {
		switch m[1] {
		case "info", "get", "set", "publish", "pttl", "hello", "client":
		default:
			calls[m[1]], _ = strconv.Atoi(m[2])
		}
	}
	return calls
}

// Several writers write versions of one job at once. The newest version stays,
// whichever comes last.
func TestSnapshotsNeverGoBackwards(t *testing.T) {
	b := setup(t)
	j, _ := b.create(t, 1)
	var wg sync.WaitGroup
	for i := range int64(8) {
		inner := &fixed{job: j}
		published := publish(t, inner, b.server.URL())
		wg.Go(func() {
			for v := range int64(50) {
				inner.job.Version = (v*7+i)%50 + 1
				if _, err := published.Fail(t.Context(), record.Claim{}, job.Error{}); err != nil {
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
	record.Record
	job job.Job
}

func (f *fixed) Fail(context.Context, record.Claim, job.Error) (job.Job, error) { return f.job, nil }

func TestWithoutRedisTheRecordAnswers(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	b.server.Stop()
	c := b.claim(t, tasks[0]) // version 2, which Redis misses
	snap, err := b.Snapshot(t.Context(), j.ID)
	if err != nil || snap.Version != 2 {
		t.Fatalf("version %d, %v; want 2 from the record", snap.Version, err)
	}
	if _, err := b.Snapshot(t.Context(), uuid.NewString()); !errors.Is(err, record.ErrNotFound) {
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
	if _, err := b.Succeed(t.Context(), c, record.Success{}); err != nil {
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
	// Another instance changed the job, and its write to Redis was lost.
	c, err := b.inner.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: tasks[0], Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if snap, err := b.Snapshot(t.Context(), j.ID); err != nil || snap.Version != 1 {
		t.Fatalf("version %d, %v; want the young snapshot's 1", snap.Version, err)
	}
	b.age(t, j.ID, snapshot.MaxAge+time.Second)
	if snap, err := b.Snapshot(t.Context(), j.ID); err != nil || snap.Version != 2 {
		t.Errorf("version %d, %v; want the record's 2", snap.Version, err)
	}
	if got := b.stored(t, j.ID); got != 2 {
		t.Errorf("version %d is stored, want it repaired to 2", got)
	}
	// The snapshot of a job that has ended is believed however old it is.
	if _, err := b.Succeed(t.Context(), c, record.Success{}); err != nil {
		t.Fatal(err)
	}
	b.age(t, j.ID, 2*time.Hour)
	stale := publish(t, &fixed{}, b.server.URL())
	if snap, err := stale.Snapshot(t.Context(), j.ID); err != nil || snap.Version != 3 {
		t.Errorf("version %d, %v; want the finished job's snapshot", snap.Version, err)
	}
}

// age makes a snapshot older by a time.
func (b *bundle) age(t *testing.T, id string, by time.Duration) {
	t.Helper()
	if err := b.client.PExpire(t.Context(), snapshot.Key(id), snapshot.TTL-by).Err(); err != nil {
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
	ended := make(chan snapshot.Snapshot, 1)
	go func() {
		snap, err := b.Await(t.Context(), j.ID)
		if err != nil {
			t.Error(err)
		}
		ended <- snap
	}()
	c := b.claim(t, tasks[0])
	if _, err := b.Succeed(t.Context(), c, record.Success{}); err != nil {
		t.Fatal(err)
	}
	if snap := <-ended; snap.Version != 3 || snap.Status != job.StatusSucceeded {
		t.Errorf("version %d, %s; want 3, succeeded", snap.Version, snap.Status)
	}
	if _, err := b.Await(t.Context(), uuid.NewString()); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestOnCancelHearsOfEveryInstancesCancels(t *testing.T) {
	b := setup(t)
	j, _ := b.create(t, 1)
	other := publish(t, b.inner, b.server.URL())
	canceled := make(chan struct{}, 1)
	stop := b.OnCancel(t.Context(), j.ID, func() { canceled <- struct{}{} })
	defer stop()
	unrelated := b.OnCancel(t.Context(), uuid.NewString(), func() { t.Error("another job's watcher was called") })
	defer unrelated()
	// The subscription is made while the work goes on. A cancellation that
	// comes before it stands is found when the lease is renewed.
	for deadline := time.Now().Add(time.Minute); ; {
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

// A job that was removed is not shown any more, not even where somebody looks
// into Redis.
func TestDeleteRemovesTheSnapshot(t *testing.T) {
	b := setup(t)
	j, _ := b.create(t, 1)
	if _, err := b.Cancel(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := b.client.Exists(t.Context(), snapshot.Key(j.ID)).Result(); n != 0 || err != nil {
		t.Errorf("%d keys are left, %v", n, err)
	}
	if _, err := b.Snapshot(t.Context(), j.ID); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	open, _ := b.create(t, 1) // which is not removed
	if err := b.Delete(t.Context(), open.ID); err != nil {
		t.Fatal(err)
	}
	if snap, err := b.Snapshot(t.Context(), open.ID); err != nil || snap.Status != job.StatusQueued {
		t.Errorf("the job that goes on is %s, %v", snap.Status, err)
	}
}

// A removing record removes each job once it has read it.
type removing struct {
	record.Record
	by record.Record
}

func (r *removing) Get(ctx context.Context, id string) (job.Job, error) {
	j, err := r.Record.Get(ctx, id)
	return j, errors.Join(err, r.by.Delete(ctx, id))
}

// Whoever read a job before its removal does not bring it back.
func TestARemovedJobStaysRemoved(t *testing.T) {
	b := setup(t)
	j, _ := b.create(t, 1)
	if _, err := b.Cancel(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	b.client.Del(t.Context(), snapshot.Key(j.ID), snapshot.VersionKey(j.ID))
	if snap, err := publish(t, &removing{b.inner, b.Record}, b.server.URL()).Snapshot(t.Context(), j.ID); err != nil || snap.ID != j.ID {
		t.Fatalf("the read before: %v", err)
	}
	if snap, err := b.Snapshot(t.Context(), j.ID); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("after its removal the job is %s, error %v", snap.JSON, err)
	}
	if left, err := b.client.PTTL(t.Context(), snapshot.VersionKey(j.ID)).Result(); left <= 0 || left > snapshot.TTL || err != nil {
		t.Errorf("what keeps it removed stays for %s, %v", left, err)
	}
}
