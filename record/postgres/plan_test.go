package postgres_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// How many blocks a statement may touch. To read a whole backlog takes
// thousands of blocks.
const (
	claimBlocks   = 150 // a few index pages for each of its rows
	aheadBlocks   = 50
	placeBlocks   = 100 // for each image that is moved
	modelsBlocks  = 50
	nothingBlocks = 10 // the way down one index

	backlogBlocks  = 500    // the images of activeJobs jobs
	outcomesBlocks = 10_000 // those of record.MaxOutcomes jobs, an index's way down for each
)

func TestClaimCostsTheSameWithAnyBacklog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		analyze bool // statistics are fresh; otherwise they tell of an empty table
		waiting int
		history bool // there are many more that no slot may take
	}{
		{"1k", true, 1_000, false},
		{"100k", true, 100_000, false},
		{"10 in 100k of each other state", true, 10, true},
		{"10k all of a sudden", false, 10_000, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
			stopAutovacuum(t, pool)
			execSQL(t, pool, "ANALYZE jobs, images")
			if test.history {
				seedHistory(t, pool)
			}
			seed(t, pool, backlog{count: test.waiting, tenants: 3})
			if test.analyze {
				execSQL(t, pool, "ANALYZE jobs, images")
			}
			if _, err := postgres.New(pool).Claim(t.Context(), request(test.waiting-1)); err != nil {
				t.Fatal(err)
			}

			plan := explain(t, pool, tr.find(t, "claim"))
			turn := plan.index("images_turn")
			if turn == nil || turn.Rows != 1 || turn.Removed != 0 {
				t.Errorf("the scan of images_turn is %+v, want one that stops at the first image", turn)
			}
			if plan.index("images_task") == nil {
				t.Error("the holder of a task is not looked up in images_task")
			}
			plan.wantBlocks(t, "a claim", claimBlocks)
		})
	}
}

