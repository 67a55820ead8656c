package postgres_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// BenchmarkImage claims an image and records its success, with as many others
// waiting. Deliveries come in order, as they mostly do.
func BenchmarkImage(b *testing.B) {
	for _, size := range []int{100, 10_000, 100_000} {
		for _, tenants := range []int{1, 1_000} {
			b.Run(fmt.Sprintf("backlog=%d/tenants=%d", size, tenants), func(b *testing.B) {
				pool := newPool(b, postgrestest.NewRecord(b))
				store := postgres.New(pool)
				var next, seeded int
				for b.Loop() {
					if seeded-next <= size/2 {
						b.StopTimer()
						seed(b, pool, backlog{first: seeded, count: size, tenants: tenants})
						exec(b, pool, "ANALYZE jobs, images")
						seeded += size
						b.StartTimer()
					}
					c, err := store.Claim(b.Context(), request(next))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := store.Succeed(b.Context(), c, record.Success{}); err != nil {
						b.Fatal(err)
					}
					next++
				}
			})
		}
	}
}

// BenchmarkImageParallel is BenchmarkImage by more workers than the pool has
// connections; claims of one model wait for each other.
func BenchmarkImageParallel(b *testing.B) {
	pool := newPool(b, postgrestest.NewRecord(b))
	store := postgres.New(pool)
	seed(b, pool, backlog{count: 100_000, tenants: 1_000})
	exec(b, pool, "ANALYZE jobs, images")
	var next atomic.Int64
	b.ResetTimer()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, err := store.Claim(b.Context(), request(int(next.Add(1))))
			if err == nil {
				_, err = store.Succeed(b.Context(), c, record.Success{})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkGet reads a job of the largest size, started or behind others.
func BenchmarkGet(b *testing.B) {
	pool := newPool(b, postgrestest.NewRecord(b))
	store := postgres.New(pool)
	started := create(b, store, 16)[0]
	if _, err := store.Claim(b.Context(), record.ClaimRequest{Model: model, Task: started}); err != nil {
		b.Fatal(err)
	}
	seed(b, pool, backlog{count: 100_000, tenants: 1_000})
	exec(b, pool, "ANALYZE")
	for name, id := range map[string]string{"started": started.JobID, "waiting": create(b, store, 16)[0].JobID} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := store.Get(b.Context(), id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
