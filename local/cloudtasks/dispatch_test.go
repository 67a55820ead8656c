package cloudtasks_test

import (
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// One 429 or 503 halves the whole queue's rate; it doubles back in ten seconds.
func TestSlowDown(t *testing.T) {
	for name, c := range map[string]struct {
		code       int
		none       bool
		within10s  int // deliveries of a queue of 100/s in the ten seconds after
		withinNext int // and in the ten after those
	}{
		"429":                      {429, false, 721, 1000}, // the integral of 50·2^(t/10)
		"503":                      {503, false, 721, 1000},
		"500 is no push-back":      {500, false, 1000, 1000},
		"throttling is turned off": {503, true, 1000, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, cloudtasks.Options{NoThrottling: c.none}, nil)
				b.worker.answer = func(n int, w http.ResponseWriter, r *http.Request) {
					if n == 100 {
						w.WriteHeader(c.code)
					}
				}
				b.queue(rate(100))
				for range 2400 {
					b.create("")
				}
				time.Sleep(30 * time.Second)
				cut := b.worker.times()[100]
				first := b.worker.within(cut+1, cut+10*time.Second)
				next := b.worker.within(cut+10*time.Second, cut+20*time.Second)
				if off(first, c.within10s) > 3 || off(next, c.withinNext) > 3 {
					t.Errorf("%d and %d deliveries, want %d and %d", first, next, c.within10s, c.withinNext)
				}
			})
		})
	}
}

// The rate comes back as the model says, dispatch by dispatch: the integral of
// 0.5·2^(t/10) until it is whole after ten seconds, and then one a second.
func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, statuses(429, 200))
		b.queue(rate(1))
		// The whole burst leaves at once, before its first answer cuts the rate.
		must(b.tasks.PauseQueue(b.ctx, &cloudtaskspb.PauseQueueRequest{Name: queueA}))(t)
		for range 30 {
			b.create("")
		}
		must(b.tasks.ResumeQueue(b.ctx, &cloudtaskspb.ResumeQueueRequest{Name: queueA}))(t)
		time.Sleep(time.Minute)
		slow := 5 / math.Ln2 // dispatches of the first ten seconds
		for k, at := range b.worker.times()[10:] {
			n := float64(k + 1)
			want := 10 * math.Log2(1+n*math.Ln2/5)
			if n > slow {
				want = 10 + n - slow
			}
			if math.Abs(at.Seconds()-want) > 1e-6 {
				t.Errorf("dispatch %d after the cut came at %s, want %.6fs", k+1, at, want)
			}
		}
	})
}

// Tokens are earned at the rate that applies at the time.
func TestTokensOfARecoveringQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, statuses(429, 200))
		b.queue(&cloudtaskspb.Queue{
			RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 1}, RetryConfig: retry(time.Hour, time.Hour, 1, 2),
		})
		must(b.tasks.PauseQueue(b.ctx, &cloudtaskspb.PauseQueueRequest{Name: queueA}))(t)
		for range 10 {
			b.create("")
		}
		must(b.tasks.ResumeQueue(b.ctx, &cloudtaskspb.ResumeQueueRequest{Name: queueA}))(t)
		time.Sleep(12 * time.Second)
		want := 5/math.Ln2 + 2
		if got, _ := b.emu.Stats(queueA); math.Abs(got.Tokens-want) > 1e-6 {
			t.Errorf("%.6f tokens, want %.6f", got.Tokens, want)
		}
	})
}

func off(a, b int) int { return max(a-b, b-a) }

// Answers to what was sent before a cut do not cut the rate again, and the rate
// never falls below the floor.
func TestSlowDownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, func(n int, w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		b.queue(rate(64))
		for range 20 {
			b.create("")
		}
		time.Sleep(1100 * time.Millisecond) // 12 answers, all sent before the first
		got, _ := b.emu.Stats(queueA)
		if got.EffectiveRate < 31 || got.EffectiveRate > 33 {
			t.Errorf("effective rate is %.1f after one wave, want about 32", got.EffectiveRate)
		}
		time.Sleep(5 * time.Minute)
		if got, _ = b.emu.Stats(queueA); got.EffectiveRate < 1 {
			t.Errorf("effective rate is %.3f, want at least 1", got.EffectiveRate)
		}
	})
}

// A high rate of errors slows the queue too.
func TestManyFailuresSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n%2 == 0 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		b.queue(rate(100))
		for range 20 {
			b.create("")
		}
		synctest.Wait()
		if got, _ := b.emu.Stats(queueA); got.EffectiveRate != 50 {
			t.Errorf("effective rate is %.1f, want 50", got.EffectiveRate)
		}
	})
}

func TestRetryAfterHoldsTheTaskBack(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"90": 90 * time.Second, "": 100 * time.Millisecond, "nonsense": 100 * time.Millisecond, "-5": 100 * time.Millisecond,
		"999999": time.Hour, "13000000000": time.Hour, "99999999999999999999": time.Hour,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, cloudtasks.Options{}, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n == 0 {
					w.Header().Set("Retry-After", header)
					w.WriteHeader(http.StatusTooManyRequests)
				}
			})
			b.queue(&cloudtaskspb.Queue{})
			b.create("x")
			time.Sleep(2 * time.Hour)
			if diff := cmp.Diff([]time.Duration{0, want}, b.worker.times()); diff != "" {
				t.Errorf("Retry-After %q (-want +got):\n%s", header, diff)
			}
		})
	}
}

