package enqueue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"github.com/googleapis/gax-go/v2"
	oteltrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/status"
	"github.com/ai-worker/ai-worker/status/sqlite"
)

const queueName = "projects/p/locations/l/queues/images-v1"

// queue notes what is created, and answers with errs first.
type queue struct {
	mu       sync.Mutex
	requests []*cloudtaskspb.CreateTaskRequest
	errs     []error
	gone     []string // names of tasks that are not there any more
	looked   atomic.Int64
}

func (q *queue) CreateTask(
	ctx context.Context, req *cloudtaskspb.CreateTaskRequest, opts ...gax.CallOption,
) (*cloudtaskspb.Task, error) {
	call := func(context.Context, gax.CallSettings) error {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.requests = append(q.requests, req)
		if len(q.errs) == 0 {
			return nil
		}
		err := q.errs[0]
		q.errs = q.errs[1:]
		return err
	}
	return req.GetTask(), gax.Invoke(ctx, call, opts...)
}

func (q *queue) GetTask(
	_ context.Context, req *cloudtaskspb.GetTaskRequest, _ ...gax.CallOption,
) (*cloudtaskspb.Task, error) {
	q.looked.Add(1)
	if slices.Contains(q.gone, req.GetName()) {
		return nil, grpcstatus.Error(codes.NotFound, "gone")
	}
	return &cloudtaskspb.Task{Name: req.GetName()}, nil
}

// inputs notes the keys of what is uploaded.
type inputs struct {
	stored []string
	err    error
}

func (i *inputs) PutInput(_ context.Context, jobID string, n int, _ []byte, _ string) (string, error) {
	key := jobID + "/" + string(rune('0'+n))
	i.stored = append(i.stored, key)
	return key, i.err
}

type bundle struct {
	*enqueue.Producer
	store  status.Store
	queue  *queue
	inputs *inputs
	log    *bytes.Buffer // a line of JSON for each entry
	ahead  time.Duration // of the record's clock
}

// advance lets time pass in the record.
func (b *bundle) advance(d time.Duration) { b.ahead += d }

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{queue: &queue{}, inputs: &inputs{}, log: &bytes.Buffer{}}
	store, err := sqlite.Open(t.Context(), t.TempDir()+"/jobs.db",
		sqlite.WithClock(func() time.Time { return time.Now().Add(b.ahead) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b.store = store
	b.Producer = enqueue.New(store, b.queue, b.inputs, enqueue.Target{
		URL: "https://worker.example.com", ServiceAccount: "tasks@p.iam.gserviceaccount.com",
		Audience: "https://worker.example.com", DispatchDeadline: 10 * time.Minute,
	}, []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: queueName}}, slog.New(slog.NewJSONHandler(b.log, nil)))
	return b
}

func submission() enqueue.Submission {
	return enqueue.Submission{
		Tenant:    "web",
		Weight:    1,
		Priority:  job.PriorityNormal,
		Input:     job.Input{Prompt: "a fox", Model: "m", Count: 2},
		ExpiresIn: time.Hour,
	}
}

// traced is a context in a known trace.
func traced(ctx context.Context) context.Context {
	return oteltrace.ContextWithSpanContext(ctx, oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
		TraceID: oteltrace.TraceID{1}, SpanID: oteltrace.SpanID{2}, TraceFlags: oteltrace.FlagsSampled,
	}))
}

