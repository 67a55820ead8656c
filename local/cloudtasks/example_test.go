package cloudtasks_test

import (
	"context"
	"fmt"
	"net/http"

	official "cloud.google.com/go/cloudtasks/apiv2"
	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/api/option"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// A test in Go needs neither a port nor a real worker: the official client talks
// to the emulator in this process, and the emulator to a handler.
func Example() {
	ctx := context.Background()
	delivered := make(chan cloudtasks.Dispatch, 1)
	emu, err := cloudtasks.New(cloudtasks.Options{
		Transport: cloudtasks.HandlerTransport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		})),
		OnDispatch: func(d cloudtasks.Dispatch) { delivered <- d },
	})
	if err != nil {
		panic(err)
	}
	defer emu.Close(ctx)
	conn, err := emu.Dial(ctx)
	if err != nil {
		panic(err)
	}
	client, err := official.NewClient(ctx, option.WithGRPCConn(conn))
	if err != nil {
		panic(err)
	}
	defer client.Close()

	parent := "projects/demo/locations/here"
	queue, err := client.CreateQueue(ctx, &cloudtaskspb.CreateQueueRequest{Parent: parent, Queue: &cloudtaskspb.Queue{
		Name:       parent + "/queues/pictures",
		RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 10.0 / 60},
	}})
	if err != nil {
		panic(err)
	}
	_, err = client.CreateTask(ctx, &cloudtaskspb.CreateTaskRequest{Parent: queue.GetName(), Task: &cloudtaskspb.Task{
		Name:        queue.GetName() + "/tasks/first",
		MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: &cloudtaskspb.HttpRequest{Url: "http://worker/tasks"}},
	}})
	if err != nil {
		panic(err)
	}
	d := <-delivered
	fmt.Println(d.Task, d.Status, d.Outcome)
	// Output: projects/demo/locations/here/queues/pictures/tasks/first 204 succeeded
}
