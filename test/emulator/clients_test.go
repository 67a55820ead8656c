package emulator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/test/emulator"
)

// eachClient runs test with an emulator of its own for each official client.
func eachClient(t *testing.T, test func(*bench), args ...string) {
	t.Helper()
	t.Parallel()
	for kind := range clients {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(connect(t, emulator.Start(t, args...), kind, newReceiver(t, nil)))
		})
	}
}

func TestQueues(t *testing.T) {
	eachClient(t, func(b *bench) {
		want := &cloudtaskspb.Queue{
			Name: queueA, State: cloudtaskspb.Queue_RUNNING,
			RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 1.0 / 6, MaxConcurrentDispatches: 1000, MaxBurstSize: 10},
			RetryConfig: &cloudtaskspb.RetryConfig{
				MaxAttempts: 7, MinBackoff: durationpb.New(time.Second / 4), MaxBackoff: durationpb.New(time.Hour), MaxDoublings: 16,
			},
		}
		got, err := b.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{
			Name: queueA, RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 1.0 / 6},
			RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: 7, MinBackoff: durationpb.New(time.Second / 4)},
		}})
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			b.Fatalf("CreateQueue: %v (-want +got):\n%s", err, diff)
		}
		got, err = b.UpdateQueue(b.ctx, &cloudtaskspb.UpdateQueueRequest{
			Queue: &cloudtaskspb.Queue{
				Name: queueA, RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 3}, RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: 2},
			},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"retry_config.max_attempts", "retry_config.max_doublings"}},
		})
		want.RetryConfig.MaxAttempts, want.RetryConfig.MaxDoublings = 2, 0
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			b.Fatalf("UpdateQueue: %v (-want +got):\n%s", err, diff)
		}
		got, err = b.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			b.Fatalf("GetQueue: %v (-want +got):\n%s", err, diff)
		}
		if err := b.DeleteQueue(b.ctx, &cloudtaskspb.DeleteQueueRequest{Name: queueA}); err != nil {
			b.Fatal(err)
		}
		_, err = b.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
		b.wantError(err, 404, "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.")
		_, err = b.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{Name: queueA}})
		b.wantError(err, 400, "The queue cannot be created because a queue with this name existed too recently.")
		_, err = b.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{
			Name: queueB, RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 501},
		}})
		b.wantError(err, 400, "RateLimits.maxDispatchesPerSecond must be less than or equal to 500.")
	})
}

// wantError checks the status and the words of an error.
func (b *bench) wantError(err error, code int, message string) {
	b.Helper()
	if status(err) != code || !strings.Contains(fmt.Sprint(err), message) {
		b.Errorf("error is %v, want %d %s", err, code, message)
	}
}

func TestTasks(t *testing.T) {
	eachClient(t, func(b *bench) {
		task := b.create(queueA, "once")
		got := b.next()
		want := delivery{method: "POST", path: "/tasks", body: "body\x00\xff"}
		if got.method != want.method || got.path != want.path || got.body != want.body {
			b.Errorf("delivered %+v", got)
		}
		for name, value := range map[string]string{
			"X-Mine": "yes", "User-Agent": "Google-Cloud-Tasks", "X-Cloudtasks-Queuename": "a",
			"X-Cloudtasks-Taskname": "once", "X-Cloudtasks-Taskretrycount": "0", "X-Cloudtasks-Taskexecutioncount": "0",
		} {
			if got.header.Get(name) != value {
				b.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
			}
		}
		b.gone(task.GetName())
		_, err := b.GetTask(b.ctx, &cloudtaskspb.GetTaskRequest{Name: task.GetName()})
		b.wantError(err, 404, "The task no longer exists, though a task with this name existed recently.")
		_, err = b.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{Parent: queueA, Task: b.task(task.GetName())})
		b.wantError(err, 409, "Requested entity already exists")
		_, err = b.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{Parent: queueA, Task: b.task(queueA + "/tasks/ä")})
		b.wantError(err, 400, `Task ID "ä" can contain only letters`)
		_, err = b.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{Parent: location + "/queues/none", Task: b.task("")})
		b.wantError(err, 404, "Queue does not exist.")
		_, err = b.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{Parent: queueA})
		b.wantError(err, 400, "Task is required.")
	}, "--queue", queueA)
}

