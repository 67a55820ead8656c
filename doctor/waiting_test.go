package doctor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/record"
)

// still returns a record in which two images wait and nothing has moved for
// long.
func still() told {
	return told{backlog: record.Backlog{Waiting: 2, Waits: 30 * time.Minute, Idle: 20 * time.Minute}}
}

// put puts a task for an address on the queue.
func (q *queueTest) put(t *testing.T, address string, at time.Time) {
	t.Helper()
	task := &cloudtaskspb.Task{
		MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: &cloudtaskspb.HttpRequest{Url: address}},
	}
	if !at.IsZero() {
		task.ScheduleTime = timestamppb.New(at)
	}
	if _, err := q.client.CreateTask(t.Context(), &cloudtaskspb.CreateTaskRequest{Parent: queueName, Task: task}); err != nil {
		t.Fatal(err)
	}
}

// Each row has the worker's answer to deliveries and the cause that doctor
// names for it.
func TestWaitingForAWorkerThatRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer int // 0 means that nobody is there
		want   want
	}{
		"by Cloud Run":     {403, want{doctor.Failed, "waiting", "HTTP status code 403", "gcloud run services add-iam-policy-binding ai-worker --region=REGION --member=serviceAccount:" + account + " --role=roles/run.invoker"}},
		"by itself":        {401, want{doctor.Failed, "waiting", "HTTP status code 401", "TASKS_AUDIENCE"}},
		"by its address":   {404, want{doctor.Failed, "waiting", "HTTP status code 404", "WORKER_URL"}},
		"for its database": {503, want{doctor.Failed, "waiting", "HTTP status code 503", "could not reach the database"}},
		"for its limit":    {429, want{doctor.Failed, "waiting", "HTTP status code 429", "out of instances"}},
		"for a dead one":   {409, want{doctor.Failed, "waiting", "HTTP status code 409", "memory"}},
		"too late":         {504, want{doctor.Failed, "waiting", "HTTP status code 504", "10 minutes"}},
		"for a fault":      {500, want{doctor.Failed, "waiting", "HTTP status code 500", "log says why"}},
		"by its absence":   {0, want{doctor.Failed, "waiting", "UNAVAILABLE", "delivery line"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			delivered := make(chan struct{}, 10)
			q := setupQueue(t, cloudtasks.Options{OnDispatch: func(cloudtasks.Dispatch) { delivered <- struct{}{} }})
			q.set(t, func(pb *cloudtaskspb.Queue) {
				pb.RetryConfig.MinBackoff = durationpb.New(time.Hour)
				pb.RetryConfig.MaxBackoff = durationpb.New(time.Hour)
			})
			address := "http://" + nobody(t)
			if tt.answer != 0 {
				worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.answer) }))
				t.Cleanup(worker.Close)
				address = worker.URL
			}
			q.put(t, address, time.Time{})
			q.put(t, address, time.Time{})
			<-delivered
			<-delivered
			got := examineWork(t, still(), q.open)
			expect(t, got[:1], tt.want)
		})
	}
}

func TestWaitingForNoTask(t *testing.T) {
	t.Parallel()
	q := setupQueue(t, cloudtasks.Options{})
	expect(t, examineWork(t, still(), q.open)[:1], want{
		doctor.Failed, "waiting", "2 images wait, the oldest since 30 min, and for 20 min none has been started: the queues hold no task",
		"ai-worker-sweep",
	})
}

// Many images may wait for a small quota. That is in order.
func TestWaitingForLong(t *testing.T) {
	t.Parallel()
	r := told{backlog: record.Backlog{Waiting: 12_000, Processing: 20, Waits: 170 * time.Minute, Idle: time.Second}}
	expect(t, examineWork(t, r, nil)[:1], want{doctor.OK, "waiting", "12000 images wait, the oldest since 3h, which take 3h at the lanes' quota", ""})
}

func TestWaitingForALaterTime(t *testing.T) {
	t.Parallel()
	q := setupQueue(t, cloudtasks.Options{})
	for range 2 {
		q.put(t, "http://worker.example.com", time.Now().Add(time.Hour))
	}
	expect(t, examineWork(t, still(), q.open)[:1], want{doctor.OK, "waiting", "they wait for a later time", ""})
}

// The queue delivers one task at a time. The first delivery does not end, so
// the other task is due and not delivered.
func TestWaitingForADelivery(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	worker := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-end
	}))
	t.Cleanup(worker.Close)
	t.Cleanup(func() { close(end) })
	q := setupQueue(t, cloudtasks.Options{})
	q.set(t, func(pb *cloudtaskspb.Queue) { pb.RateLimits.MaxConcurrentDispatches = 1 })
	q.put(t, worker.URL, time.Time{})
	q.put(t, worker.URL, time.Time{})
	<-begun
	expect(t, examineWork(t, still(), q.open)[:1], want{doctor.Failed, "waiting", "Cloud Tasks has not delivered them", "queue's line"})
}

// blind is a client that may look at queues, but not at tasks.
type blind struct{ doctor.Queues }

func (blind) GetQueue(context.Context, *cloudtaskspb.GetQueueRequest, ...gax.CallOption) (*cloudtaskspb.Queue, error) {
	return &cloudtaskspb.Queue{State: cloudtaskspb.Queue_RUNNING}, nil
}

func TestWaitingForWhoKnowsWhat(t *testing.T) {
	t.Parallel()
	q := setupQueue(t, cloudtasks.Options{})
	missing := laneA()
	missing.Quota.Queue = "projects/p/locations/l/queues/other"
	denied := refusing{looked: grpcstatus.Error(codes.PermissionDenied, "no")}
	for name, tt := range map[string]struct {
		lane   doctor.LaneSettings
		queues doctor.Open[doctor.Queues]
		want   want
	}{
		"no credentials": {laneA(), closedQueues, want{doctor.Failed, "waiting", "no delivery gets through", "logs read"}},
		"no permission": {
			laneA(), func(context.Context) (doctor.Queues, error) { return denied, nil },
			want{doctor.Failed, "waiting", "a queue cannot be looked at", "queues' lines"},
		},
		"no permission for tasks": {
			missing, func(context.Context) (doctor.Queues, error) { return blind{q.client}, nil },
			want{doctor.Failed, "waiting", "no delivery gets through", "logs read"},
		},
		"no queue": {missing, q.open, want{doctor.Failed, "waiting", "a queue cannot be looked at", "queues' lines"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := examine(t, doctor.Work{Lanes: []doctor.LaneSettings{tt.lane}, Record: still(), Queues: tt.queues, Account: account}.Check())
			expect(t, got[:1], tt.want)
		})
	}
}
