package cloudtasks_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

func retry(minBackoff, maxBackoff time.Duration, doublings, attempts int32) *cloudtaskspb.RetryConfig {
	return &cloudtaskspb.RetryConfig{
		MinBackoff: durationpb.New(minBackoff), MaxBackoff: durationpb.New(maxBackoff),
		MaxDoublings: doublings, MaxAttempts: attempts,
	}
}

// gaps returns the times between deliveries.
func gaps(times []time.Duration) []time.Duration {
	var out []time.Duration
	for i := 1; i < len(times); i++ {
		out = append(out, times[i]-times[i-1])
	}
	return out
}

func seconds(n ...float64) []time.Duration {
	var out []time.Duration
	for _, s := range n {
		out = append(out, time.Duration(s*float64(time.Second)))
	}
	return out
}

func TestBackoff(t *testing.T) {
	for name, c := range map[string]struct {
		config *cloudtaskspb.RetryConfig
		want   []time.Duration
	}{
		"the documented example":      {retry(10*time.Second, 300*time.Second, 3, 9), seconds(10, 20, 40, 80, 160, 240, 300, 300)},
		"the defaults":                {retry(0, 0, 0, 8), seconds(0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)},
		"doubling meets the maximum":  {retry(10*time.Second, 35*time.Second, 16, 6), seconds(10, 20, 35, 35, 35)},
		"one doubling, then linear":   {retry(time.Second, time.Hour, 1, 7), seconds(1, 2, 4, 6, 8, 10)},
		"minimum and maximum are one": {retry(5*time.Second, 5*time.Second, 3, 5), seconds(5, 5, 5, 5)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, cloudtasks.Options{NoThrottling: true}, statuses(500))
				if c.config.GetMaxBackoff().AsDuration() == 0 {
					c.config.MinBackoff, c.config.MaxBackoff = nil, nil
				}
				b.queue(&cloudtaskspb.Queue{RetryConfig: c.config})
				b.create("x")
				time.Sleep(24 * time.Hour)
				if diff := cmp.Diff(c.want, gaps(b.worker.times())); diff != "" {
					t.Errorf("gaps (-want +got):\n%s", diff)
				}
				if _, err := b.get("x"); status.Code(err) != codes.NotFound {
					t.Errorf("the task is still there: %v", err)
				}
			})
		})
	}
}

func TestBackoffWithoutDoublings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{NoThrottling: true}, statuses(500))
		b.queue(&cloudtaskspb.Queue{})
		b.update(&cloudtaskspb.Queue{RetryConfig: retry(time.Second, time.Hour, 0, 5)},
			"retry_config.min_backoff", "retry_config.max_backoff", "retry_config.max_doublings", "retry_config.max_attempts")
		b.update(&cloudtaskspb.Queue{RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 100}}, "rate_limits")
		b.create("x")
		time.Sleep(time.Hour)
		if diff := cmp.Diff(seconds(1, 2, 3, 4), gaps(b.worker.times())); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
	})
}

// The wait counts from the failure, not from the schedule time.
func TestBackoffCountsFromTheFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, func(_ int, w http.ResponseWriter, _ *http.Request) {
			time.Sleep(7 * time.Second)
			w.WriteHeader(http.StatusInternalServerError)
		})
		b.queue(&cloudtaskspb.Queue{RetryConfig: retry(10*time.Second, time.Hour, 3, 2)})
		b.create("x")
		time.Sleep(time.Minute)
		if diff := cmp.Diff(seconds(0, 17), b.worker.times()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

// A task is given up only when every limit that is set is met.
func TestGivingUp(t *testing.T) {
	for name, c := range map[string]struct {
		attempts int32
		duration time.Duration
		every    time.Duration
		want     int // attempts
	}{
		"attempts alone":                     {3, 0, time.Minute, 3},
		"one attempt":                        {1, 0, time.Minute, 1},
		"attempts met, duration not yet":     {3, 10 * time.Minute, time.Minute, 11},
		"duration met, attempts not yet":     {20, 5 * time.Minute, time.Minute, 20},
		"duration alone":                     {-1, 5 * time.Minute, time.Minute, 6},
		"neither: the retention of 31 days":  {-1, 0, time.Hour, 31 * 24},
		"duration is cut to the second":      {1, 2*time.Minute + 999*time.Millisecond, time.Minute, 3},
		"unset attempts are a hundred":       {0, 0, time.Minute, 100},
		"unset attempts and a long duration": {0, 200 * time.Minute, time.Minute, 201},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, cloudtasks.Options{NoThrottling: true}, statuses(500))
				config := retry(c.every, c.every, 1, c.attempts)
				config.MaxRetryDuration = durationpb.New(c.duration)
				b.queue(&cloudtaskspb.Queue{RetryConfig: config})
				b.create("x")
				time.Sleep(40 * 24 * time.Hour)
				if got := len(b.worker.times()); got != c.want {
					t.Errorf("%d attempts, want %d", got, c.want)
				}
			})
		})
	}
}

func TestTaskRetryConfigOverridesTheQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, statuses(500))
		b.queue(&cloudtaskspb.Queue{RetryConfig: retry(10*time.Second, 20*time.Second, 1, 9)})
		task := httpTask("x")
		task.RetryConfig = &cloudtaskspb.RetryConfig{MaxAttempts: 3}
		if _, err := b.tryCreate(task); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if diff := cmp.Diff(seconds(10, 20), gaps(b.worker.times())); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
	})
}

// Only 2xx is success, and a redirect is not followed.
func TestSuccessIs2xx(t *testing.T) {
	for code, ok := range map[int]bool{200: true, 204: true, 299: true, 302: false, 304: false, 400: false, 404: false, 500: false} {
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, cloudtasks.Options{}, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", target+"/elsewhere")
				w.WriteHeader(code)
			})
			b.queue(&cloudtaskspb.Queue{})
			b.create("x")
			synctest.Wait()
			_, err := b.get("x")
			if gone := status.Code(err) == codes.NotFound; gone != ok || len(b.worker.times()) != 1 {
				t.Errorf("%d: task gone %t after %d requests, want %t after 1", code, gone, len(b.worker.times()), ok)
			}
		})
	}
}

// At its deadline an attempt is a 504: the handler's request is canceled, the slot
// is free, and the attempt does not show in the execution count.
func TestDispatchDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var canceled time.Duration
		b := setup(t, cloudtasks.Options{}, nil)
		b.worker.answer = func(n int, _ http.ResponseWriter, r *http.Request) {
			if n == 0 {
				<-r.Context().Done()
				canceled = time.Since(b.worker.start)
			}
		}
		b.queue(&cloudtaskspb.Queue{RetryConfig: retry(time.Second, time.Minute, 3, 5)})
		task := httpTask("x")
		task.DispatchDeadline = durationpb.New(20 * time.Second)
		if _, err := b.tryCreate(task); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Second + time.Millisecond)
		got, err := b.get("x")
		if err != nil {
			t.Fatal(err)
		}
		if code := got.GetLastAttempt().GetResponseStatus().GetCode(); codes.Code(code) != codes.DeadlineExceeded || got.GetResponseCount() != 0 {
			t.Errorf("last attempt has code %d and %d responses, want DEADLINE_EXCEEDED and 0", code, got.GetResponseCount())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		all := b.worker.deliveries()
		if len(all) != 2 || all[1].at != 21*time.Second || canceled != 20*time.Second {
			t.Fatalf("deliveries %v, canceled at %s; want a second at 21s, canceled at 20s", b.worker.times(), canceled)
		}
		want := map[string]string{"Taskpreviousresponse": "504", "Taskexecutioncount": "0", "Taskretrycount": "1"}
		for name, value := range want {
			if got := all[1].header.Get("X-Cloudtasks-" + name); got != value {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
	})
}

// Ten minutes is the deadline of an HTTP task that names none.
func TestDefaultDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		b.queue(&cloudtaskspb.Queue{RetryConfig: retry(time.Second, time.Minute, 3, 2)})
		b.create("x")
		time.Sleep(time.Hour)
		if diff := cmp.Diff(seconds(0, 601), b.worker.times()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

func (b *bench) update(q *cloudtaskspb.Queue, paths ...string) *cloudtaskspb.Queue {
	b.Helper()
	q.Name = queueA
	out, err := b.tasks.UpdateQueue(b.ctx, &cloudtaskspb.UpdateQueueRequest{Queue: q, UpdateMask: mask(paths)})
	if err != nil {
		b.Fatal(err)
	}
	return out
}
