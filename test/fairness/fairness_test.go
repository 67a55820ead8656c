//go:build !race

// Package fairness_test lets tenants compete for one quota on the emulator's
// clock. Hours of deliveries take seconds.
//
// It does not run under the race detector. Each simulation runs in one bubble
// of testing/synctest. There the detector turns the seconds into minutes, and
// makes Go 1.26 crash now and then. Other tests run the concurrent code under
// the detector.
package fairness_test

import (
	"context"
	"flag"
	"log/slog"
	"math"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/googleapis/gax-go/v2"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/worker"
)

var plot = flag.String("plot", "", "write the plot of TestFairTurns to this file (SVG)")

const (
	queueName = "projects/p/locations/l/queues/images"
	latency   = 20 * time.Second // of a picture
)

// A start is the start of one picture.
type start struct {
	at     time.Duration // since the beginning
	tenant string
	jobID  string
}

// A simulation is the service without its network. The emulator delivers to the
// real handler, and the real worker claims images in a real record.
type simulation struct {
	t        *testing.T
	began    time.Time
	record   *observed
	producer *enqueue.Producer
}

// observed is a record that notes when each claim starts an image.
type observed struct {
	record.Record
	began time.Time

	mu     sync.Mutex
	starts []start
}

func (o *observed) Claim(ctx context.Context, r record.ClaimRequest) (record.Claim, error) {
	c, err := o.Record.Claim(ctx, r)
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.starts = append(o.starts, start{time.Since(o.began), c.Job.Tenant + string(c.Job.Priority), c.Job.ID})
	}
	return c, err
}

// queue is the emulator as a client sees it.
type queue struct{ cloudtaskspb.CloudTasksServer }

func (q queue) CreateTask(
	ctx context.Context, r *cloudtaskspb.CreateTaskRequest, _ ...gax.CallOption,
) (*cloudtaskspb.Task, error) {
	return q.CloudTasksServer.CreateTask(ctx, r)
}

func (q queue) GetTask(ctx context.Context, r *cloudtaskspb.GetTaskRequest, _ ...gax.CallOption) (*cloudtaskspb.Task, error) {
	return q.CloudTasksServer.GetTask(ctx, r)
}

// instant draws a picture after the latency, stores it at once, and never waits
// for a slot.
type instant struct{}

func (instant) Generate(ctx context.Context, _ job.Request) (job.Picture, error) {
	select {
	case <-time.After(latency):
		return job.Picture{ContentType: "image/png"}, nil
	case <-ctx.Done():
		return job.Picture{}, context.Cause(ctx)
	}
}

func (instant) Put(_ context.Context, id string, _ int, p job.Picture) (job.Object, error) {
	return p.Object(id), nil
}

func (instant) Stat(context.Context, string, int) (job.Object, job.Answer, bool, error) {
	return job.Object{}, job.Answer{}, false, nil
}

func (instant) Source(context.Context, job.InputImage) (job.Source, error) { return job.Source{}, nil }

func (instant) Take(context.Context, time.Duration) (time.Time, bool) { return time.Now(), true }

func (instant) Return(context.Context, time.Time) {}

func (instant) OnCancel(context.Context, string, func()) func() { return func() {} }

