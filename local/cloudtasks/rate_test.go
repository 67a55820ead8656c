package cloudtasks_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

func rate(perSecond float64) *cloudtaskspb.Queue {
	return &cloudtaskspb.Queue{RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: perSecond}}
}

func TestBurstSizeIsReported(t *testing.T) {
	for perSecond, want := range map[float64]int32{500: 100, 100: 20, 50: 10, 5: 10, 1: 10, 1.0 / 6: 10, 0: 100} {
		t.Run(fmt.Sprint(perSecond), func(t *testing.T) {
			b := setup(t, cloudtasks.Options{}, nil)
			in := rate(perSecond)
			in.RateLimits.MaxBurstSize = 7 // output only
			if got := b.queue(in).GetRateLimits().GetMaxBurstSize(); got != want {
				t.Errorf("max_burst_size is %d, want %d", got, want)
			}
		})
	}
}

// Any rate is exact over a long time, whatever burst comes first.
func TestRateIsExact(t *testing.T) {
	for _, c := range []struct {
		perSecond float64
		tasks     int
		burst     int
		gap       time.Duration
	}{
		{10.0 / 60, 40, 10, 6 * time.Second},
		{1, 100, 10, time.Second},
		{1.0 / 3600, 12, 10, time.Hour},
		{0.99, 110, 10, 1011 * time.Millisecond},
		{7, 80, 10, time.Second / 7},
		{500, 700, 100, 2 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(c.perSecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, cloudtasks.Options{}, nil)
				b.queue(rate(c.perSecond))
				for range c.tasks {
					b.create("")
				}
				time.Sleep(time.Duration(c.tasks) * c.gap)
				times := b.worker.times()
				if len(times) != c.tasks {
					t.Fatalf("%d of %d tasks were delivered", len(times), c.tasks)
				}
				for i, at := range times {
					want := time.Duration(0)
					if i >= c.burst {
						want = time.Duration(float64(i-c.burst+1) / c.perSecond * float64(time.Second))
					}
					if off := (at - want).Abs(); off > 5*time.Nanosecond {
						t.Fatalf("delivery %d came at %s, want %s", i, at, want)
					}
				}
			})
		})
	}
}

// A queue of ten a minute fires ten at once and nineteen in its first minute.
func TestRateIsNoCapOnTheFirstMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(rate(10.0 / 60))
		for range 40 {
			b.create("")
		}
		time.Sleep(time.Hour)
		if got := b.worker.within(0, time.Second); got != 10 {
			t.Errorf("%d at once, want 10", got)
		}
		if got := b.worker.within(0, time.Minute); got != 19 {
			t.Errorf("%d in the first minute, want 19", got)
		}
	})
}

func TestRetriesTakeTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{NoThrottling: true}, statuses(500))
		q := rate(1)
		q.RetryConfig = &cloudtaskspb.RetryConfig{MinBackoff: durationpb.New(0), MaxBackoff: durationpb.New(0), MaxAttempts: -1}
		b.queue(q)
		b.create("")
		time.Sleep(30*time.Second + time.Millisecond)
		if got := len(b.worker.times()); got != 40 { // ten at once, then one a second
			t.Errorf("%d attempts in 30 s, want 40", got)
		}
	})
}

func TestUpdatedRateAppliesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(rate(1.0 / 3600))
		for range 20 {
			b.create("")
		}
		time.Sleep(time.Second)
		in := rate(10)
		in.Name = queueA
		_, err := b.tasks.UpdateQueue(b.ctx, &cloudtaskspb.UpdateQueueRequest{
			Queue: in, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"rate_limits.max_dispatches_per_second"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		if got := len(b.worker.times()); got != 20 {
			t.Errorf("%d deliveries, want all 20", got)
		}
	})
}

func TestConcurrencyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		b := setup(t, cloudtasks.Options{}, func(_ int, _ http.ResponseWriter, r *http.Request) {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			running.Add(-1)
		})
		b.queue(&cloudtaskspb.Queue{RateLimits: &cloudtaskspb.RateLimits{MaxConcurrentDispatches: 3}})
		for range 9 {
			b.create("")
		}
		time.Sleep(3*time.Second + time.Millisecond)
		if most.Load() != 3 || len(b.worker.times()) != 9 {
			t.Errorf("%d at a time and %d in all, want 3 and 9", most.Load(), len(b.worker.times()))
		}
	})
}

func TestScheduledTaskWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(&cloudtaskspb.Queue{})
		task := httpTask("later")
		task.ScheduleTime = timestamppb.New(time.Now().Add(90 * time.Minute))
		if _, err := b.tryCreate(task); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if got := b.worker.times(); len(got) != 1 || got[0] != 90*time.Minute {
			t.Errorf("delivered at %v, want at 1h30m", got)
		}
	})
}

// A time in the past is now.
func TestPastScheduleIsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(&cloudtaskspb.Queue{})
		task := httpTask("x")
		task.ScheduleTime = timestamppb.New(time.Now().Add(-time.Hour))
		got, err := b.tryCreate(task)
		if err != nil || !got.GetScheduleTime().AsTime().Equal(time.Now()) {
			t.Errorf("schedule_time is %v (%v), want now", got.GetScheduleTime().AsTime(), err)
		}
	})
}

// Thousands of tasks at 60 a minute take seconds of real time at most.
func TestManyTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(rate(1))
		const n = 10_000
		for range n {
			b.create("")
		}
		time.Sleep(n * time.Second)
		if got := len(b.worker.times()); got != n {
			t.Errorf("%d deliveries, want %d", got, n)
		}
	})
}

func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{SlowStart: true}, nil)
		b.queue(rate(50))
		for range 5000 {
			b.create("")
		}
		time.Sleep(3 * time.Minute)
		first := b.worker.within(0, time.Second)
		whole := b.worker.within(125*time.Second, 126*time.Second)
		if first > 6 || whole < 49 || whole > 51 {
			t.Errorf("%d in the first second and %d in one after two minutes, want a few and 50", first, whole)
		}
	})
}
