package postgres_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// BenchmarkImage claims an image and records its success while many others
// wait. Deliveries come in order, as they mostly do.
func BenchmarkImage(b *testing.B) {
	for _, size := range []int{10, 10_000, 1_000_000} {
		for _, tenants := range []int{1, 1_000} {
			b.Run(fmt.Sprintf("backlog=%d/tenants=%d", size, tenants), func(b *testing.B) {
				pool := newPool(b, postgrestest.NewRecord(b))
				rec := postgres.New(pool)
				var next, seeded int
				for b.Loop() {
					if seeded-next <= size/2 {
						b.StopTimer()
						for page := min(size, 100_000); seeded < next+size; seeded += page { // a statement ends after 15 s
							seed(b, pool, backlog{first: seeded, count: page, tenants: tenants})
						}
						execSQL(b, pool, "ANALYZE jobs, images")
						b.StartTimer()
					}
					c, err := rec.Claim(b.Context(), request(next))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := rec.Succeed(b.Context(), c, record.Success{}); err != nil {
						b.Fatal(err)
					}
					next++
				}
			})
		}
	}
}

// BenchmarkPlanning claims images and records their success with each kind of
// Planning, and reports how much of the server's CPU an image takes. The kinds
// take turns, because a table becomes slower to update as it is written to.
func BenchmarkPlanning(b *testing.B) {
	ways := []postgres.Planning{postgres.PlanningNone, postgres.PlanningFunctions, postgres.PlanningPrepared}
	url := postgrestest.NewRecord(b)
	seeder := newPool(b, url)
	records, servers := make([]*postgres.Record, len(ways)), make([]uint32, len(ways))
	for i, way := range ways {
		cfg := newPool(b, url).Config()
		cfg.MaxConns = 1
		postgres.UsePlanning(cfg, way)
		pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(pool.Close)
		if err := pool.QueryRow(b.Context(), "SELECT pg_backend_pid()").Scan(&servers[i]); err != nil {
			b.Fatal(err)
		}
		records[i] = postgres.New(pool)
	}
	const page = 200
	took, next := make([]time.Duration, len(ways)), 0
	for b.Loop() {
		b.StopTimer()
		seed(b, seeder, backlog{first: next, count: page * len(ways), tenants: 3})
		b.StartTimer()
		for i, r := range records {
			before := cpuTime(b, servers[i])
			for range page {
				c, err := r.Claim(b.Context(), request(next))
				if err == nil {
					_, err = r.Succeed(b.Context(), c, record.Success{})
				}
				if err != nil {
					b.Fatal(err)
				}
				next++
			}
			took[i] += cpuTime(b, servers[i]) - before
		}
	}
	for i, way := range []string{"none", "functions", "prepared"} {
		b.ReportMetric(took[i].Seconds()*1000/float64(next/len(ways)), "ms-"+way+"/image")
	}
}

// cpuTime returns the CPU time that a process of this machine has taken so far.
func cpuTime(b *testing.B, pid uint32) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("needs the server on this machine, and Linux: ", err)
	}
	var user, system int64
	_, after, _ := strings.Cut(string(stat), ") ")
	if _, err := fmt.Sscan(strings.Join(strings.Fields(after)[11:13], " "), &user, &system); err != nil {
		b.Fatal(err)
	}
	const tick = 10 * time.Millisecond // Linux' USER_HZ is 100
	return time.Duration(user+system) * tick
}

// BenchmarkImageParallel does what BenchmarkImage does, with more workers than
// the pool has connections. Claims of one model wait for each other.
func BenchmarkImageParallel(b *testing.B) {
	pool := newPool(b, postgrestest.NewRecord(b))
	rec := postgres.New(pool)
	seed(b, pool, backlog{count: 100_000, tenants: 1_000})
	execSQL(b, pool, "ANALYZE jobs, images")
	var next atomic.Int64
	b.ResetTimer()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, err := rec.Claim(b.Context(), request(int(next.Add(1))))
			if err == nil {
				_, err = rec.Succeed(b.Context(), c, record.Success{})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkBudget records jobs of one picture, claims them and records their success, 32
// at a time, without and with budgets of the tenant and of the service, which all
// pictures write to.
func BenchmarkBudget(b *testing.B) {
	large := job.Budget{LimitMicros: 1 << 50, Per: job.PerMonth, Zone: time.UTC}
	for name, set := range map[string]job.Budgets{
		"none": nil, "two": {job.ServiceBudget: large, job.TenantBudget("acme"): large},
	} {
		b.Run(name, func(b *testing.B) {
			pool := newPool(b, postgrestest.NewRecord(b)+"&pool_max_conns=32")
			rec := postgres.New(pool)
			b.SetParallelism(32 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					d := submission(1)
					d.PriceMicros, d.Budgets = price, record.Budgets{Periods: set.Of("acme", time.Now())}
					_, tasks, err := rec.Create(b.Context(), d)
					var c record.Claim
					if err == nil {
						c, err = rec.Claim(b.Context(), record.ClaimRequest{Model: model, Task: tasks[0], Lease: time.Hour})
					}
					if err == nil {
						c.Report.Bill = job.Bill{Billed: true, CostMicros: price, BoundMicros: price}
						_, err = rec.Succeed(b.Context(), c, record.Success{})
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkGet reads a job of the largest size, started or behind others.
func BenchmarkGet(b *testing.B) {
	pool := newPool(b, postgrestest.NewRecord(b))
	rec := postgres.New(pool)
	started := create(b, rec, 16)[0]
	if _, err := rec.Claim(b.Context(), record.ClaimRequest{Model: model, Task: started}); err != nil {
		b.Fatal(err)
	}
	seed(b, pool, backlog{count: 100_000, tenants: 1_000})
	execSQL(b, pool, "ANALYZE")
	for name, id := range map[string]string{"started": started.JobID, "waiting": create(b, rec, 16)[0].JobID} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := rec.Get(b.Context(), id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