func TestAheadCostsTheSameWithAnyBacklog(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	seed(t, pool, backlog{count: 100_000, tenants: 10})
	execSQL(t, pool, "ANALYZE jobs, images, tenants")
	rec := postgres.New(pool)
	get := func() job.Job {
		tr.reset()
		j, err := rec.Get(t.Context(), backlogTask(77_777).JobID)
		if err != nil {
			t.Fatal(err)
		}
		if tr.roundTrips != 1 || len(tr.statements) != 3 {
			t.Errorf("Get takes %d statements in %d round trips, want 3 in one", len(tr.statements), tr.roundTrips)
		}
		explain(t, pool, tr.find(t, "ahead")).wantBlocks(t, "Ahead", aheadBlocks)
		explain(t, pool, tr.find(t, "paused_lanes")).wantBlocks(t, "the paused lanes", nothingBlocks)
		return j
	}
	j := get()
	if want := 77_777; j.Ahead == nil || *j.Ahead != want {
		t.Errorf("Ahead is %v, want %d", j.Ahead, want)
	}
	execSQL(t, pool, "UPDATE images SET start_tag = -1 WHERE job_id = '"+j.ID+"'") // it is its turn
	c, err := rec.Claim(t.Context(), request(77_777))
	if err != nil || c.Job.ID != j.ID {
		t.Fatalf("claimed %s, %v", c.Job.ID, err)
	}
	if _, _, err := rec.Requeue(t.Context(), c, record.Requeue{Lane: lane, After: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if j = get(); j.Ahead == nil || *j.Ahead != 0 || j.Images[0].NotBefore.IsZero() {
		t.Errorf("after an attempt, Ahead is %v and the image waits until %v; want 0, and a time", j.Ahead, j.Images[0].NotBefore)
	}
}

// The sweep looks up a page of the bucket's listing at once.
func TestKnownCostsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	seed(t, pool, backlog{count: 100_000, tenants: 3})
	var ids []string
	for i := range 1_000 {
		ids = append(ids, backlogTask(99_500+i).JobID) // half of them are there
	}
	known, err := postgres.New(pool).Known(t.Context(), ids...)
	if err != nil || len(known) != 500 {
		t.Errorf("%d jobs are known, %v; want 500", len(known), err)
	}
	const downAnIndex = 5 // for each id
	explain(t, pool, tr.find(t, "known")).wantBlocks(t, "Known", len(ids)*downAnIndex)
}

func TestOutlookCostsTheSameWithAnyBacklog(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	seed(t, pool, backlog{count: 100_000, tenants: 10})
	execSQL(t, pool, "ANALYZE jobs, images, tenants")
	d := submission(4)
	d.Tenant = "tenant-7"
	tr.reset()
	out, err := postgres.New(pool).Outlook(t.Context(), d)
	if err != nil || out.Ahead == nil || *out.Ahead != 100_000 {
		t.Errorf("the outlook is %+v, %v, want all ahead", out, err)
	}
	if tr.roundTrips != 1 || len(tr.statements) != 2 {
		t.Errorf("it takes %d statements in %d round trips, want 2 in one", len(tr.statements), tr.roundTrips)
	}
	explain(t, pool, tr.find(t, "outlook")).wantBlocks(t, "an outlook", 2*aheadBlocks) // of two images
}

func TestRoomCostsTheSameWithAnyBacklog(t *testing.T) {
	t.Parallel()
	for _, analyze := range []bool{true, false} { // without, statistics tell of an empty table
		pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
		stopAutovacuum(t, pool)
		execSQL(t, pool, "ANALYZE tenants")
		seed(t, pool, backlog{count: 100_000, tenants: 10_000})
		if analyze {
			execSQL(t, pool, "ANALYZE tenants")
		}
		rec := postgres.New(pool)
		d := submission(6)
		d.Tenant, d.MaxWaiting = "tenant-7", 16
		if _, _, err := rec.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		d.ID = uuid.NewString()
		tr.reset()
		if _, _, err := rec.Create(t.Context(), d); !errors.Is(err, record.ErrTooManyWaiting) {
			t.Errorf("a job past the bound: %v", err)
		}
		explain(t, pool, tr.find(t, "create")).wantBlocks(t, "Create", nothingBlocks)
		if _, err := rec.Recorded(t.Context(), d); !errors.Is(err, record.ErrTooManyWaiting) {
			t.Errorf("Recorded past the bound: %v", err)
		}
		explain(t, pool, tr.find(t, "waiting")).wantBlocks(t, "Recorded", nothingBlocks)
	}
}

// What moves images to other lanes and models reads those images, and not the
// others that wait. Statistics may tell of an empty table.
func TestPlacesCostTheSameWithAnyBacklog(t *testing.T) {
	t.Parallel()
	for _, analyze := range []bool{true, false} {
		t.Run(fmt.Sprintf("analyzed %t", analyze), func(t *testing.T) {
			t.Parallel()
			pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
			stopAutovacuum(t, pool)
			execSQL(t, pool, "ANALYZE jobs, images, tenants")
			seed(t, pool, backlog{count: 100_000, tenants: 10})
			execSQL(t, pool, `
UPDATE images SET task_lane = '', task_dispatch = 0, ready = false, enqueued = true, due_at = expires_at
WHERE start_tag >= 5000 AND status = 'queued'`) // parks half of them
			execSQL(t, pool, "VACUUM images")
			if analyze {
				execSQL(t, pool, "ANALYZE jobs, images, tenants")
			}
			rec := postgres.New(pool)
			const limit = 100

			states, err := rec.Models(t.Context())
			if diff := cmp.Diff([]record.ModelState{{Model: model, Waiting: 100_000, Parked: true}}, states); diff != "" || err != nil {
				t.Errorf("Models: %v (-want +got):\n%s", err, diff)
			}
			tasks, err := rec.TasksOn(t.Context(), lane, model, limit)
			if err != nil || len(tasks) != limit {
				t.Fatalf("TasksOn found %d, %v", len(tasks), err)
			}
			to := record.Place{Lane: "b", Model: "model-b"}
			if _, err := rec.Postpone(t.Context(), tasks[0], model, to); err != nil {
				t.Fatal(err)
			}
			if err := rec.Park(t.Context(), tasks[1], model); err != nil {
				t.Fatal(err)
			}
			next, err := rec.Unpark(t.Context(), model, slices.Repeat([]record.Place{to}, limit))
			if err != nil || len(next) != limit {
				t.Fatalf("Unpark moved %d, %v", len(next), err)
			}
			for name, most := range map[string]int{
				"models": modelsBlocks, "tasks_on": 2 * limit, "postpone": placeBlocks, "park": placeBlocks,
				"unpark": placeBlocks * limit,
			} {
				explain(t, pool, tr.find(t, name)).wantBlocks(t, name, most)
			}
		})
	}
}

func TestFindingNothingCostsTheSameWithAnyBacklog(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	seed(t, pool, backlog{count: 100_000, tenants: 3})
	seedHistory(t, pool)
	seedWebhooks(t, pool)
	execSQL(t, pool, "ANALYZE jobs, images, webhooks")
	rec := postgres.New(pool)
	const age, limit = time.Hour, 100
	for name, call := range map[string]func() (int, error){
		"Unsent": func() (int, error) {
			tasks, err := rec.Unsent(t.Context(), age, limit)
			return len(tasks), err
		},
		"Unheard": func() (int, error) {
			tasks, err := rec.Unheard(t.Context(), age, limit)
			return len(tasks), err
		},
		"Reap": func() (int, error) {
			jobs, _, err := rec.Reap(t.Context(), age, limit)
			return len(jobs), err
		},
		"Expire": func() (int, error) {
			jobs, err := rec.Expire(t.Context(), job.Error{}, limit)
			return len(jobs), err
		},
		"Retired": func() (int, error) {
			jobs, err := rec.Retired(t.Context(), age, limit)
			return len(jobs), err
		},
		"UnsentWebhooks": func() (int, error) {
			due, err := rec.UnsentWebhooks(t.Context(), age, limit)
			return len(due), err
		},
		"PendingWebhooks": func() (int, error) {
			due, err := rec.PendingWebhooks(t.Context(), backlogTask(0).JobID)
			return len(due), err
		},
	} {
		tr.reset()
		n, err := call()
		want := map[string]int{"UnsentWebhooks": 2}[name] // those of jobs, and those of budgets
		if err != nil || n != 0 || len(tr.statements) != max(want, 1) || tr.roundTrips != 1 {
			t.Errorf("%s found %d in %d statements and %d round trips, error %v; want nothing in %d and one",
				name, n, len(tr.statements), tr.roundTrips, err, max(want, 1))
			continue
		}
		for _, s := range slices.Clone(tr.statements) {
			explain(t, pool, tr.find(t, nameOf(s.SQL))).wantBlocks(t, name, nothingBlocks)
		}
	}
}

// The record is asked with every sweep how the work is going, however much work
// there was and is.
func TestReportCostsTheSameWithAnyHistory(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		analyze bool // statistics are fresh; otherwise they tell of an empty table
		ended   int
	}{
		{"1k", true, 1_000},
		{"100k", true, 100_000},
		{"100k all of a sudden", false, 100_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
			stopAutovacuum(t, pool)
			execSQL(t, pool, "ANALYZE jobs, images")
			seed(t, pool, backlog{first: 1_000_000, count: test.ended, tenants: 3, state: "succeeded"})
			seed(t, pool, backlog{first: 2_000_000, count: 200, tenants: 3, state: "processing"})
			seed(t, pool, backlog{count: 10_000, tenants: 3})
			seed(t, pool, backlog{first: 3_000_000, count: 10_000, tenants: 3, state: "later"})
			if test.analyze {
				execSQL(t, pool, "ANALYZE jobs, images")
			}
			rec := postgres.New(pool)

			got, err := rec.Backlog(t.Context(), time.Hour)
			want := record.Backlog{Waiting: 20_000, Processing: 200, Waits: got.Waits, Idle: got.Idle}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("Backlog: error %v (-want +got):\n%s", err, diff)
			}
			explain(t, pool, tr.find(t, "backlog")).wantBlocks(t, "Backlog", backlogBlocks)

			out, err := rec.Outcomes(t.Context(), time.Hour)
			wantOut := record.Outcomes{
				Succeeded: record.MaxOutcomes,
				Runs: map[string]record.Runs{model: {
					Pictures: record.MaxRuns, Median: 20 * time.Second, P95: 20 * time.Second,
				}},
			}
			if diff := cmp.Diff(wantOut, out); diff != "" || err != nil {
				t.Errorf("Outcomes: error %v (-want +got):\n%s", err, diff)
			}
			explain(t, pool, tr.find(t, "outcomes")).wantBlocks(t, "Outcomes", outcomesBlocks)
		})
	}
}

