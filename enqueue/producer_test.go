package enqueue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	oteltrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record/memory"
)

const queueName = "projects/p/locations/l/queues/images-v1"

type bundle struct {
	*enqueue.Producer
	record *memory.Record
	queue  *enqueuetest.Queue
	inputs *enqueuetest.Inputs
	log    *bytes.Buffer // a line of JSON for each entry
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{
		record: memory.New(), queue: &enqueuetest.Queue{}, inputs: &enqueuetest.Inputs{}, log: &bytes.Buffer{},
	}
	b.Producer = b.newProducer("")
	return b
}

// newProducer returns the producer of another instance.
func (b *bundle) newProducer(sweepQueue string) *enqueue.Producer {
	return enqueue.New(enqueue.Config{
		Record: b.record, Queue: b.queue, Inputs: b.inputs, Target: enqueue.Target{
			GenerateURL: "https://worker.example.com/tasks/generate", SweepURL: "https://worker.example.com/tasks/sweep",
			ServiceAccount: "tasks@p.iam.gserviceaccount.com", Audience: "https://worker.example.com",
			DispatchDeadline: 10 * time.Minute, SweepQueue: sweepQueue,
		},
		Lanes:   []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: queueName}},
		Process: context.Background(), Log: slog.New(slog.NewJSONHandler(b.log, nil)),
	})
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

// traced returns a context in a known trace.
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
	slices.SortFunc(b.queue.Requests, func(a, b *cloudtaskspb.CreateTaskRequest) int {
		return bytes.Compare(a.GetTask().GetHttpRequest().GetBody(), b.GetTask().GetHttpRequest().GetBody())
	})
	if diff := cmp.Diff(want, b.queue.Requests, protocmp.Transform()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// The numbers of a submission decide what is allocated and whose turn it is, so
// they are checked again where no caller can be forgotten.
func TestSubmitRefusesWhatIsOutOfBounds(t *testing.T) {
	for name, change := range map[string]func(*enqueue.Submission){
		"count is 0":                func(s *enqueue.Submission) { s.Input.Count = 0 },
		"count is -1":               func(s *enqueue.Submission) { s.Input.Count = -1 },
		"count is 17":               func(s *enqueue.Submission) { s.Input.Count = job.MaxCount + 1 },
		"count is 100000000":        func(s *enqueue.Submission) { s.Input.Count = 1e8 },
		"prompt is empty":           func(s *enqueue.Submission) { s.Input.Prompt = "" },
		"model is empty":            func(s *enqueue.Submission) { s.Input.Model = "" },
		"weight is 0":               func(s *enqueue.Submission) { s.Weight = 0 },
		"weight is NaN":             func(s *enqueue.Submission) { s.Weight = math.NaN() },
		"weight is +Inf":            func(s *enqueue.Submission) { s.Weight = math.Inf(1) },
		`priority is "high"`:        func(s *enqueue.Submission) { s.Priority = "high" },
		"expires_in is 0s":          func(s *enqueue.Submission) { s.ExpiresIn = 0 },
		"input_images has no place": func(s *enqueue.Submission) { s.Uploads = []enqueue.Upload{{Position: 0}} },
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			s := submission()
			change(&s)
			_, err := b.Submit(t.Context(), s)
			if !errors.Is(err, enqueue.ErrOutOfBounds) || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
			if len(b.queue.Requests)+len(b.inputs.Stored) > 0 {
				t.Errorf("it made %d tasks and stored %v", len(b.queue.Requests), b.inputs.Stored)
			}
		})
	}
}

func TestPutSchedulesForLater(t *testing.T) {
	b := setup(t)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if err := b.Put(t.Context(), at, job.Task{JobID: "j", Index: 3, Dispatch: 2, Lane: "a"}); err != nil {
		t.Fatal(err)
	}
	got := b.queue.Requests[0].GetTask().GetScheduleTime()
	if diff := cmp.Diff(timestamppb.New(at), got, protocmp.Transform()); diff != "" {
		t.Errorf("schedule time (-want +got):\n%s", diff)
	}
}

func TestPutCountsAnExistingTaskAsPut(t *testing.T) {
	b := setup(t)
	b.queue.Errs = []error{grpcstatus.Error(codes.AlreadyExists, "exists")}
	if err := b.Put(t.Context(), time.Time{}, job.Task{JobID: "j", Dispatch: 1, Lane: "a"}); err != nil {
		t.Error(err)
	}
}

