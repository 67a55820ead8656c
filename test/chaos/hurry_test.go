package chaos_test

import (
	"context"
	"math"
	"net/http"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sweepServed says whether the service has the sweep. Until it does, an image
// whose task a crash has taken is left waiting, and counted as stranded; with
// it, none may be.
const sweepServed = true

// soon is how far away a task's time must be to be run early. Nearer ones come
// by themselves.
const soon = time.Second

// hurry runs the tasks that wait for a later time.
func (d *deployment) hurry(ctx context.Context) {
	queue := d.queue.Service()
	listed, err := queue.ListTasks(ctx, &cloudtaskspb.ListTasksRequest{Parent: queueName, PageSize: 1000})
	if err != nil {
		d.t.Errorf("list tasks: %v", err)
		return
	}
	for _, task := range listed.GetTasks() {
		if time.Until(task.GetScheduleTime().AsTime()) < soon {
			continue
		}
		_, err := queue.RunTask(ctx, &cloudtaskspb.RunTaskRequest{Name: task.GetName()})
		if err == nil {
			d.runEarly.Add(1)
		} else if status.Code(err) != codes.NotFound { // it may have ended by now
			d.t.Errorf("run a task: %v", err)
		}
	}
}

// sweep calls the service's sweep as Cloud Scheduler does, with a token of the
// service account's. An hour passes first, so that what is left behind counts
// as such.
func (d *deployment) sweep(ctx context.Context) {
	switch d.sweepStatus.Load() {
	case http.StatusNotFound:
		if sweepServed {
			d.t.Error("there is no sweep")
		}
		return
	case http.StatusOK:
		if d.age(ctx) {
			// The record says that the pause is over. Processes that remember
			// it are deployed anew, as by whoever has mended the lane.
			for n := range workerCount {
				d.crew.replace(d.t.Context(), n) // to its end, even if ctx comes first
			}
		}
	}
	_, err := d.queue.Service().CreateTask(ctx, &cloudtaskspb.CreateTaskRequest{
		Parent: sweepQueue, Task: &cloudtaskspb.Task{
			MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: &cloudtaskspb.HttpRequest{
				HttpMethod: cloudtaskspb.HttpMethod_POST, Url: d.proxy.URL() + "/tasks/sweep",
				AuthorizationHeader: &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{
					ServiceAccountEmail: serviceAccount, Audience: d.proxy.URL(),
				}},
			}},
		},
	})
	if err != nil && ctx.Err() == nil {
		d.t.Errorf("sweep: %v", err)
	}
}

// awaitEnd waits until every image has ended, or can only wait for a sweep that
// there is not: nothing is on the queue any more. It fails when none ends for as
// long as patience: a slow machine takes long for all of them, not for one.
func (d *deployment) awaitEnd(ctx context.Context, patience time.Duration) {
	d.t.Helper()
	limited, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stuck := time.AfterFunc(patience, giveUp)
	defer stuck.Stop()
	const leftSQL = `SELECT count(*) FROM images WHERE status IN ('queued', 'processing')`
	left, least := 0, math.MaxInt
	ended := until(limited, func() bool {
		before, _ := d.queue.Stats(queueName)
		if err := d.record.read(limited, leftSQL, &left); err != nil {
			return false
		}
		if left < least {
			least = left
			stuck.Reset(patience)
		}
		return left == 0 || !sweepServed && before.Tasks == 0 && before.InFlight == 0
	})
	if !ended {
		stats, _ := d.queue.Stats(queueName)
		d.t.Errorf("%d images are left, and none has ended for %s; the queue: %+v", least, patience, stats)
	}
}
