package postgres_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// Everything happens at once, to few tenants and lanes. A deadlock would be an
// error of one of the calls. Afterwards the counters must be right.
func TestEverythingAtOnceNeitherDeadlocksNorMiscounts(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t)+"&pool_max_conns=12")
	rec := postgres.New(pool)
	h := &hammer{T: t, rec: rec, begin: time.Now(), done: map[string]int{}}
	var group sync.WaitGroup
	for seed := range 12 {
		group.Go(func() { h.work(rand.New(rand.NewPCG(uint64(seed), 0))) })
	}
	group.Wait()
	t.Logf("done: %v", h.done)
	wantCounters(t, pool)
}

// A hammer is what its workers share.
type hammer struct {
	*testing.T

	rec   record.Record
	begin time.Time

	mu     sync.Mutex
	tasks  []job.Task
	claims []record.Claim
	done   map[string]int
}

func (h *hammer) work(random *rand.Rand) {
	for !h.over() && !h.Failed() {
		name, err := h.step(random)
		switch {
		case err == nil:
			h.note(name)
		case errors.Is(err, record.ErrHeld), errors.Is(err, record.ErrNothingDue), errors.Is(err, record.ErrClaimLost),
			errors.Is(err, record.ErrLanePaused), errors.Is(err, record.ErrOtherModel), errors.Is(err, record.ErrNotFound), errors.Is(err, errNone):
		default:
			h.Errorf("%s: %v", name, err)
		}
	}
}