// Every statement is planned once a connection, for all arguments, perhaps on
// the first day when the tables are empty. The plan must be good for years.
func TestEveryStatementGoesByIndexes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		images  bool // 100,000 of each state
		analyze bool // statistics are fresh; otherwise they tell of empty tables
	}{
		{"empty", false, true},
		{"never analyzed", true, false},
		{"100k of each state", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, postgrestest.NewRecord(t))
			stopAutovacuum(t, pool)
			execSQL(t, pool, "ANALYZE")
			if test.images {
				seed(t, pool, backlog{count: 100_000, tenants: 1_000})
				seedHistory(t, pool)
			}
			if test.analyze {
				execSQL(t, pool, "ANALYZE")
			}
			for _, name := range postgres.StatementNames() {
				_, _, args := postgres.StatementSQL(name)
				plan := explainWith(t, pool, "", &pgx.QueuedQuery{SQL: name, Arguments: make([]any, args)})
				for _, scan := range plan.tableScans() {
					t.Errorf("%s reads the table %s from end to end", name, scan)
				}
			}
		})
	}
}

// A plan is a node of EXPLAIN's tree.
type plan struct {
	Type    string  `json:"Node Type"`
	Index   string  `json:"Index Name"`
	Table   string  `json:"Relation Name"`
	Rows    float64 `json:"Actual Rows"`
	Removed float64 `json:"Rows Removed by Filter"`
	Hit     int     `json:"Shared Hit Blocks"`
	Read    int     `json:"Shared Read Blocks"`
	Plans   []plan
}