// RunTask goes past the rate, the concurrency limit and a pause.
func TestRunTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, statuses(500, 200))
		b.queue(&cloudtaskspb.Queue{RetryConfig: retry(time.Minute, time.Hour, 3, 5)})
		b.pause()
		b.create("x")
		run := &cloudtaskspb.RunTaskRequest{Name: queueA + "/tasks/x"}
		time.Sleep(time.Second)
		called := time.Now()
		sent, err := b.tasks.RunTask(b.ctx, run)
		if err != nil || sent.GetDispatchCount() != 1 || sent.GetResponseCount() != 0 {
			t.Fatalf("RunTask answers %v (%v), want the task as sent", sent, err)
		}
		synctest.Wait()
		failed, err := b.get("x")
		if err != nil || !failed.GetScheduleTime().AsTime().Equal(called.Add(time.Minute)) || failed.GetResponseCount() != 1 {
			t.Errorf("after a failure the task is %v (%v), want it scheduled a minute after the call", failed, err)
		}
		must(b.tasks.RunTask(b.ctx, run))(t)
		synctest.Wait()
		_, err = b.tasks.RunTask(b.ctx, run)
		wantCode(t, "RunTask of a task that succeeded", err, codes.NotFound)
		got := b.dispatches()
		if len(got) != 2 || !got[1].Forced || got[1].Attempt != 2 || got[1].Outcome != cloudtasks.Succeeded {
			t.Errorf("dispatches are %+v", got)
		}
	})
}

// RunTask beside an attempt that is under way: one success ends the task.
func TestRunTaskWhileUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, func(n int, w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Duration(1+n) * time.Second)
			if n == 0 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		b.queue(&cloudtaskspb.Queue{RetryConfig: retry(time.Millisecond, time.Hour, 3, 1)})
		b.create("x")
		must(b.tasks.RunTask(b.ctx, &cloudtaskspb.RunTaskRequest{Name: queueA + "/tasks/x"}))(t)
		time.Sleep(time.Hour)
		stats, _ := b.emu.Stats(queueA)
		if len(b.worker.times()) != 2 || stats.Succeeded != 1 || stats.GaveUp != 0 || stats.Tasks != 0 {
			t.Errorf("%d deliveries, %+v; want 2 and one success", len(b.worker.times()), stats)
		}
	})
}

func TestDuplicates(t *testing.T) {
	for name, c := range map[string]struct {
		duplicates cloudtasks.Duplicates
		want       []time.Duration
	}{
		"none":          {cloudtasks.Duplicates{}, seconds(0, 0, 0, 0)},
		"every second":  {cloudtasks.Duplicates{Every: 2}, seconds(0, 0, 0, 0, 0, 0)},
		"always":        {cloudtasks.Duplicates{Probability: 1}, seconds(0, 0, 0, 0, 0, 0, 0, 0)},
		"after success": {cloudtasks.Duplicates{Every: 4, Delay: time.Minute}, seconds(0, 0, 0, 0, 60)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, cloudtasks.Options{Duplicates: c.duplicates}, nil)
				b.queue(&cloudtaskspb.Queue{})
				for _, id := range []string{"a", "b", "c", "d"} {
					b.create(id)
				}
				time.Sleep(time.Hour)
				if diff := cmp.Diff(c.want, b.worker.times()); diff != "" {
					t.Errorf("deliveries (-want +got):\n%s", diff)
				}
				for _, d := range b.worker.deliveries() {
					if d.header.Get("X-CloudTasks-TaskRetryCount") != "0" {
						t.Errorf("a duplicate has headers %v", d.header)
					}
				}
			})
		})
	}
}

func TestDuplicatesAreSeeded(t *testing.T) {
	var runs [2]int
	for i := range runs {
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, cloudtasks.Options{Seed: 3, Duplicates: cloudtasks.Duplicates{Probability: 0.3}}, nil)
			b.queue(&cloudtaskspb.Queue{})
			for range 100 {
				b.create("")
			}
			synctest.Wait()
			runs[i] = len(b.worker.times())
		})
	}
	if runs[0] != runs[1] || runs[0] < 115 || runs[0] > 145 {
		t.Errorf("%v deliveries of 100 tasks, want about 130 both times", runs)
	}
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{NoThrottling: true}, statuses(200, 500))
		b.queue(&cloudtaskspb.Queue{RetryConfig: retry(time.Minute, time.Hour, 3, 2)})
		b.create("a")
		synctest.Wait()
		b.create("b")
		synctest.Wait()
		got, ok := b.emu.Stats(queueA)
		want := cloudtasks.Stats{Queue: queueA, Tasks: 1, Dispatched: 2, Succeeded: 1, Failed: 1, Rate: 500, EffectiveRate: 500,
			Tokens: 98, NextDue: time.Now().Add(time.Minute)}
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		if _, ok := b.emu.Stats("nonsense"); ok {
			t.Error("there are stats of a queue that does not exist")
		}
	})
}
