package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	lanes "github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/snapshot"
)

// operatorPages returns the addresses of pages below dashboard.Path, each after what
// it is. id is of a job.
func operatorPages(id string) [][2]string {
	return [][2]string{
		{"overview", ""},
		{"the newest jobs", "/jobs"},
		{"jobs of a tenant", "/jobs?q=tenant:tenant-7"},
		{"failed jobs", "/jobs?q=status:failed"},
		{"a text that none has", "/jobs?q=nowhere"},
		{"a lane that none has", "/jobs?q=lane:nowhere"},
		{"a job", "/jobs/" + id},
		{"gallery", "/gallery"},
		{"errors of a week", "/errors?span=week"},
		{"lanes", "/lanes"},
		{"a lane", "/lanes/lane"},
		{"spend", "/spend"},
		{"audit", "/audit"},
		{"bulks", "/bulks"},
		{"dry run of a retry", "/bulks/new?action=retry&q=status:failed"},
	}
}

// BenchmarkPages prints what each page of the dashboard costs with JOBS jobs: how long
// it takes if nobody has read it just before, its bytes, and how many blocks its
// statements touch. Without JOBS there are a thousand, a hundred thousand and a million,
// which take some minutes to record. It also checks what the board reads.
func BenchmarkPages(b *testing.B) {
	pool, tr := newTracedPool(b, postgrestest.NewRecord(b))
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	heads, rows, seeded := "", make(map[string]string), 0
	for _, jobs := range pageSizes(b) {
		seedBoard(b, pool, seeded, jobs)
		seedOperators(b, pool, seeded, jobs)
		seeded, heads = jobs, heads+fmt.Sprintf("\t%d jobs\tKiB\tblocks", jobs)
		for _, read := range boardReads() {
			readBoard(b, pool, tr, read)
		}
		for _, p := range operatorPages(newestJob(b, pool)) {
			cost := costOf(b, pool, tr, dashboard.Path+p[1])
			rows[p[0]] += fmt.Sprintf("\t%.1f ms\t%.1f\t%d", cost.median.Seconds()*1000, float64(cost.bytes)/1024, cost.blocks)
		}
	}
	fmt.Fprintln(w, heads+"\t")
	for _, p := range operatorPages("") {
		fmt.Fprintln(w, p[0]+rows[p[0]]+"\t")
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(os.Stdout, "\n"+table.String()) // b.Log shows ten lines
}

// pageSizes returns JOBS, which rise.
func pageSizes(b *testing.B) (sizes []int) {
	b.Helper()
	list := os.Getenv("JOBS")
	if list == "" {
		list = "1000,100000,1000000"
	}
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || len(sizes) > 0 && n < sizes[len(sizes)-1] {
			b.Fatalf("JOBS is %q: give numbers of jobs that rise, such as 1000,100000", list)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// A pageCost is what a page takes.
type pageCost struct {
	median        time.Duration
	bytes, blocks int
}

// costOf gets a page some times, each from a dashboard that has read nothing yet.
func costOf(b *testing.B, pool *pgxpool.Pool, tr *trace, path string) (cost pageCost) {
	b.Helper()
	const reads = 9
	var took []time.Duration
	for range reads {
		tr.reset()
		handler := newOperatorsDashboard(pool)
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://localhost"+path, nil)
		r.RemoteAddr = "127.0.0.1:1234"
		answer := httptest.NewRecorder()
		begin := time.Now()
		handler.ServeHTTP(answer, r)
		took = append(took, time.Since(begin))
		if answer.Code != http.StatusOK {
			b.Fatalf("%s is answered %d: %s", path, answer.Code, answer.Body)
		}
		cost.bytes = answer.Body.Len()
	}
	slices.Sort(took)
	cost.median = took[len(took)/2]
	for _, s := range slices.Clone(tr.statements) {
		if name := nameOf(s.SQL); name != s.SQL { // a statement of the record's
			p := explain(b, pool, &pgx.QueuedQuery{SQL: name, Arguments: s.Arguments})
			cost.blocks += p.Hit + p.Read
		}
	}
	return cost
}

// newOperatorsDashboard returns the pages as an admin gets them, on this machine.
func newOperatorsDashboard(pool *pgxpool.Pool) http.Handler {
	url := func(key string) (string, error) { return "https://img.example.com/" + key, nil }
	return dashboard.New(dashboard.Options{
		Record: postgres.New(pool), Developer: true, Log: slog.New(slog.DiscardHandler), RPMSetting: "GEMINI_RPM",
		Lanes: []lanes.Lane{{Name: lane, Model: model, RPM: 60, Concurrency: 5}},
		Pictures: dashboard.Pictures{
			URL: url, Download: func(key, _ string) (string, error) { return url(key) },
			Origin: "https://img.example.com", Least: dashboard.Viewer,
		},
		Refusal: func(job.Outcome, string, time.Time) (dashboard.Refusal, bool) { return dashboard.Refusal{}, false },
		Jobs: shownJobs{renderer: snapshot.Renderer{
			Lanes: []snapshot.Lane{{Name: lane, Models: []string{model}, RPM: 60}}, Now: time.Now, ImageURL: url,
		}},
		Models: []job.Model{{Name: model, ImageSizes: []string{"1K"}, Prices: map[string]int64{"1K": 33_600}}},
	})
}

// shownJobs are jobs that are looked at, and not acted on.
type shownJobs struct {
	dashboard.Jobs

	renderer snapshot.Renderer
}

func (s shownJobs) Render(j job.Job) ([]byte, error) {
	shown, err := s.renderer.Render(j)
	return shown.JSON, err
}

// seedOperators records what pages read besides the jobs from one place to another,
// which are there: sums of their attempts by the hour, a waiting job for each twenty
// of them, an entry of the audit for each hundred, and a bulk for each thousand.
func seedOperators(b *testing.B, pool *pgxpool.Pool, from, to int) {
	b.Helper()
	seed(b, pool, backlog{first: from / 20, count: (to - from) / 20, tenants: 3})
	for _, sql := range []string{
		"TRUNCATE hourly", `
INSERT INTO hourly (hour, lane, model, tenant, outcome, attempts, prompt_tokens, text_tokens, thought_tokens, image_tokens,
                    cost_micros, estimated_micros, waited, ran)
SELECT date_trunc('hour', ended_at, 'UTC'), lane, model, tenant, outcome, count(*), 0, 0, 0, 0, sum(cost_micros), 0, sum(waited), sum(ended_at - started_at)
FROM attempts GROUP BY 1, 2, 3, 4, 5`, fmt.Sprintf(`
INSERT INTO audit (at, who, role, action, target, reason)
SELECT now(), 'operator-' || i %% 7, 'operator', 'cancel job', 'job ' || i, 'The caller asked for it.' FROM generate_series(%d, %d) AS i`, from/100, to/100-1), fmt.Sprintf(`
INSERT INTO bulks (id, action, search, query, expected_jobs, expected_more, expected_pictures, expected_micros,
                   who, role, reason, started_at, state, moved_at, ended_at, done)
SELECT gen_random_uuid(), 'retry', 'status:failed', '{}', 20, false, 24, 806400, 'operator-1', 'operator', 'The provider was away.',
       now(), 'done', now(), now(), 20 FROM generate_series(%d, %d)`, from/1000, to/1000-1),
	} {
		execLong(b, pool, sql)
	}
	for _, table := range []string{"jobs", "images", "attempts", "hourly", "audit", "bulks"} {
		execLong(b, pool, "VACUUM ANALYZE "+table)
	}
}

// newestJob returns the id of the newest job.
func newestJob(b *testing.B, pool *pgxpool.Pool) (id string) {
	b.Helper()
	if err := pool.QueryRow(b.Context(), "SELECT id::text FROM jobs ORDER BY jobs.id DESC LIMIT 1").Scan(&id); err != nil {
		b.Fatal(err)
	}
	return id
}

// execLong runs SQL that may take longer than a statement of the record does.
func execLong(b *testing.B, pool *pgxpool.Pool, sql string) {
	b.Helper()
	cfg := pool.Config().ConnConfig
	cfg.Tracer = nil
	conn, err := pgx.ConnectConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(b.Context()))
	if _, err := conn.Exec(b.Context(), sql); err != nil {
		b.Fatalf("%s: %v", sql, err)
	}
}