// tableScans returns the large tables that are read without an index.
func (p *plan) tableScans() []string {
	var tables []string
	if p.Type == "Seq Scan" && (p.Table == "jobs" || p.Table == "images" || p.Table == "tenants" || p.Table == "webhooks" ||
		p.Table == "attempts" || p.Table == "hourly" ||
		p.Table == "audit" || p.Table == "login_tries" || p.Table == "ended_sessions") {
		tables = append(tables, p.Table)
	}
	for i := range p.Plans {
		tables = append(tables, p.Plans[i].tableScans()...)
	}
	return tables
}

// index returns the node that scans an index.
func (p *plan) index(name string) *plan {
	if p.Index == name {
		return p
	}
	for i := range p.Plans {
		if found := p.Plans[i].index(name); found != nil {
			return found
		}
	}
	return nil
}

func (p *plan) wantBlocks(t testing.TB, what string, most int) {
	t.Helper()
	blocks := p.Hit + p.Read
	t.Logf("%s touches %d blocks", what, blocks)
	if blocks > most {
		t.Errorf("%s touches %d blocks, want at most %d", what, blocks, most)
	}
}

// explain runs a statement with the plan that suits all arguments, and undoes
// its changes.
func explain(t testing.TB, pool *pgxpool.Pool, q *pgx.QueuedQuery) *plan {
	t.Helper()
	return explainWith(t, pool, "ANALYZE, BUFFERS, ", q)
}