func TestPutRepeatsWhatMayHaveFailedOnTheWay(t *testing.T) {
	b := setup(t)
	b.queue.Errs = []error{
		grpcstatus.Error(codes.Unavailable, "connection reset"),
		grpcstatus.Error(codes.AlreadyExists, "the first one arrived after all"),
	}
	if err := b.Put(t.Context(), time.Time{}, job.Task{JobID: "j", Dispatch: 1, Lane: "a"}); err != nil {
		t.Error(err)
	}
	if got := len(b.queue.Requests); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestPutDoesNotRepeatWhatCannotSucceed(t *testing.T) {
	b := setup(t)
	b.queue.Errs = []error{grpcstatus.Error(codes.NotFound, "no such queue")}
	if err := b.Put(t.Context(), time.Time{}, job.Task{JobID: "j", Dispatch: 1, Lane: "a"}); err == nil {
		t.Error("no error")
	}
	if got := len(b.queue.Requests); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestSubmitAcceptsAJobWhoseTasksCannotBeCreated(t *testing.T) {
	b := setup(t)
	b.queue.Errs = slices.Repeat([]error{grpcstatus.Error(codes.PermissionDenied, "no")}, 2)
	s := submission()
	s.IdempotencyKey, s.Fingerprint = "k", "f"
	first, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	b.queue.Requests = nil
	again, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the repeated request is answered with another job (-want +got):\n%s", diff)
	}
	if got := len(b.queue.Requests); got != 2 {
		t.Errorf("the repeated request created %d tasks, want the 2 that were missing", got)
	}
	b.queue.Requests = nil
	if _, err := b.Submit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := len(b.queue.Requests); got != 0 {
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
	if diff := cmp.Diff([]string{want.ID + "/1"}, b.inputs.Stored); diff != "" {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
}

func TestSubmitRecordsNothingWithoutItsUploads(t *testing.T) {
	b := setup(t)
	b.inputs.Err = errors.New("bucket is gone")
	s := submission()
	s.Input.InputImages = []job.InputImage{{}}
	s.Uploads = []enqueue.Upload{{Data: []byte("png"), ContentType: "image/png"}}
	if _, err := b.Submit(t.Context(), s); !errors.Is(err, b.inputs.Err) {
		t.Fatalf("got %v, want the store's error", err)
	}
	if len(b.queue.Requests) != 0 {
		t.Error("a task was created")
	}
}

// A process that shuts down cannot wait for a queue that does not answer. The
// record says which tasks are missing.
func TestPutEndsWithItsContext(t *testing.T) {
	b := setup(t)
	for range 100 {
		b.queue.Errs = append(b.queue.Errs, grpcstatus.Error(codes.Unavailable, "not now"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	err := b.Put(ctx, time.Time{}, job.Task{JobID: "j", Dispatch: 1, Lane: "a"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
}

// One task that cannot be created keeps no other of its job back, and the record
// knows which one is missing.
func TestPutCreatesWhatItCan(t *testing.T) {
	b := setup(t)
	s := submission()
	s.Input.Count = 16
	b.queue.Refuse = func(name string) error {
		if strings.HasSuffix(name, "-7-1") {
			return grpcstatus.Error(codes.InvalidArgument, "no")
		}
		return nil
	}
	j, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	missing, err := b.record.Unsent(t.Context(), 0, 100)
	if diff := cmp.Diff([]job.Task{{JobID: j.ID, Index: 7, Dispatch: 1, Lane: "a"}}, missing); diff != "" || err != nil {
		t.Errorf("%v; tasks that are missing (-want +got):\n%s", err, diff)
	}
}

// While Cloud Tasks is away nothing would bring a job its slot: neither its tasks
// nor a sweep. So it is not accepted. The same key brings the tasks later.
func TestSubmitRefusesWhatNothingWouldBringASlot(t *testing.T) {
	b := setupSelfSwept(t)
	away := func(string) error { return grpcstatus.Error(codes.PermissionDenied, "not now") }
	keyed, keyless := submission(), submission()
	keyed.IdempotencyKey, keyed.Fingerprint = "key", "print"
	b.queue.Refuse = away
	for _, s := range []enqueue.Submission{keyed, keyless} {
		if _, err := b.Submit(t.Context(), s); !errors.Is(err, enqueue.ErrNotEnqueued) {
			t.Errorf("with the key %q: %v, want %v", s.IdempotencyKey, err, enqueue.ErrNotEnqueued)
		}
	}
	backlog, err := b.record.Backlog(t.Context(), 0)
	if err != nil || backlog.Waiting != keyed.Input.Count {
		t.Errorf("%d images wait, %v; want those that the key can bring back", backlog.Waiting, err)
	}

	b.queue.Refuse = nil
	j, err := b.Submit(t.Context(), keyed)
	if err != nil {
		t.Fatal(err)
	}
	if missing, err := b.record.Unsent(t.Context(), 0, 100); err != nil || len(missing) > 0 {
		t.Errorf("job %s misses the tasks %v, %v", j.ID, missing, err)
	}
	// A sweep that was asked for before does as well.
	b.queue.Refuse = func(name string) error {
		if strings.Contains(name, "/sweep-") {
			return nil
		}
		return away(name)
	}
	if _, err := b.Submit(t.Context(), keyless); err != nil {
		t.Errorf("with a sweep to come: %v", err)
	}
}