// over reports whether two seconds have passed and everything was done.
func (h *hammer) over() bool {
	all := []string{
		"create", "claim", "succeed", "requeue", "postpone", "relabel", "park", "unpark", "cancel", "reap", "expire", "delete",
		"unsent", "unheard", "pause", "resume", "get",
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	took := time.Since(h.begin)
	missing := slices.DeleteFunc(all, func(name string) bool { return h.done[name] > 0 })
	if len(missing) > 0 && took > time.Minute {
		h.Errorf("in %v nothing of %q was done", took, missing)
	}
	return len(missing) == 0 && took > 2*time.Second
}

var errNone = errors.New("there was nothing to do it to")

// step makes one call at random.
func (h *hammer) step(random *rand.Rand) (name string, err error) {
	ctx := h.Context()
	anyLane := func() string { return []string{"lane-a", "lane-b", "lane-c"}[random.IntN(3)] }
	task, c := take(h, random, &h.tasks), take(h, random, &h.claims)
	defer func() { h.keep(nil, nil, task, c) }()
	switch n := random.IntN(20); {
	case n < 4:
		_, tasks, err := h.rec.Create(ctx, h.submission(random, anyLane))
		h.keep(tasks, nil, nil, nil)
		return "create", err
	case n < 10 && task != nil:
		lease := []time.Duration{0, time.Hour}[random.IntN(2)]
		claimed, err := h.rec.Claim(ctx, record.ClaimRequest{Model: models[random.IntN(len(models))], Task: *task, Lease: lease})
		if err == nil {
			h.keep(nil, []record.Claim{claimed}, nil, nil)
		}
		return "claim", err
	case n < 12 && c != nil:
		_, err := h.rec.Succeed(ctx, *c, record.Success{})
		return "succeed", err
	case n < 14 && c != nil:
		after := []time.Duration{0, time.Millisecond, time.Hour}[random.IntN(3)]
		_, next, err := h.rec.Requeue(ctx, *c, record.Requeue{Lane: anyLane(), After: after})
		if err == nil {
			h.keep([]job.Task{next}, nil, nil, nil)
		}
		return "requeue", err
	case n == 14 && task != nil:
		return h.place(random, *task, anyLane)
	case n == 15 && task != nil:
		_, err := h.rec.Cancel(ctx, task.JobID)
		return "cancel", err
	case n == 16:
		_, tasks, err := h.rec.Reap(ctx, 0, 10)
		h.keep(tasks, nil, nil, nil)
		return some("reap", len(tasks), err)
	case n == 17 && task != nil && random.IntN(2) == 0:
		return "expire", ignore(h.rec.ExpireJob(ctx, task.JobID, job.Error{Code: job.CodeDeadlineExceeded}))
	case n == 17:
		jobs, err := h.rec.Expire(ctx, job.Error{Code: job.CodeDeadlineExceeded}, 10)
		return some("expire", len(jobs), err)
	case n == 18 && task != nil:
		if err := h.rec.Enqueued(ctx, *task); err != nil {
			return "enqueued", err
		}
		return "get", ignore(h.rec.Get(ctx, task.JobID))
	case n == 19:
		return h.sweepOrPause(random, anyLane)
	}
	return "", errNone
}

// place moves an image that waits, perhaps to another model, parks it, or unparks
// others.
func (h *hammer) place(random *rand.Rand, task job.Task, anyLane func() string) (string, error) {
	from, to := models[random.IntN(2)], record.Place{Lane: anyLane(), Model: models[random.IntN(2)]}
	switch random.IntN(4) {
	case 0:
		return "park", h.rec.Park(h.Context(), task, from)
	case 1:
		next, err := h.rec.Unpark(h.Context(), from, []record.Place{to, to})
		h.keep(next, nil, nil, nil)
		return some("unpark", len(next), err)
	default:
		next, err := h.rec.Postpone(h.Context(), task, from, to)
		name := "postpone"
		if from != to.Model {
			name = "relabel"
		}
		if err == nil {
			h.keep([]job.Task{next}, nil, nil, nil)
		}
		return name, err
	}
}

func (h *hammer) sweepOrPause(random *rand.Rand, anyLane func() string) (string, error) {
	ctx := h.Context()
	switch random.IntN(5) {
	case 0:
		tasks, err := h.rec.Unsent(ctx, 0, 10)
		return some("unsent", len(tasks), err)
	case 1:
		tasks, err := h.rec.Unheard(ctx, 0, 10)
		return some("unheard", len(tasks), err)
	case 2:
		return "pause", h.rec.Pause(ctx, []string{anyLane(), anyLane()}, record.Pause{For: time.Millisecond})
	case 3:
		jobs, err := h.rec.Retired(ctx, 0, 1)
		if err == nil && len(jobs) > 0 {
			err = h.rec.Delete(ctx, jobs[0].ID)
		}
		return some("delete", len(jobs), err)
	default:
		err := h.rec.Resume(ctx, anyLane(), time.Now())
		if errors.Is(err, record.ErrLanePaused) {
			err = nil
		}
		return "resume", err
	}
}

var models = []string{model, "model-b"}

func (h *hammer) submission(random *rand.Rand, anyLane func() string) record.Draft {
	s := submission(1 + random.IntN(4))
	s.Input.Model = models[random.IntN(len(models))]
	s.Tenant = []string{"acme", "rival", "novice"}[random.IntN(3)]
	s.Weight = float64(1 + random.IntN(3))
	for i := range s.Lanes {
		s.Lanes[i] = anyLane()
	}
	if random.IntN(4) == 0 {
		s.Priority = job.PriorityLow
	}
	if random.IntN(4) == 0 {
		s.ExpiresIn = 50 * time.Millisecond
	}
	return s
}

// take removes one of the tasks or claims at random and returns it; nil if
// there is none.
func take[T any](h *hammer, random *rand.Rand, from *[]T) *T {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(*from) == 0 {
		return nil
	}
	i := random.IntN(len(*from))
	taken := (*from)[i]
	*from = slices.Delete(*from, i, i+1)
	return &taken
}

// keep adds tasks and claims. Those that were used come back, because a queue
// delivers twice and workers are slow. The oldest are forgotten.
func (h *hammer) keep(tasks []job.Task, claims []record.Claim, task *job.Task, c *record.Claim) {
	const most = 200
	h.mu.Lock()
	defer h.mu.Unlock()
	if task != nil {
		tasks = append(tasks, *task)
	}
	if c != nil {
		claims = append(claims, *c)
	}
	h.tasks, h.claims = append(h.tasks, tasks...), append(h.claims, claims...)
	h.tasks, h.claims = h.tasks[max(0, len(h.tasks)-most):], h.claims[max(0, len(h.claims)-most):]
}

func (h *hammer) note(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done[name]++
}

func some(name string, n int, err error) (string, error) {
	if err == nil && n == 0 {
		err = errNone
	}
	return name, err
}

func ignore[T any](_ T, err error) error { return err }

// wantCounters compares the counters with what they count.
func wantCounters(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for what, queries := range map[string][2]string{
		"images that wait, by lane": {
			`SELECT name, waiting FROM lanes WHERE waiting <> 0 ORDER BY 1`,
			`SELECT task_lane, count(*) FROM images WHERE status = 'queued' GROUP BY 1 ORDER BY 1`,
		},
		"images that wait, by tenant": {
			`SELECT model || priority || tenant, waiting FROM tenants WHERE waiting <> 0 ORDER BY 1`,
			`SELECT model || i.priority || tenant, count(*) FROM jobs JOIN images i ON job_id = id
			 WHERE i.status = 'queued' GROUP BY 1 ORDER BY 1`,
		},
		"images that wait, by job": {
			`SELECT id::text, queued FROM jobs WHERE queued <> 0 ORDER BY 1`,
			`SELECT job_id::text, count(*) FROM images WHERE status = 'queued' GROUP BY 1 ORDER BY 1`,
		},
		"images that are worked on": {
			`SELECT id::text, processing FROM jobs WHERE processing <> 0 ORDER BY 1`,
			`SELECT job_id::text, count(*) FROM images WHERE status = 'processing' GROUP BY 1 ORDER BY 1`,
		},
		"the claims that ended": {
			`SELECT job_id || '/' || idx, count(*) FROM attempts GROUP BY 1 ORDER BY 1`,
			`SELECT job_id || '/' || idx, claims - (status = 'processing')::int FROM images
			 WHERE claims > (status = 'processing')::int ORDER BY 1`,
		},
		"the jobs that ended": {
			`SELECT id::text, 0 FROM jobs WHERE completed_at IS NOT NULL ORDER BY 1`,
			`SELECT job_id::text, 0 FROM images GROUP BY 1 HAVING bool_and(completed_at IS NOT NULL) ORDER BY 1`,
		},
	} {
		if diff := cmp.Diff(counts(t, pool, queries[1]), counts(t, pool, queries[0])); diff != "" {
			t.Errorf("%s (-counted +counter):\n%s", what, diff)
		}
	}
}

type count struct {
	Name string
	N    int
}

func counts(t *testing.T, pool *pgxpool.Pool, query string) []count {
	t.Helper()
	rows, err := pool.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[count])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
