package enqueue

import (
	"encoding/json"
	"net/http"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/job"
)

// A Target says which addresses deliveries call, and as which account.
type Target struct {
	GenerateURL      string // where the worker takes deliveries
	SweepURL         string // where it is asked for a sweep
	ServiceAccount   string // email of the account that signs deliveries; empty for none
	Audience         string // of the signed token
	DispatchDeadline time.Duration
	SweepQueue       string // full name of the queue that sweeps wait on; empty for none
	Webhooks         WebhookTarget
}

// Body is the body of a task's delivery.
type Body struct {
	JobID    string `json:"job_id"`
	Index    int    `json:"index"`
	Dispatch int    `json:"dispatch"`
	Lane     string `json:"lane"`
}

// Task returns the task that b describes.
func (b Body) Task() job.Task { return job.Task(b) }

// newRequest returns the call that puts a task on a queue. The task is
// delivered at once, or not before at if that is set. The headers travel with
// the delivery.
func (t Target) newRequest(queue string, task job.Task, at time.Time, headers map[string]string) (*cloudtaskspb.CreateTaskRequest, error) {
	body, err := json.Marshal(Body(task))
	if err != nil {
		return nil, err
	}
	req := &cloudtaskspb.HttpRequest{
		HttpMethod: cloudtaskspb.HttpMethod_POST,
		Url:        t.GenerateURL,
		// Cloud Tasks sets no content type of its own.
		Headers: map[string]string{"Content-Type": "application/json"},
		Body:    body,
	}
	for name, value := range headers {
		req.Headers[http.CanonicalHeaderKey(name)] = value
	}
	created := &cloudtaskspb.Task{
		Name:             taskName(queue, task),
		MessageType:      &cloudtaskspb.Task_HttpRequest{HttpRequest: t.sign(req)},
		DispatchDeadline: durationpb.New(t.DispatchDeadline),
	}
	if !at.IsZero() {
		created.ScheduleTime = timestamppb.New(at)
	}
	return &cloudtaskspb.CreateTaskRequest{Parent: queue, Task: created}, nil
}

// taskName returns a task's full name on a queue.
func taskName(queue string, task job.Task) string { return queue + "/tasks/" + task.ID() }
