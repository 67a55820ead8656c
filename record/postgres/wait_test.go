package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// A task comes twice while its image's lease is being renewed. The image must
// get the task of the image that the second delivery takes. Otherwise nothing
// would bring it back if its worker died.
func TestClaimWaitsForTheHolderOfItsTask(t *testing.T) {
	t.Parallel()
	url := postgrestest.NewRecord(t)
	rec, hold := postgres.New(newPool(t, url)), holdUp{t, newPool(t, url)}
	tasks := create(t, rec, 2)
	claim(t, rec, tasks[0])

	release := hold.lockImage(tasks[0])
	claimed := start(func() { claim(t, rec, tasks[0]) })
	hold.waitUntil(1, claimed)
	release()
	<-claimed

	_, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: tasks[1], Lease: time.Hour})
	if !errors.Is(err, record.ErrHeld) {
		t.Errorf("the other task gets %v, want %v", err, record.ErrHeld)
	}
}

// A producer notes that a task exists while a claim gives it to another image.
func TestEnqueuedFollowsATaskThatIsJustExchanged(t *testing.T) {
	t.Parallel()
	url := postgrestest.NewRecord(t)
	rec, hold := postgres.New(newPool(t, url)), holdUp{t, newPool(t, url)}
	s := submission(2)
	s.IdempotencyKey = "key"
	_, tasks, err := rec.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}

	release := hold.lockImage(tasks[1])
	claimed := start(func() { claim(t, rec, tasks[1]) }) // takes image 0, and waits for image 1
	hold.waitUntil(1, claimed)
	noted := start(func() {
		if err := rec.Enqueued(t.Context(), tasks[0]); err != nil {
			t.Error(err)
		}
	})
	hold.waitUntil(2, noted)
	release()
	<-claimed
	<-noted

	if _, pending, err := rec.Create(t.Context(), s); err != nil || len(pending) != 0 {
		t.Errorf("tasks %v are not noted as enqueued, error %v", pending, err)
	}
}

// Two jobs of one tenant are recorded at the same time, for two models. There is
// room for one.
func TestCreateWaitsForTheTenantsOtherJob(t *testing.T) {
	t.Parallel()
	url := postgrestest.NewRecord(t)
	rec, hold := postgres.New(newPool(t, url)), holdUp{t, newPool(t, url)}
	create(t, rec, 1)
	first, second := submission(1), submission(1)
	first.MaxWaiting, second.MaxWaiting = 2, 2
	second.Input.Model, second.Lanes = "model-b", []string{"another lane"}

	release := hold.lock(`SELECT FROM lanes WHERE name = $1 FOR UPDATE`, lane)
	created := start(func() {
		if _, _, err := rec.Create(t.Context(), first); err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	hold.waitUntil(1, created) // it has counted what waits
	refused := start(func() {
		if _, _, err := rec.Create(t.Context(), second); !errors.Is(err, record.ErrTooManyWaiting) {
			t.Errorf("the second: error %v, want %v", err, record.ErrTooManyWaiting)
		}
	})
	hold.waitUntil(2, refused)
	release()
	<-created
	<-refused
}

func claim(t *testing.T, rec record.Record, task job.Task) {
	t.Helper()
	if _, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour}); err != nil {
		t.Errorf("Claim: %v", err)
	}
}

// start runs f and closes the channel when it is done.
func start(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// A holdUp makes others wait. Its pool is not the record's, because the record
// may use all of its connections.
type holdUp struct {
	t    *testing.T
	pool *pgxpool.Pool
}

// lockImage locks an image until release is called.
func (h holdUp) lockImage(t job.Task) (release func()) {
	h.t.Helper()
	return h.lock(`SELECT FROM images WHERE job_id = $1 AND idx = $2 FOR UPDATE`, t.JobID, t.Index)
}

// lock locks what a query does until release is called.
func (h holdUp) lock(query string, args ...any) (release func()) {
	h.t.Helper()
	tx, err := h.pool.Begin(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := tx.Exec(h.t.Context(), query, args...); err != nil {
		h.t.Fatal(err)
	}
	return func() {
		h.t.Helper()
		if err := tx.Commit(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// waitUntil returns when as many connections of this database wait for a lock, or
// when done is closed.
func (h holdUp) waitUntil(waiting int, done <-chan struct{}) {
	h.t.Helper()
	const query = `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND a.datname = current_database()`
	for n := 0; n < waiting; {
		select {
		case <-done:
			return
		default:
		}
		if err := h.pool.QueryRow(h.t.Context(), query).Scan(&n); err != nil {
			h.t.Fatal(err)
		}
	}
}