func explainWith(t testing.TB, pool *pgxpool.Pool, options string, q *pgx.QueuedQuery) *plan {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	sql, name, n := postgres.StatementSQL(q.SQL)
	if _, err := conn.Conn().Prepare(t.Context(), name, sql); err != nil {
		t.Fatal(err)
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	execute := "EXECUTE " + name
	if n > 0 {
		places := make([]string, n)
		for i := range places {
			places[i] = fmt.Sprintf("$%d", i+1)
		}
		execute += "(" + strings.Join(places, ", ") + ")"
	}
	var text string
	args := append([]any{pgx.QueryExecModeSimpleProtocol}, q.Arguments...)
	if err := tx.QueryRow(t.Context(), "EXPLAIN ("+options+"FORMAT JSON) "+execute, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var plans []struct{ Plan plan }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	return &plans[0].Plan
}

// stopAutovacuum keeps autovacuum away from all tables. It would look at what a test
// seeds at some time or other: statistics would change, and while it reads one table, a
// VACUUM of another leaves what was updated.
func stopAutovacuum(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	execSQL(t, pool, `
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', name);
    END LOOP;
END $$`)
}

// A backlog is count jobs of one image each.
type backlog struct {
	first, count int
	tenants      int    // who take turns
	state        string // of the images: "processing", "succeeded", "later" if they wait for a time; else ready
}

// seed records a backlog in the form in which Create and later methods would. It
// writes each counter once: what an update leaves behind is read until no other
// transaction might still see it, and autovacuum begins some at any time. So a
// statement would touch more blocks on a busy machine.
func seed(t testing.TB, pool *pgxpool.Pool, b backlog) {
	t.Helper()
	const step = 20_000 // a statement ends after 15 s
	for first := b.first; first < b.first+b.count; first += step {
		seedJobs(t, pool, backlog{first, min(step, b.first+b.count-first), b.tenants, b.state})
	}
	seedCounters(t, pool, b)
}

func seedJobs(t testing.TB, pool *pgxpool.Pool, b backlog) {
	t.Helper()
	b.exec(t, pool, `
WITH created AS (
    INSERT INTO jobs (id, tenant, priority, input, fingerprint, total, queued, processing, succeeded,
                      created_at, started_at, completed_at, expires_at)
    SELECT lpad(to_hex(i), 32, '0')::uuid, 'tenant-' || i % @tenants::int, 0,
           '{"prompt": "a lighthouse", "model": "model-a", "count": 1}', '',
           1, (NOT begun)::int, (@state = 'processing')::int, (@state = 'succeeded')::int,
           now(), CASE WHEN begun THEN now() END, CASE WHEN @state = 'succeeded' THEN now() END,
           now() + interval '1 day'
    FROM generate_series(@first::int, @last::int) AS i, (SELECT @state IN ('processing', 'succeeded')) AS s (begun)
    RETURNING id
)
INSERT INTO images (job_id, idx, model, priority, recorded_at, expires_at, start_tag, status, ready, due_at,
                    task_job_id, task_idx, task_dispatch, task_lane, handed_out_at, started_at, completed_at)
SELECT id, 0, 'model-a', 0, now(), now() + interval '1 day', (row_number() OVER (ORDER BY id) - 1 + @first::int) / @tenants::int,
       CASE WHEN @state IN ('processing', 'succeeded') THEN @state ELSE 'queued' END, @state <> 'later',
       CASE WHEN @state = 'later' THEN now() + interval '1 hour' ELSE now() END,
       id, 0, 1, 'lane', now(),
       CASE WHEN @state IN ('processing', 'succeeded') THEN now() - interval '20 seconds' END,
       CASE WHEN @state = 'succeeded' THEN now() END
FROM created`)
}

func seedCounters(t testing.TB, pool *pgxpool.Pool, b backlog) {
	t.Helper()
	for _, query := range []string{`
INSERT INTO turns VALUES ('model-a', 0) ON CONFLICT DO NOTHING`, `
INSERT INTO tenants AS t
SELECT 'model-a', 0, 'tenant-' || i % @tenants::int, max(i) / @tenants::int + 1, 1, count(*)
FROM generate_series(@first::int, @last::int) AS i WHERE @state IN ('', 'later') GROUP BY 3
ON CONFLICT (model, priority, tenant) DO UPDATE SET finish = excluded.finish, waiting = t.waiting + excluded.waiting`, `
INSERT INTO lanes AS l SELECT 'lane', @last::int - @first::int + 1 WHERE @state IN ('', 'later')
ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting`} {
		b.exec(t, pool, query)
	}
}

// exec runs SQL that names what a backlog is.
func (b backlog) exec(t testing.TB, pool *pgxpool.Pool, sql string) {
	t.Helper()
	args := pgx.NamedArgs{"first": b.first, "last": b.first + b.count - 1, "tenants": b.tenants, "state": b.state}
	if _, err := pool.Exec(t.Context(), sql, args); err != nil {
		t.Fatal(err)
	}
}

// seedHistory records 100,000 images of each state that no slot may take.
func seedHistory(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	for i, state := range []string{"processing", "later", "succeeded"} {
		seed(t, pool, backlog{first: 1_000_000 * (i + 1), count: 100_000, tenants: 3, state: state})
	}
}

// request returns the delivery of the i-th image's task.
func request(i int) record.ClaimRequest {
	return record.ClaimRequest{Model: model, Task: backlogTask(i), Lease: time.Hour}
}

func execSQL(t testing.TB, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// backlogTask returns the task of the i-th image of the backlog.
func backlogTask(i int) job.Task {
	digits := fmt.Sprintf("%032x", i)
	id := fmt.Sprintf("%s-%s-%s-%s-%s", digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
	return job.Task{JobID: id, Dispatch: 1, Lane: lane}
}
