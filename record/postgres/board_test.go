package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// A boardRead is something that an operator reads.
type boardRead struct {
	name string
	most int // blocks that each of its statements may touch, however many jobs there are
	read func(ctx context.Context, r *postgres.Record) error
}

// How many blocks reads may touch. A page of 50 jobs is found by the way down an
// index for each, and their images by another.
const (
	pageBlocks   = 500
	lookBlocks   = 20_000  // rows of record.MaxSearched jobs, which are next to each other
	intoBlocks   = 100_000 // the way to the images of record.MaxSearchedInto jobs
	latestBlocks = 50_000  // a row for each of record.MaxAttempts attempts
	failedBlocks = 20_000  // and for each of record.MaxFailures
	waitsBlocks  = 2_000   // and for each of record.MaxHeads images that wait
)

func boardReads() []boardRead {
	search := func(q record.SearchQuery) func(context.Context, *postgres.Record) error {
		return func(ctx context.Context, r *postgres.Record) error {
			q.Limit = 50
			_, err := r.Search(ctx, q)
			return err
		}
	}
	count := func(q record.SearchQuery) func(context.Context, *postgres.Record) error {
		return func(ctx context.Context, r *postgres.Record) error {
			_, err := r.Count(ctx, q)
			return err
		}
	}
	pictures := func(q record.PictureQuery) func(context.Context, *postgres.Record) error {
		return func(ctx context.Context, r *postgres.Record) error {
			q.Limit = 30
			_, err := r.Pictures(ctx, q)
			return err
		}
	}
	failed := []job.Status{job.StatusFailed}
	return []boardRead{
		{"newest jobs", pageBlocks, search(record.SearchQuery{})},
		{"jobs of a tenant", pageBlocks, search(record.SearchQuery{Tenant: "tenant-7"})},
		{"jobs of a rare tenant", pageBlocks, search(record.SearchQuery{Tenant: "rare"})},
		{"a job by the beginning of its id", pageBlocks, search(record.SearchQuery{ID: "00000000-0000"})},
		{"failed jobs", lookBlocks, search(record.SearchQuery{Statuses: failed})},
		{"failed jobs of a tenant", lookBlocks, search(record.SearchQuery{Tenant: "tenant-7", Statuses: failed})},
		{"a text that none has", lookBlocks, search(record.SearchQuery{Text: "nowhere"})},
		{"a code that few have", 2 * lookBlocks, search(record.SearchQuery{Code: job.CodeStorageError})},
		{"a lane that none has", intoBlocks, search(record.SearchQuery{Lane: "nowhere"})},
		{"a cost that none has", intoBlocks, search(record.SearchQuery{MinCostMicros: 1 << 40})},
		{"count of all", lookBlocks, count(record.SearchQuery{})},
		{"count of failed", lookBlocks, count(record.SearchQuery{Statuses: failed})},
		{"count of a lane", intoBlocks, count(record.SearchQuery{Lane: "lane"})},
		{"newest pictures", pageBlocks, pictures(record.PictureQuery{})},
		{"pictures of a model that none has", intoBlocks, pictures(record.PictureQuery{Model: "nowhere"})},
		{"activity", latestBlocks, func(ctx context.Context, r *postgres.Record) error {
			_, err := r.Activity(ctx)
			return err
		}},
		{"slots of all lanes, an hour", latestBlocks, func(ctx context.Context, r *postgres.Record) error {
			_, err := r.Slots(ctx, "", time.Now().Add(-time.Hour))
			return err
		}},
		{"slots of a lane, a day", latestBlocks, func(ctx context.Context, r *postgres.Record) error {
			_, err := r.Slots(ctx, "lane", time.Now().Add(-24*time.Hour))
			return err
		}},
		{"errors of a week", failedBlocks, func(ctx context.Context, r *postgres.Record) error {
			_, err := r.Errors(ctx, time.Now().Add(-7*24*time.Hour), 50)
			return err
		}},
		{"failures of a lane, a day", failedBlocks, func(ctx context.Context, r *postgres.Record) error {
			_, err := r.LaneFailures(ctx, "lane", time.Now().Add(-24*time.Hour), 100)
			return err
		}},
	}
}