func TestSubmitPutsOneTaskPerPictureOnTheQueue(t *testing.T) {
	b := setup(t)
	j, err := b.Submit(traced(t.Context()), submission())
	if err != nil {
		t.Fatal(err)
	}
	var want []*cloudtaskspb.CreateTaskRequest
	for i := range 2 {
		want = append(want, &cloudtaskspb.CreateTaskRequest{
			Parent: queueName,
			Task: &cloudtaskspb.Task{
				Name: queueName + "/tasks/" + job.Task{JobID: j.ID, Index: i, Dispatch: 1}.ID(),
				MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: &cloudtaskspb.HttpRequest{
					HttpMethod: cloudtaskspb.HttpMethod_POST,
					Url:        "https://worker.example.com/tasks/generate",
					Headers: map[string]string{
						"Content-Type": "application/json",
						"Traceparent":  "00-01000000000000000000000000000000-0200000000000000-01",
					},
					Body: []byte(`{"job_id":"` + j.ID + `","index":` + string(rune('0'+i)) + `,"dispatch":1,"lane":"a"}`),
					AuthorizationHeader: &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{
						ServiceAccountEmail: "tasks@p.iam.gserviceaccount.com",
						Audience:            "https://worker.example.com",
					}},
				}},
				DispatchDeadline: durationpb.New(10 * time.Minute),
			},
		})
	}
	slices.SortFunc(b.queue.requests, func(a, b *cloudtaskspb.CreateTaskRequest) int {
		return bytes.Compare(a.GetTask().GetHttpRequest().GetBody(), b.GetTask().GetHttpRequest().GetBody())
	})
	if diff := cmp.Diff(want, b.queue.requests, protocmp.Transform()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestPutSchedulesForLater(t *testing.T) {
	b := setup(t)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if err := b.Put(t.Context(), at, job.Task{JobID: "j", Index: 3, Dispatch: 2, Lane: "a"}); err != nil {
		t.Fatal(err)
	}
	got := b.queue.requests[0].GetTask().GetScheduleTime()
	if diff := cmp.Diff(timestamppb.New(at), got, protocmp.Transform()); diff != "" {
		t.Errorf("schedule time (-want +got):\n%s", diff)
	}
}

func TestPutCountsAnExistingTaskAsPut(t *testing.T) {
	b := setup(t)
	b.queue.errs = []error{grpcstatus.Error(codes.AlreadyExists, "exists")}
	if err := b.Put(t.Context(), time.Time{}, job.Task{JobID: "j", Dispatch: 1, Lane: "a"}); err != nil {
		t.Error(err)
	}
}

func TestPutRepeatsWhatMayHaveFailedOnTheWay(t *testing.T) {
	b := setup(t)
	b.queue.errs = []error{
		grpcstatus.Error(codes.Unavailable, "connection reset"),
		grpcstatus.Error(codes.AlreadyExists, "the first one arrived after all"),
	}
	if err := b.Put(t.Context(), time.Time{}, job.Task{JobID: "j", Dispatch: 1, Lane: "a"}); err != nil {
		t.Error(err)
	}
	if got := len(b.queue.requests); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestPutDoesNotRepeatWhatCannotSucceed(t *testing.T) {
	b := setup(t)
	b.queue.errs = []error{grpcstatus.Error(codes.NotFound, "no such queue")}
	if err := b.Put(t.Context(), time.Time{}, job.Task{JobID: "j", Dispatch: 1, Lane: "a"}); err == nil {
		t.Error("no error")
	}
	if got := len(b.queue.requests); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestSubmitAcceptsAJobWhoseTasksCannotBeCreated(t *testing.T) {
	b := setup(t)
	b.queue.errs = slices.Repeat([]error{grpcstatus.Error(codes.PermissionDenied, "no")}, 2)
	s := submission()
	s.IdempotencyKey, s.Fingerprint = "k", "f"
	first, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	b.queue.requests = nil
	again, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the repeated request is answered with another job (-want +got):\n%s", diff)
	}
	if got := len(b.queue.requests); got != 2 {
		t.Errorf("the repeated request created %d tasks, want the 2 that were missing", got)
	}
	b.queue.requests = nil
	if _, err := b.Submit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := len(b.queue.requests); got != 0 {
		t.Errorf("the third request created %d tasks, want none", got)
	}
}

func TestSubmitStoresUploadsOnce(t *testing.T) {
	b := setup(t)
	s := submission()
	s.IdempotencyKey, s.Fingerprint = "k", "f"
	var want job.Job
	for i := range 2 {
		s.Input.InputImages = []job.InputImage{{URL: "https://example.com/a.png"}, {}}
		s.Uploads = []enqueue.Upload{{Position: 1, Data: []byte("png"), ContentType: "image/png"}}
		got, err := b.Submit(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = got
		}
		images := []job.InputImage{{URL: "https://example.com/a.png"}, {Key: want.ID + "/1", ContentType: "image/png"}}
		if diff := cmp.Diff(images, got.Input.InputImages); diff != "" {
			t.Errorf("input images (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{want.ID + "/1"}, b.inputs.stored); diff != "" {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
}

func TestSubmitRecordsNothingWithoutItsUploads(t *testing.T) {
	b := setup(t)
	b.inputs.err = errors.New("bucket is gone")
	s := submission()
	s.Input.InputImages = []job.InputImage{{}}
	s.Uploads = []enqueue.Upload{{Data: []byte("png"), ContentType: "image/png"}}
	if _, err := b.Submit(t.Context(), s); !errors.Is(err, b.inputs.err) {
		t.Fatalf("got %v, want the store's error", err)
	}
	if len(b.queue.requests) != 0 {
		t.Error("a task was created")
	}
}

// Who shuts down cannot wait for a queue that does not answer. The record says
// which tasks are missing.
func TestPutEndsWithItsContext(t *testing.T) {
	b := setup(t)
	for range 100 {
		b.queue.errs = append(b.queue.errs, grpcstatus.Error(codes.Unavailable, "not now"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	err := b.Put(ctx, time.Time{}, job.Task{JobID: "j", Dispatch: 1, Lane: "a"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
}
