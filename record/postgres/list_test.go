package postgres_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// listBlocks is how many blocks a page of 20 jobs may touch: the way down an
// index for each status, and a row for each job that is looked at.
const listBlocks = 200

// siftBlocks is the same for a query that looks at record.MaxLooked jobs.
const siftBlocks = 10 * record.MaxLooked

func TestListCostsTheSameWithAnyHistory(t *testing.T) {
	t.Parallel()
	for _, ended := range []int{1_000, 100_000} {
		t.Run(fmt.Sprint(ended), func(t *testing.T) {
			t.Parallel()
			pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
			seedListed(t, pool, ended)
			execSQL(t, pool, "ANALYZE jobs, images, job_metadata")
			rec := postgres.New(pool)
			for name, q := range listQueries() {
				q.Tenant, q.Limit = "tenant-1", 20
				tr.reset()
				page, err := rec.List(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if len(page.Jobs) == 0 && !q.Sifts() {
					t.Errorf("%s: nothing is listed", name)
				}
				most := listBlocks
				if q.Sifts() {
					most = siftBlocks
				}
				for _, s := range tr.statements {
					explain(t, pool, tr.find(t, nameOf(s.SQL))).wantBlocks(t, name+", "+nameOf(s.SQL), most)
				}
			}
		})
	}
}

func listQueries() map[string]record.Query {
	return map[string]record.Query{
		"all":              {},
		"by status":        {Statuses: []job.Status{job.StatusSucceeded}},
		"by metadata":      {Metadata: []record.Pair{{Key: "user", Value: "u7"}}},
		"by text":          {Text: "nowhere"},
		"by pairs and all": {Metadata: []record.Pair{{Key: "user", Value: "u7"}, {Key: "album", Value: "x"}}, Text: "nowhere"},
	}
}

// seedListed records jobs that have ended, and some that wait, of three tenants
// and ten users.
func seedListed(t testing.TB, pool *pgxpool.Pool, ended int) {
	t.Helper()
	const step = 20_000 // a statement ends after 15 s
	for first := 0; first < ended; first += step {
		seed(t, pool, backlog{first: 1_000_000 + first, count: min(step, ended-first), tenants: 3, state: "succeeded"})
		describe(t, pool)
	}
	seed(t, pool, backlog{count: 100, tenants: 3})
	describe(t, pool)
}

// describe gives the latest jobs what a list finds them by.
func describe(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	execSQL(t, pool, `INSERT INTO job_metadata (job_id, key, value, tenant, created_at)
		SELECT id, 'user', 'u' || row_number() OVER () % 10, tenant, created_at FROM jobs WHERE search_text IS NULL`)
	execSQL(t, pool, "UPDATE jobs SET search_text = 'a lighthouse' WHERE search_text IS NULL")
}

// BenchmarkList reads the first page, and one of a query that sifts.
func BenchmarkList(b *testing.B) {
	for _, ended := range []int{1_000, 100_000, 1_000_000} {
		pool := newPool(b, postgrestest.NewRecord(b))
		seedListed(b, pool, ended)
		execSQL(b, pool, "ANALYZE jobs, images, job_metadata")
		rec := postgres.New(pool)
		for name, q := range listQueries() {
			q.Tenant, q.Limit = "tenant-1", 20
			b.Run(fmt.Sprintf("jobs=%d/%s", ended, name), func(b *testing.B) {
				for b.Loop() {
					if _, err := rec.List(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