// What operators read costs the same however many jobs there are. Statistics may
// tell of an empty table.
func TestBoardCostsTheSameWithAnyHistory(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		jobs    int
		analyze bool
	}{{1_000, true}, {100_000, true}, {100_000, false}} {
		t.Run(fmt.Sprint(test.jobs, test.analyze), func(t *testing.T) {
			t.Parallel()
			pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
			stopAutovacuum(t, pool)
			execSQL(t, pool, "ANALYZE jobs, images, attempts")
			seedBoard(t, pool, 0, test.jobs)
			for first := range test.jobs / 5 / 1_000 { // a fifth as many wait
				seed(t, pool, backlog{first: 1_000 * first, count: 1_000, tenants: 3})
			}
			if test.analyze {
				execSQL(t, pool, "ANALYZE jobs, images, attempts")
			}
			for _, read := range boardReads() {
				readBoard(t, pool, tr, read)
			}
		})
	}
}

// readBoard reads once, and checks what each statement did.
func readBoard(t testing.TB, pool *pgxpool.Pool, tr *trace, read boardRead) {
	t.Helper()
	tr.reset()
	if err := read.read(t.Context(), postgres.New(pool)); err != nil {
		t.Fatalf("%s: %v", read.name, err)
	}
	for _, s := range slices.Clone(tr.statements) {
		p := explain(t, pool, &pgx.QueuedQuery{SQL: nameOf(s.SQL), Arguments: s.Arguments})
		most := read.most
		if nameOf(s.SQL) == "waits" {
			most = waitsBlocks
		}
		p.wantBlocks(t, read.name+", "+nameOf(s.SQL), most)
		for _, table := range p.tableScans() {
			t.Errorf("%s: %s reads the table %s from end to end", read.name, nameOf(s.SQL), table)
		}
	}
}

// A page looks at so many jobs and no more, and tells where to go on.
func TestSearchLooksAtSoManyJobs(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t))
	const more = 10
	seedBoard(t, pool, 0, record.MaxSearchedInto+more)
	rec := postgres.New(pool)
	for name, q := range map[string]record.SearchQuery{
		"a lane": {Lane: "nowhere"}, "a cost": {MinCostMicros: 1 << 40}, "a model": {Model: "nowhere"},
	} {
		q.Limit = 50
		page, err := rec.Search(t.Context(), q)
		if err != nil || len(page.Jobs) != 0 || page.Looked != record.MaxSearchedInto || page.Next == "" || page.Since.IsZero() {
			t.Errorf("%s: the first page is %+v, %v; want one that has looked at %d", name, page, err, record.MaxSearchedInto)
		}
		q.Cursor = page.Next
		page, err = rec.Search(t.Context(), q)
		if err != nil || page.Looked != more || page.Next != "" {
			t.Errorf("%s: the next page is %+v, %v; want one that has looked at the other %d", name, page, err, more)
		}
		tally, err := rec.Count(t.Context(), q)
		if err != nil || !tally.More || tally.Looked != record.MaxSearchedInto {
			t.Errorf("%s: counted %+v, %v; want that there may be more", name, tally, err)
		}
	}
	tally, err := rec.Count(t.Context(), record.SearchQuery{})
	if all := record.MaxSearchedInto + more; err != nil || tally.More || tally.Jobs != all || tally.Looked != all {
		t.Errorf("counted %+v, %v; want all %d", tally, err, all)
	}
}

// The latest attempts are looked at, and what is told says since when that is all.
func TestLatestAttemptsAreLookedAt(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t))
	seedBoard(t, pool, 0, 1)
	execSQL(t, pool, fmt.Sprintf(`
DELETE FROM attempts;
INSERT INTO attempts (job_id, idx, number, lane, model, tenant, dispatch, started_at, ended_at, waited,
                      outcome, counted, detail, finish_reason, billed, cost_micros, estimated, price_list)
SELECT j.id, 9, n, 'lane', 'model-a', 'acme', 1, now() - n * interval '20 ms', now() - n * interval '20 ms', '0',
       'blocked', false, 'refused ' || n, '', false, 0, false, ''
FROM (SELECT id FROM jobs LIMIT 1) AS j, generate_series(1, %d) AS n`, record.MaxAttempts+1_000))
	rec := postgres.New(pool)
	all, err := rec.Errors(t.Context(), time.Now().Add(-time.Hour), 10)
	if err != nil || all.Looked != record.MaxFailures || len(all.Groups) != 1 || all.Groups[0].Attempts != record.MaxFailures {
		t.Fatalf("errors are %+v, %v; want one group of %d", all, err, record.MaxFailures)
	}
	if !all.Since.Equal(all.Groups[0].First) {
		t.Errorf("errors are all since %v, want %v", all.Since, all.Groups[0].First)
	}
	a, err := rec.Activity(t.Context())
	if err != nil || a.Lanes[0].Outcomes["blocked"] != record.MaxAttempts || a.At.Sub(a.Since) > record.MaxAttempts*20*time.Millisecond+time.Minute {
		t.Errorf("activity is %+v, %v; want %d attempts, and since when", a, err, record.MaxAttempts)
	}
	s, err := rec.Slots(t.Context(), "nowhere", time.Now().Add(-time.Hour))
	if err != nil || len(s.Lanes) != 0 || time.Since(s.Since) > 50*time.Minute {
		t.Errorf("slots are %+v, %v; want none, since the earliest that was looked at", s, err)
	}
}

