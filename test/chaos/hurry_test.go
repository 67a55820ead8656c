package chaos_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sweepServed says whether the service has the sweep. Without the sweep, an
// image that has lost its task in a crash goes on waiting, and counts as
// stranded. With it, no image may be stranded.
const sweepServed = true

// soon is how far away a task's time must be for the task to be run early.
// Others come by themselves.
const soon = time.Second

// hurry runs the tasks that wait for a later time now, except those on queues
// that are paused or about to be deleted.
func (d *deployment) hurry(ctx context.Context) {
	for _, l := range d.setups.now().lanes() {
		if !l.Paused {
			d.hurryQueue(ctx, l.Queue)
		}
	}
	if d.receiver != nil {
		d.hurryQueue(ctx, webhookQueue)
	}
}

func (d *deployment) hurryQueue(ctx context.Context, name string) {
	queue := d.queue.Service()
	listed, err := queue.ListTasks(ctx, &cloudtaskspb.ListTasksRequest{Parent: name, PageSize: 1000})
	if status.Code(err) == codes.NotFound {
		return // deleted meanwhile
	}
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
// service account. It lets an hour pass first, so that the sweep acts on
// everything that crashes left behind.
func (d *deployment) sweep(ctx context.Context) {
	switch d.sweepStatus.Load() {
	case http.StatusNotFound:
		if sweepServed {
			d.t.Error("there is no sweep")
		}
		return
	case http.StatusOK:
		if d.age(ctx) {
			// The record says that the pause is over, but processes may
			// remember it. They are deployed again, as an operator does who has
			// mended the lane.
			d.crew.replaceAll(d.t.Context()) // to its end, even if ctx comes first
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

// awaitEnd waits until every image has ended. Without the sweep, it also stops
// when the queue is empty: the rest would wait for ever. It fails if no image
// ends for as long as patience. A slow machine takes long for all images, but
// not for one.
func (d *deployment) awaitEnd(ctx context.Context, patience time.Duration) {
	d.t.Helper()
	limited, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stuck := time.AfterFunc(patience, giveUp)
	defer stuck.Stop()
	const leftSQL = `SELECT count(*) FROM images WHERE status IN ('queued', 'processing')`
	left, least := 0, math.MaxInt
	ended := until(limited, func() bool {
		if err := d.record.read(limited, leftSQL, &left); err != nil {
			return false
		}
		if left < least {
			least = left
			stuck.Reset(patience)
		}
		return left == 0 || !sweepServed && d.queuesAreEmpty()
	})
	if !ended {
		d.t.Errorf("%d images are left, and none has ended for %s; %s", least, patience, d.leftovers())
	}
}

func (d *deployment) queuesAreEmpty() bool {
	for _, l := range d.setups.now().lanes() {
		if s, _ := d.queue.Stats(l.Queue); s.Tasks+s.InFlight > 0 {
			return false
		}
	}
	return true
}

// leftovers describes the queues, the lanes and what has not ended.
func (d *deployment) leftovers() string {
	var text strings.Builder
	for _, name := range d.queue.Queues() {
		stats, _ := d.queue.Stats(name)
		fmt.Fprintf(&text, "\nqueue %s: %+v", name, stats)
	}
	for _, sql := range []string{
		`SELECT coalesce(json_agg(l), '[]')::text FROM lanes l`,
		`SELECT coalesce(json_agg(i), '[]')::text FROM images i WHERE status IN ('queued', 'processing')`,
	} {
		rows := ""
		err := d.record.read(d.t.Context(), sql, &rows)
		fmt.Fprintf(&text, "\n%s %v", rows, err)
	}
	return text.String()
}