// simulate runs f against a service with a quota of 60 requests a minute.
func simulate(t *testing.T, f func(*simulation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		observed := &observed{Record: memory.New(), began: time.Now()}
		tasks := &handlers.Tasks{Process: t.Context(), Log: log}
		emulator, err := cloudtasks.New(cloudtasks.Options{
			Transport: cloudtasks.HandlerTransport(http.HandlerFunc(tasks.Generate)),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = emulator.Service().CreateQueue(t.Context(), &cloudtaskspb.CreateQueueRequest{
			Parent: "projects/p/locations/l",
			Queue: &cloudtaskspb.Queue{
				Name:       queueName,
				RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 1, MaxConcurrentDispatches: 40},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		l := lane.Lane{Name: "a", Model: "m", RPM: 60, Concurrency: 40, Queue: queueName}
		producer := enqueue.New(enqueue.Config{
			Record: observed, Queue: queue{emulator.Service()}, Lanes: []lane.Lane{l}, Process: t.Context(), Log: log,
			Target: enqueue.Target{GenerateURL: "http://worker/tasks/generate", DispatchDeadline: 10 * time.Minute},
		})
		tasks.Worker = worker.New(worker.Config{
			Lanes:  []worker.LaneConfig{{Lane: l, Model: job.Model{Name: "m"}, Generator: instant{}, Pacer: instant{}}},
			Record: observed, Images: instant{}, Router: producer, Cancels: instant{}, Limits: worker.DefaultLimits(), Log: log,
		})
		f(&simulation{t: t, began: observed.began, record: observed, producer: producer})
		if err := emulator.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// submit submits jobs for n pictures in all, and returns their IDs.
func (s *simulation) submit(tenant string, weight float64, priority job.Priority, n int) (ids []string) {
	s.t.Helper()
	for n > 0 {
		count := min(n, job.MaxCount)
		j, err := s.producer.Submit(s.t.Context(), enqueue.Submission{
			Tenant: tenant, Weight: weight, Priority: priority, ExpiresIn: 24 * time.Hour,
			Input: job.Input{Prompt: "a fox", Model: "m", Count: count},
		})
		if err != nil {
			s.t.Fatal(err)
		}
		ids = append(ids, j.ID)
		n -= count
	}
	return ids
}

// waitUntil lets time pass until at, counted from the beginning.
func (s *simulation) waitUntil(at time.Duration) { time.Sleep(time.Until(s.began.Add(at))) }

// starts returns a copy of the starts so far.
func (s *simulation) starts() []start {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return append([]start(nil), s.record.starts...)
}

// Three tenants have the weights 1, 1 and 2. At every moment at which a tenant
// has work, it has had its share of the turns since it came, within one
// picture.
func TestFairTurns(t *testing.T) {
	const arrival = 60 * time.Second
	weights := map[string]float64{"big": 1, "small": 1, "double": 2}
	counts := map[string]int{"big": 5000, "small": 2, "double": 500}
	simulate(t, func(s *simulation) {
		s.submit("big", 1, job.PriorityNormal, counts["big"])
		s.waitUntil(arrival)
		s.submit("double", 2, job.PriorityNormal, counts["double"])
		s.submit("small", 1, job.PriorityNormal, counts["small"])
		s.waitUntil(20 * time.Minute)
		starts := s.starts()

		served := map[string]int{}
		ideal := map[string]float64{}
		var small []time.Duration
		for _, st := range starts {
			tenant := st.tenant[:len(st.tenant)-len(job.PriorityNormal)]
			if st.at >= arrival {
				share(ideal, served, weights, counts)
			}
			served[tenant]++
			if st.at < arrival {
				counts[tenant]-- // before the others came
				served[tenant]--
				continue
			}
			if tenant == "small" {
				small = append(small, st.at-arrival)
			}
			for name := range weights {
				if off := math.Abs(float64(served[name]) - ideal[name]); off > 1 && served[name] < counts[name] {
					t.Fatalf("at %s, %s had %d turns, and its share is %.2f", st.at, name, served[name], ideal[name])
				}
			}
		}
		if len(small) != 2 || small[1] > 12*time.Second {
			t.Errorf("the tenant with two pictures waited %v for them", small)
		}
		if n := len(starts); n < 20*60 {
			t.Errorf("%d pictures started in 20 minutes at 60 a minute", n)
		}
		if *plot != "" {
			if err := os.WriteFile(*plot, draw(starts), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// share divides one turn among the tenants that have work, in proportion to
// their weights.
func share(ideal map[string]float64, served map[string]int, weights map[string]float64, counts map[string]int) {
	sum := 0.0
	for name, w := range weights {
		if served[name] < counts[name] {
			sum += w
		}
	}
	for name, w := range weights {
		if served[name] < counts[name] {
			ideal[name] += w / sum
		}
	}
}

// Jobs of low priority wait for those of normal priority, and go on when those
// are done. None waits for ever.
func TestLowYieldsToNormal(t *testing.T) {
	simulate(t, func(s *simulation) {
		s.submit("batch", 1, job.PriorityLow, 300)
		s.waitUntil(time.Minute)
		s.submit("web", 1, job.PriorityNormal, 30)
		s.waitUntil(10 * time.Minute)
		var normal, between, low int
		for _, st := range s.starts() {
			switch {
			case st.tenant == "webnormal":
				normal++
			case normal > 0 && normal < 30:
				between++
			default:
				low++
			}
		}
		if normal != 30 || between != 0 || low != 300 {
			t.Errorf("%d normal, %d low between them, %d low before and after; want 30, 0, 300", normal, between, low)
		}
	})
}

// On a steady queue, a job starts when the estimate said, within a tenth,
// whoever else waits.
func TestEstimatesHold(t *testing.T) {
	simulate(t, func(s *simulation) {
		ids := s.submit("big", 1, job.PriorityNormal, 1600)
		ids = append(ids, s.submit("double", 2, job.PriorityNormal, 480)...)
		ids = append(ids, s.submit("batch", 1, job.PriorityLow, 160)...)
		s.waitUntil(time.Minute) // the queue's burst is over
		asked := time.Since(s.began)
		estimates := map[string]time.Duration{}
		for _, id := range ids {
			j, err := s.record.Get(s.t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if j.Ahead != nil {
				estimates[id] = time.Duration(*j.Ahead) * time.Second // at 60 requests a minute
			}
		}
		s.waitUntil(45 * time.Minute)
		checked := 0
		for _, st := range s.starts() {
			estimate, known := estimates[st.jobID]
			delete(estimates, st.jobID) // later pictures of the job
			wait := st.at - asked
			if !known || wait < time.Minute {
				continue // a tenth of a shorter time is only a request or two
			}
			checked++
			if off := (estimate - wait).Abs(); off > wait/10 {
				t.Errorf("a job of %s was told %s and waited %s", st.tenant, estimate, wait)
			}
		}
		if checked < 100 {
			t.Errorf("only %d jobs were checked", checked)
		}
	})
}