// jobsAnHour is how fast the jobs of seedBoard were recorded.
const jobsAnHour = 14_000

// seedBoard records the jobs from one place to another, counted back from the
// newest, with images and attempts.
func seedBoard(t testing.TB, pool *pgxpool.Pool, from, to int) {
	t.Helper()
	const step = 5_000 // a statement ends after 15 s
	for first := from; first < to; first += step {
		args := pgx.NamedArgs{"first": first, "last": min(first+step, to) - 1, "hourly": jobsAnHour}
		if _, err := pool.Exec(t.Context(), seedBoardSQL, args); err != nil {
			t.Fatal(err)
		}
	}
	execSQL(t, pool, "INSERT INTO turns VALUES ('model-a', 0) ON CONFLICT DO NOTHING; INSERT INTO lanes VALUES ('lane') ON CONFLICT DO NOTHING")
}

const seedBoardSQL = `
WITH made AS (
    SELECT i, at, state = 'succeeded' AS good, state, 1 + (i % 5 = 0)::int AS images,
           (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000800000' || lpad(to_hex(i), 10, '0'))::uuid AS id
    FROM (
        SELECT i, now() - (i + 1) * interval '1 hour' / @hourly::int AS at,
               CASE WHEN i % 500 = 0 THEN 'canceled' WHEN i % 50 = 1 THEN 'failed' ELSE 'succeeded' END AS state
        FROM generate_series(@first::int, @last::int) AS i
    ) AS numbered
), created AS (
    INSERT INTO jobs (id, tenant, priority, input, fingerprint, total, queued, succeeded, failed, canceled,
                      created_at, started_at, completed_at, expires_at, search_text)
    SELECT id, CASE WHEN i % 10000 = 9999 THEN 'rare' ELSE 'tenant-' || i % 1000 END, 0,
           json_build_object('prompt', 'a lighthouse ' || prompt, 'model', 'model-a', 'count', images), '',
           images, 0, good::int * images, (state = 'failed')::int * images, (state = 'canceled')::int * images,
           at, at, at + interval '30 s', at + interval '1 day', 'a lighthouse ' || prompt
    FROM made, LATERAL (SELECT repeat('in the fog of ' || i || ' ', 8) AS prompt) AS p
), placed AS (
    INSERT INTO images (job_id, idx, model, priority, recorded_at, expires_at, start_tag, status, ready, due_at,
                        task_job_id, task_idx, task_dispatch, task_lane, claim_lane, handed_out_at, started_at, completed_at,
                        attempts, claims, object_key, content_type, width, height, bytes, sha256, cost_micros, error_code, error_message)
    SELECT id, n, 'model-a', 0, at, at + interval '1 day', i, state, true, at, id, n, 1, 'lane', 'lane', at, at, at + interval '30 s',
           1, 1, CASE WHEN good THEN 'jobs/' || id || '/0.png' END, 'image/png', 1024, 1024, 1500000, md5(i::text) || md5(id::text),
           CASE WHEN good THEN 33600 ELSE 0 END, CASE WHEN state = 'failed' THEN 'blocked' END, 'The prompt was refused.'
    FROM made, generate_series(0, images - 1) AS n
)
INSERT INTO attempts (job_id, idx, number, lane, model, tenant, dispatch, started_at, ended_at, waited, outcome, counted, detail,
                      finish_reason, billed, cost_micros, estimated, price_list)
SELECT id, n, number, 'lane', 'model-a', 'tenant-' || i % 1000, number, at, at + number * interval '15 s', '5 s',
       CASE WHEN number = 1 THEN 'quota_exhausted' WHEN state = 'failed' THEN 'blocked' ELSE state END, number = 2,
       CASE WHEN number = 1 THEN 'HTTP 429: quota exceeded for quota metric ''requests per minute'', request 0193ab-' || i || 'f1, retry in ' || i % 60 || 's'
            WHEN state = 'failed' THEN 'The prompt was blocked: SAFETY ' || i % 7 ELSE '' END, '', good AND number = 2, 33600, false, '2026-11'
FROM made, generate_series(0, images - 1) AS n, generate_series(1 + (i % 10 <> 0)::int, 2) AS number`
