package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/worker"
)

// A delivery runs from the task to the recorded picture. The record is the real
// one in memory. The rest is as small as possible.
func Example() {
	ctx := context.Background()
	rec := memory.New()
	banana := lane.Lane{Name: "default", Model: "banana", RPM: 60}
	w := worker.New(worker.Config{
		Lanes: []worker.LaneConfig{{
			Lane: banana, Model: job.Model{Name: banana.Model}, Generator: painter{}, Pacer: alwaysNow{},
		}},
		Record: rec, Images: shelf{}, Router: noRouter{}, Cancels: noCancels{},
		Limits: worker.DefaultLimits(), Log: slog.New(slog.DiscardHandler),
	})

	// The producer records a job; a queue would deliver its task.
	_, tasks, err := rec.Create(ctx, record.Draft{
		ID: "0199a5a0-0000-7000-8000-000000000000", Tenant: "web", Weight: 1, Priority: job.PriorityNormal,
		Lanes: []string{banana.Name},
		Input: job.Input{Prompt: "a lighthouse", Model: banana.Model, Count: 1}, ExpiresIn: time.Hour,
	})
	if err != nil {
		panic(err)
	}
	for range 2 { // the second time there is nothing left to do
		verdict, err := w.Deliver(ctx, tasks[0])
		fmt.Println(verdict == worker.VerdictDone, err)
	}
	j, err := rec.Get(ctx, tasks[0].JobID)
	fmt.Println(j.Status, j.Images[0].Object.Key, err)
	// Output:
	// draws "a lighthouse"
	// true <nil>
	// true <nil>
	// succeeded images/0199a5a0-0000-7000-8000-000000000000/0 <nil>
}

// painter is a Generator.
type painter struct{}

func (painter) Generate(_ context.Context, r job.Request) (job.Picture, error) {
	fmt.Printf("draws %q\n", r.Prompt)
	return job.Picture{Data: []byte("a picture"), ContentType: "image/png"}, nil
}

// alwaysNow is a Pacer whose next slot has always come.
type alwaysNow struct{}

func (alwaysNow) Take(context.Context, time.Duration) (time.Time, bool) { return time.Now(), true }

func (alwaysNow) Return(context.Context, time.Time) {}

// shelf is an ImageStore that keeps nothing.
type shelf struct{}

func (shelf) Put(_ context.Context, jobID string, index int, p job.Picture) (job.Object, error) {
	return p.Object(fmt.Sprintf("images/%s/%d", jobID, index)), nil
}

func (shelf) Stat(context.Context, string, int) (job.Object, job.Answer, bool, error) {
	return job.Object{}, job.Answer{}, false, nil
}

func (shelf) Source(context.Context, job.InputImage) (job.Source, error) { return job.Source{}, nil }

// noRouter is a Router: no task has to be put anywhere here.
type noRouter struct{}

func (noRouter) Route(context.Context, string) (string, time.Time, error) {
	return "", time.Time{}, nil
}

func (noRouter) Put(context.Context, time.Time, ...job.Task) error { return nil }

// noCancels tells of no canceled job.
type noCancels struct{}

func (noCancels) OnCancel(context.Context, string, func()) (stop func()) { return func() {} }
