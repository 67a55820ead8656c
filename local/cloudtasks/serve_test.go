package cloudtasks_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	official "cloud.google.com/go/cloudtasks/apiv2"
	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// The official Go client works over a real port, with a worker on a real port.
func TestOfficialClientOverTCP(t *testing.T) {
	delivered := make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { delivered <- r }))
	defer server.Close()
	emu, err := cloudtasks.Start("localhost:0", cloudtasks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer emu.Close(t.Context())
	client, err := official.NewClient(t.Context(), option.WithEndpoint(emu.Addr()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	if _, err := client.CreateQueue(t.Context(), &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: rateNamed(queueA, 1.0/6)}); err != nil {
		t.Fatal(err)
	}
	task := httpTask("x")
	task.GetHttpRequest().Url = server.URL + "/tasks"
	if _, err := client.CreateTask(t.Context(), &cloudtaskspb.CreateTaskRequest{Parent: queueA, Task: task}); err != nil {
		t.Fatal(err)
	}
	r := <-delivered
	for _, unwanted := range []string{"Content-Type", "Accept-Encoding"} {
		if v := r.Header.Values(unwanted); len(v) > 0 {
			t.Errorf("%s is %q, want none", unwanted, v)
		}
	}
	if r.Header.Get("User-Agent") != "Google-Cloud-Tasks" || r.Header.Get("X-CloudTasks-TaskName") != "x" {
		t.Errorf("headers are %v", r.Header)
	}
	queues := client.ListQueues(t.Context(), &cloudtaskspb.ListQueuesRequest{Parent: location})
	if q, err := queues.Next(); err != nil || q.GetRateLimits().GetMaxDispatchesPerSecond() != 1.0/6 {
		t.Errorf("first queue is %v (%v)", q, err)
	}
	if _, err := queues.Next(); !errors.Is(err, iterator.Done) {
		t.Errorf("second queue: %v, want none", err)
	}
	useBatches(t, client)
	healthy(t, emu.Addr())
}

func rateNamed(name string, perSecond float64) *cloudtaskspb.Queue {
	q := rate(perSecond)
	q.Name = name
	return q
}

// useBatches uses the long-running operations of the client, which are done at once.
func useBatches(t *testing.T, client *official.Client) {
	t.Helper()
	if _, err := client.PauseQueue(t.Context(), &cloudtaskspb.PauseQueueRequest{Name: queueA}); err != nil {
		t.Fatal(err)
	}
	create := &cloudtaskspb.BatchCreateTasksRequest{Parent: queueA, RequestId: "once"}
	for _, id := range []string{"b1", "b2", "b1"} {
		create.Requests = append(create.Requests, &cloudtaskspb.CreateTaskRequest{Parent: queueA, Task: httpTask(id)})
	}
	for range 2 { // the second is the client's retry
		op, err := client.BatchCreateTasks(t.Context(), create)
		if err != nil {
			t.Fatal(err)
		}
		made, err := op.Wait(t.Context())
		if err != nil || len(made.GetTasks()) != 2 {
			t.Fatalf("batch made %v (%v), want two tasks", made, err)
		}
		meta, err := op.Metadata()
		if err != nil || meta.GetState() != cloudtaskspb.BatchCreateTasksMetadata_PARTIALLY_SUCCEEDED || meta.GetFailedRequests()[2] == nil {
			t.Errorf("metadata is %v (%v), want request 2 failed", meta, err)
		}
	}
	op, err := client.BatchDeleteTasks(t.Context(), &cloudtaskspb.BatchDeleteTasksRequest{Parent: queueA, Names: []string{queueA + "/tasks/b1", queueA + "/tasks/b2"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if task, err := client.ListTasks(t.Context(), &cloudtaskspb.ListTasksRequest{Parent: queueA}).Next(); !errors.Is(err, iterator.Done) {
		t.Errorf("left over: %v (%v)", task, err)
	}
}

func healthy(t *testing.T, addr string) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || got.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health is %v (%v)", got, err)
	}
}

// The official client works inside a bubble too, over the in-process connection.
func TestOfficialClientInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		conn, err := b.emu.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client, err := official.NewClient(t.Context(), option.WithGRPCConn(conn))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.CreateQueue(t.Context(), &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: rateNamed(queueA, 1)}); err != nil {
			t.Fatal(err)
		}
		for range 610 {
			if _, err := client.CreateTask(t.Context(), &cloudtaskspb.CreateTaskRequest{Parent: queueA, Task: httpTask("")}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10*time.Minute + time.Second)
		if n := len(b.worker.times()); n != 610 {
			t.Errorf("%d deliveries in ten minutes, want 610", n)
		}
	})
}

// Close waits for deliveries under way, and cuts them off when its context ends.
func TestClose(t *testing.T) {
	for name, c := range map[string]struct {
		patience time.Duration
		outcome  cloudtasks.Outcome
		took     time.Duration
	}{
		"waits":    {time.Hour, cloudtasks.Succeeded, time.Minute},
		"cuts off": {time.Second, cloudtasks.Aborted, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, cloudtasks.Options{},
					func(_ int, _ http.ResponseWriter, r *http.Request) {
						select {
						case <-time.After(time.Minute):
						case <-r.Context().Done():
						}
					})
				b.queue(rate(1))
				for range 11 { // the eleventh would go a second later
					b.create("")
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				b.emu.Close(ctx)
				got := b.dispatches()
				if took := time.Since(start); took != c.took || len(got) != 10 || got[0].Outcome != c.outcome {
					t.Errorf("took %s, dispatches %v; want %s and ten times %s", took, got, c.took, c.outcome)
				}
			})
		})
	}
}

// With a manual clock, hours pass in milliseconds over real sockets.
func TestManualClockOverRealSockets(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := cloudtasks.NewManualClock(start)
	clock.Patience = time.Minute // nothing hangs here but by this clock
	k := &worker{start: start, now: clock.Now}
	k.answer = func(n int, w http.ResponseWriter, r *http.Request) {
		if n < 2 {
			clock.Sleep(r.Context(), 30*time.Minute)
		}
		w.WriteHeader([]int{500, 200, 200}[min(n, 2)])
	}
	server := httptest.NewServer(k)
	defer server.Close()
	emu, err := cloudtasks.New(cloudtasks.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(emu)
	b := &bench{T: t, ctx: t.Context(), emu: emu, tasks: emu.Service()}
	b.queue(&cloudtaskspb.Queue{RetryConfig: retry(time.Hour, time.Hour, 1, 9)})
	task := httpTask("x")
	task.GetHttpRequest().Url = server.URL
	if _, err := b.tryCreate(task); err != nil {
		t.Fatal(err)
	}
	clock.Advance(24 * time.Hour)
	// Cut off at its deadline after ten minutes, and tried again an hour later.
	want := []time.Duration{0, 70 * time.Minute, 140 * time.Minute}
	if diff := cmp.Diff(want, k.times()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	if got := clock.Now().Sub(start); got != 24*time.Hour {
		t.Errorf("the clock moved by %s, want 24h", got)
	}
}
