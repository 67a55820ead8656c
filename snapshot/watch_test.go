package snapshot_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/snapshot"
)

// next returns the version that a watch returns next.
func next(t *testing.T, w *snapshot.Watch) int64 {
	t.Helper()
	snap, err := w.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap.Version
}

// Who reads each version gets each; who is slow gets the newest one, and holds
// nobody up.
func TestWatchKeepsTheNewestVersion(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 3)
	quick, slow := b.Watch(t.Context(), j.ID), b.Watch(t.Context(), j.ID)
	defer quick.Close()
	defer slow.Close()
	got := []int64{next(t, quick)}
	if v := next(t, slow); v != 1 {
		t.Errorf("the slow one begins with version %d, want 1", v)
	}
	for _, task := range tasks {
		c := b.claim(t, task)
		got = append(got, next(t, quick))
		if _, err := b.Succeed(t.Context(), c, record.Success{}); err != nil {
			t.Fatal(err)
		}
		got = append(got, next(t, quick))
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5, 6, 7}, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	// The listeners of a channel are called one after the other, so the slow one
	// may hear of the last version a moment later.
	for v := int64(0); v != 7; {
		before := v
		if v = next(t, slow); v <= before || v < 6 {
			t.Fatalf("the slow one gets version %d after %d", v, before)
		}
	}
}

// A connection that breaks may cost an event. The watch looks at its job once it
// hears of it again.
func TestWatchLooksAfterItLostTheConnection(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	w := b.Watch(t.Context(), j.ID)
	defer w.Close()
	next(t, w)
	w.StopTicks()
	if _, err := b.inner.Claim(t.Context(), claimOf(tasks[0])); err != nil { // nothing is published
		t.Fatal(err)
	}
	b.age(t, j.ID, snapshot.MaxAge+time.Second)
	if err := b.client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	if v := next(t, w); v != 2 {
		t.Errorf("version %d, want 2", v)
	}
}

// A watch goes on after an error, as long as its owner likes.
func TestWatchGoesOn(t *testing.T) {
	b := setup(t)
	w := b.Watch(t.Context(), uuid.NewString())
	defer w.Close()
	if _, err := w.Next(t.Context()); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	j, tasks := b.create(t, 1)
	w = b.Watch(t.Context(), j.ID)
	defer w.Close()
	next(t, w)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context has ended", err)
	}
	b.claim(t, tasks[0])
	if v := next(t, w); v != 2 {
		t.Errorf("version %d, want 2", v)
	}
}

// Without Redis a watch looks at its job every two seconds.
func TestWatchWithoutRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away, err := redis.NewClient("redis://127.0.0.1:1", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		inner := memory.New()
		r := snapshot.NewRecord(inner, away, renderer(), slog.New(slog.DiscardHandler))
		j, tasks, err := r.Create(t.Context(), draft(1))
		if err != nil {
			t.Fatal(err)
		}
		w := r.Watch(t.Context(), j.ID)
		if v := next(t, w); v != 1 {
			t.Errorf("version %d, want 1", v)
		}
		from := time.Now()
		if _, err := inner.Claim(t.Context(), claimOf(tasks[0])); err != nil {
			t.Fatal(err)
		}
		if v, took := next(t, w), time.Since(from); v != 2 || took > 3*time.Second {
			t.Errorf("version %d after %s, want 2 within two seconds", v, took)
		}
		w.Close()
		_ = away.Close()
		time.Sleep(time.Minute) // the subscription ends
	})
}

// Five hundred watches of one job and as many waits for it leave nothing behind,
// and take little memory. docs/design.md says how much.
func TestWatchesAreSmall(t *testing.T) {
	const each, most = 500, 64 << 10 // bytes, with the stack of its goroutine and the job's JSON
	b := setup(t)
	j, tasks := b.create(t, 16)
	one := b.Watch(t.Context(), j.ID)
	next(t, one) // the subscription is there
	before, goroutines := inUse(), runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running, begun sync.WaitGroup
	begun.Add(each)
	for range each {
		running.Go(func() {
			w := b.Watch(ctx, j.ID)
			defer w.Close()
			_, err := w.Next(ctx)
			begun.Done()
			for err == nil {
				_, err = w.Next(ctx)
			}
		})
		running.Go(func() { _, _ = b.Await(ctx, j.ID) })
	}
	begun.Wait()
	if n := b.subscribers(t); n != 1 {
		t.Errorf("%d connections are subscriptions, want 1", n)
	}
	b.claim(t, tasks[0])
	next(t, one)
	if per := (int(inUse()) - int(before)) / (2 * each); per > most {
		t.Errorf("each takes %d bytes, want %d at most", per, most)
	} else {
		t.Logf("each takes %d bytes", per)
	}
	cancel()
	running.Wait()
	one.Close()
	eventually(t, "their goroutines end, but for those of the connections", func() bool {
		return runtime.NumGoroutine() <= goroutines+5
	})
	eventually(t, "their channel is left", func() bool {
		channels, err := b.client.PubSubChannels(t.Context(), "job:*").Result()
		return err == nil && len(channels) == 0
	})
}

// inUse returns the memory of what is on the heap and of all stacks, in bytes.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// BenchmarkSnapshotBesideWatches reads a job, as a poll does, beside watches of
// five hundred others.
func BenchmarkSnapshotBesideWatches(bench *testing.B) {
	for _, watches := range []int{0, 500} {
		bench.Run(strconv.Itoa(watches), func(bench *testing.B) {
			b := setup(bench)
			for range watches {
				j, _ := b.create(bench, 1)
				go func() {
					w := b.Watch(bench.Context(), j.ID)
					defer w.Close()
					for bench.Context().Err() == nil {
						_, _ = w.Next(bench.Context())
					}
				}()
			}
			polled, _ := b.create(bench, 1)
			if watches > 0 {
				eventually(bench, "all are heard", func() bool {
					channels, err := b.client.PubSubChannels(bench.Context(), "job*").Result()
					return err == nil && len(channels) == watches
				})
			}
			bench.ResetTimer()
			for bench.Loop() {
				if _, err := b.Snapshot(bench.Context(), polled.ID); err != nil {
					bench.Fatal(err)
				}
			}
		})
	}
}