// A paused queue keeps its tasks; they can be listed, run, deleted and purged.
func TestPauseAndPurge(t *testing.T) {
	eachClient(t, func(b *bench) {
		b.pause(queueA)
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			b.create(queueA, id)
		}
		b.create(queueB, "beside")
		if got := b.next().header.Get("X-Cloudtasks-Queuename"); got != "b" {
			b.Errorf("queue %s delivered, though it is paused", got)
		}
		if _, err := b.RunTask(b.ctx, &cloudtaskspb.RunTaskRequest{Name: queueA + "/tasks/2"}); err != nil {
			b.Fatal(err)
		}
		if got := b.next().header.Get("X-Cloudtasks-Taskname"); got != "2" {
			b.Errorf("task %s was delivered, want 2", got)
		}
		b.gone(queueA + "/tasks/2")
		if err := b.DeleteTask(b.ctx, &cloudtaskspb.DeleteTaskRequest{Name: queueA + "/tasks/4"}); err != nil {
			b.Fatal(err)
		}
		if got := b.list(queueA); !slices.Equal(got, []string{"1", "3", "5"}) {
			b.Errorf("tasks are %q", got)
		}
		b.resume(queueA)
		var came []string
		for range 3 {
			came = append(came, b.next().header.Get("X-Cloudtasks-Taskname"))
		}
		slices.Sort(came)
		if !slices.Equal(came, []string{"1", "3", "5"}) {
			b.Errorf("delivered %q", came)
		}
		b.pause(queueA)
		b.create(queueA, "purged")
		q, err := b.PurgeQueue(b.ctx, &cloudtaskspb.PurgeQueueRequest{Name: queueA})
		if err != nil || q.GetPurgeTime() == nil || len(b.list(queueA)) > 0 {
			b.Errorf("after a purge: %v, %v, tasks %q", err, q, b.list(queueA))
		}
		b.none()
	}, "--queue", queueA, "--queue", queueB)
}

// A task that fails comes again, and the queue's tasks go on at once when its rate
// is raised.
func TestRetryAndChange(t *testing.T) {
	t.Parallel()
	for kind := range clients {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			// The bucket of ten tokens is empty after ten deliveries. The next token
			// would come after a thousand seconds.
			p := emulator.Start(t, "--queue", queueA+",max_dispatches_per_second=0.001,min_backoff=10ms,max_backoff=10ms")
			b := connect(t, p, kind, newReceiver(t, failing(1)))
			for i := range 10 {
				b.create(queueA, fmt.Sprint(i))
			}
			counts := map[[2]string]int{} // deliveries by number of attempts before and the answer to the last of them
			count := func() {
				h := b.next().header
				counts[[2]string{h.Get("X-Cloudtasks-Taskretrycount"), h.Get("X-Cloudtasks-Taskpreviousresponse")}]++
			}
			for range 10 {
				count()
			}
			_, err := b.UpdateQueue(b.ctx, &cloudtaskspb.UpdateQueueRequest{
				Queue:      &cloudtaskspb.Queue{Name: queueA, RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 500}},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"rate_limits.max_dispatches_per_second"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			count()
			if diff := cmp.Diff(map[[2]string]int{{"0", ""}: 10, {"1", "500"}: 1}, counts); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
		})
	}
}

// list returns the IDs of a queue's tasks, read in pages of two.
func (b *bench) list(queue string) (ids []string) {
	b.Helper()
	it := b.ListTasks(b.ctx, &cloudtaskspb.ListTasksRequest{Parent: queue, PageSize: 2, ResponseView: cloudtaskspb.Task_FULL})
	for {
		task, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return ids
		}
		if err != nil {
			b.Fatal(err)
		}
		if body := string(task.GetHttpRequest().GetBody()); body != "body\x00\xff" {
			b.Errorf("the body of %s is %q", task.GetName(), body)
		}
		ids = append(ids, strings.TrimPrefix(task.GetName(), queue+"/tasks/"))
	}
}

func TestListQueues(t *testing.T) {
	eachClient(t, func(b *bench) {
		it := b.ListQueues(b.ctx, &cloudtaskspb.ListQueuesRequest{Parent: location, PageSize: 1, Filter: "state: RUNNING"})
		var names []string
		for {
			q, err := it.Next()
			if errors.Is(err, iterator.Done) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			names = append(names, q.GetName())
		}
		if !slices.Equal(names, []string{queueA, queueB, location + "/queues/d"}) {
			b.Errorf("queues are %q", names)
		}
	}, "--queue", queueB, "--queue", location+"/queues/d", "--queue", location+"/queues/c,state=PAUSED", "--queue", queueA)
}

// A task waits for its schedule time.
func TestScheduleTime(t *testing.T) {
	eachClient(t, func(b *bench) {
		due := time.Now().Add(1500 * time.Millisecond).Truncate(time.Microsecond)
		task := b.task("")
		task.ScheduleTime = timestamppb.New(due)
		got, err := b.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{Parent: queueA, Task: task})
		if err != nil || !got.GetScheduleTime().AsTime().Equal(due) {
			b.Fatalf("CreateTask: %v, %v", err, got)
		}
		if at := b.next().at; at.Before(due) {
			b.Errorf("delivered %s too early", due.Sub(at))
		}
	}, "--queue", queueA)
}
