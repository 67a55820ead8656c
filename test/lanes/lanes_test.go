//go:build !race

// Package lanes_test changes the lanes of a service while it has work. It runs the
// real producer, worker and sweep against the emulator, on a clock that tests set.
//
// It does not run under the race detector, for the reasons of test/fairness.
package lanes_test

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
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
	"github.com/ai-worker/ai-worker/sweep"
	"github.com/ai-worker/ai-worker/worker"
)

const (
	location = "projects/p/locations/l"
	latency  = 10 * time.Second // of a picture
)

// A service is the service without its network.
type service struct {
	*testing.T

	record   *memory.Record
	emulator *cloudtasks.Emulator
	worker   atomic.Pointer[worker.Worker] // of the latest deploy
	producer *enqueue.Producer
	sweeper  *sweep.Sweeper
	lanes    []lane.Lane

	mu      sync.Mutex
	asked   map[string]int // requests by lane and model
	retired string         // a model that there is no more
}

// Deliver hands a delivery to the worker of the latest deploy.
func (s *service) Deliver(ctx context.Context, t job.Task) (worker.Verdict, error) {
	return s.worker.Load().Deliver(ctx, t)
}

// run runs f against a service that has no lanes yet.
func run(t *testing.T, f func(*service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &service{T: t, record: memory.New(), asked: map[string]int{}}
		tasks := &handlers.Tasks{Worker: s, Process: t.Context(), Log: slog.New(slog.DiscardHandler)}
		var err error
		s.emulator, err = cloudtasks.New(cloudtasks.Options{
			Transport: cloudtasks.HandlerTransport(http.HandlerFunc(tasks.Generate)),
		})
		if err != nil {
			t.Fatal(err)
		}
		f(s)
		if err := s.emulator.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// quota returns a lane of 60 requests a minute.
func quota(name, model string, alsoServes ...string) lane.Lane {
	return lane.Lane{
		Name: name, Model: model, RPM: 60, Concurrency: 25, Queue: location + "/queues/" + name, AlsoServes: alsoServes,
	}
}

func paused(l lane.Lane) lane.Lane {
	l.Paused = true
	return l
}

// deploy starts the service anew with lanes, as Terraform does: it makes their
// queues, stops those of paused lanes, and deletes those of lanes that are gone.
func (s *service) deploy(lanes ...lane.Lane) {
	s.Helper()
	log := slog.New(slog.DiscardHandler)
	s.producer = enqueue.New(enqueue.Config{
		Record: s.record, Queue: queue{s.emulator.Service()}, Lanes: lanes, Process: s.Context(), Log: log,
		Target: enqueue.Target{GenerateURL: "http://worker/tasks/generate", DispatchDeadline: 10 * time.Minute},
	})
	cfg := worker.Config{
		Record: s.record, Images: stub{}, Router: s.producer, Cancels: stub{}, Limits: worker.DefaultLimits(), Log: log,
	}
	for _, l := range lanes {
		s.setQueue(l)
		cfg.Lanes = append(cfg.Lanes, worker.LaneConfig{
			Lane: l, Model: job.Model{Name: l.Model}, Generator: generator{s, l.Name}, Pacer: stub{},
		})
	}
	for _, l := range s.lanes {
		if _, known := lane.Find(lanes, l.Name); known {
			continue
		}
		if _, err := s.emulator.Service().DeleteQueue(s.Context(), &cloudtaskspb.DeleteQueueRequest{Name: l.Queue}); err != nil {
			s.Fatal(err)
		}
	}
	s.lanes = lanes
	s.worker.Store(worker.New(cfg))
	s.sweeper = &sweep.Sweeper{Record: s.record, Producer: s.producer, Lanes: lanes, Objects: stub{}, Log: log}
}

func (s *service) setQueue(l lane.Lane) {
	s.Helper()
	service := s.emulator.Service()
	_, _ = service.CreateQueue(s.Context(), &cloudtaskspb.CreateQueueRequest{ // or it is there
		Parent: location,
		Queue: &cloudtaskspb.Queue{Name: l.Queue, RateLimits: &cloudtaskspb.RateLimits{
			MaxDispatchesPerSecond: float64(l.RPM) / 60, MaxConcurrentDispatches: int32(l.Concurrency),
		}},
	})
	var err error
	if l.Paused {
		_, err = service.PauseQueue(s.Context(), &cloudtaskspb.PauseQueueRequest{Name: l.Queue})
	} else {
		_, err = service.ResumeQueue(s.Context(), &cloudtaskspb.ResumeQueueRequest{Name: l.Queue})
	}
	if err != nil {
		s.Fatal(err)
	}
}

// submit submits jobs for n pictures of a model in all, and waits until as many
// are worked on as the queues let through at once.
func (s *service) submit(model string, n int) (ids []string) {
	s.Helper()
	for ; n > 0; n -= job.MaxCount {
		j, err := s.producer.Submit(s.Context(), enqueue.Submission{
			Tenant: "web", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: 2 * time.Hour,
			Input: job.Input{Prompt: "a fox", Model: model, Count: min(n, job.MaxCount)},
		})
		if err != nil {
			s.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	synctest.Wait()
	return ids
}

// sweep sweeps n times, a minute apart.
func (s *service) sweep(n int) {
	s.Helper()
	for range n {
		if _, err := s.sweeper.Sweep(s.Context()); err != nil {
			s.Error(err)
		}
		time.Sleep(time.Minute)
	}
}

func (s *service) backlog() record.Backlog {
	s.Helper()
	b, err := s.record.Backlog(s.Context(), time.Minute)
	if err != nil {
		s.Fatal(err)
	}
	return b
}

// requests returns how many requests a lane has made for a model.
func (s *service) requests(lane, model string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[lane+" "+model]
}

// retire makes requests for a model fail from now on.
func (s *service) retire(model string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = model
}

// wantDone checks that nothing waits, and which lanes made how many requests for
// which model. A number below 0 is the least.
func (s *service) wantDone(want map[string]int) {
	s.Helper()
	if b := s.backlog(); b.Waiting+b.Processing > 0 {
		s.Errorf("%d images wait, %d of them parked, and %d are worked on", b.Waiting, b.Parked, b.Processing)
	}
	s.wantAsked(want)
}

func (s *service) wantAsked(want map[string]int) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for who, n := range want {
		if got := s.asked[who]; got != n && (n >= 0 || got < -n) {
			s.Errorf("%s made %d requests, want %d", who, got, n)
		}
	}
	for who, n := range s.asked {
		if want[who] == 0 {
			s.Errorf("%s made %d requests, want none", who, n)
		}
	}
}

// wantNothingClosed checks that no lane was ever closed.
func (s *service) wantNothingClosed() {
	s.Helper()
	states, err := s.record.LaneStates(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for _, l := range states {
		if l.Reason != nil {
			s.Errorf("lane %s was closed: %v", l.Name, l.Reason)
		}
	}
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

// A generator draws pictures with a lane's key.
type generator struct {
	service *service
	lane    string
}

func (g generator) Generate(ctx context.Context, r job.Request) (job.Picture, error) {
	g.service.mu.Lock()
	retired := r.Model == g.service.retired
	g.service.asked[g.lane+" "+r.Model]++
	g.service.mu.Unlock()
	if retired {
		return job.Picture{}, &job.Failure{
			Public: job.Error{Code: job.CodeLaneUnavailable, Message: "no such model"}, Remedy: job.RemedyStop,
		}
	}
	select {
	case <-time.After(latency):
	case <-ctx.Done():
		return job.Picture{}, context.Cause(ctx)
	}
	return job.Picture{ContentType: "image/png"}, nil
}

// stub stores pictures at once, and never waits for a slot.
type stub struct{ sweep.Objects }

func (stub) Put(_ context.Context, id string, _ int, p job.Picture) (job.Object, error) {
	return p.Object(id), nil
}

func (stub) Stat(context.Context, string, int) (job.Object, job.Answer, bool, error) {
	return job.Object{}, job.Answer{}, false, nil
}

func (stub) Source(context.Context, job.InputImage) (job.Source, error) { return job.Source{}, nil }

func (stub) RemoveJob(context.Context, job.Job) error { return nil }

func (stub) Return(context.Context, time.Time) {}

func (stub) Take(context.Context, time.Duration) (time.Time, bool) { return time.Now(), true }

func (stub) OnCancel(context.Context, string, func()) func() { return func() {} }
