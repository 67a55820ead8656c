package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"github.com/googleapis/gax-go/v2"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/snapshot"
)

// slowQueue takes a while for each task, and stops when its context ends.
type slowQueue struct{ takes time.Duration }

func (q slowQueue) CreateTask(
	ctx context.Context, req *cloudtaskspb.CreateTaskRequest, _ ...gax.CallOption,
) (*cloudtaskspb.Task, error) {
	select {
	case <-time.After(q.takes):
		return req.GetTask(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (slowQueue) GetTask(context.Context, *cloudtaskspb.GetTaskRequest, ...gax.CallOption) (*cloudtaskspb.Task, error) {
	return &cloudtaskspb.Task{}, nil
}

// journal is the part of a record that submissions use. It tells which calls
// were made.
type journal struct {
	record.Record

	created  chan string   // ids of jobs
	enqueued chan job.Task // tasks noted to be on their queue
	answers  time.Duration // how long the answer to Create takes to come back
}

func (j *journal) Create(ctx context.Context, d record.Draft) (job.Job, []job.Task, error) {
	j.created <- d.ID
	select {
	case <-time.After(j.answers):
	case <-ctx.Done():
		return job.Job{}, nil, ctx.Err() // nobody hears of the job
	}
	return job.Job{ID: d.ID}, d.Tasks(), nil
}

func (j *journal) Enqueued(ctx context.Context, tasks ...job.Task) error {
	for _, t := range tasks {
		j.enqueued <- t
	}
	return ctx.Err()
}

// shown renders every job as nothing: nobody looks at the snapshots here.
type shown struct{ handlers.Snapshots }

func (shown) Snapshot(ctx context.Context, _ string) (snapshot.Snapshot, error) {
	return snapshot.Snapshot{}, ctx.Err()
}

// Await waits in vain.
func (shown) Await(ctx context.Context, _ string) (snapshot.Snapshot, error) {
	<-ctx.Done()
	return snapshot.Snapshot{JSON: []byte("{}")}, nil
}

func (shown) Render(job.Job) (snapshot.Snapshot, error) {
	return snapshot.Snapshot{JSON: []byte("{}")}, nil
}

// A service accepts jobs, in a bubble of testing/synctest.
type service struct {
	*journal

	terminate context.CancelFunc // stands for SIGTERM
	client    *http.Client
	ended     chan error // what Run returned
}

// serve runs a service whose queue takes the given time for a task.
func serve(t *testing.T, takes time.Duration) *service {
	t.Helper()
	ctx, terminate := context.WithCancel(t.Context())
	process, abort := context.WithCancel(t.Context())
	log := slog.New(slog.DiscardHandler)
	ln := newPipeListener()
	s := &service{
		journal:   &journal{created: make(chan string, 1), enqueued: make(chan job.Task, 1)},
		terminate: terminate, client: ln.client(), ended: make(chan error, 1),
	}
	h := server.New(server.Config{Log: log, Jobs: newJobs(process, s.journal, takes, log)})
	go func() { s.ended <- server.Run(ctx, ln, h, abort, log) }()
	return s
}

// newJobs returns an API whose queue takes the given time for a task.
func newJobs(process context.Context, j *journal, takes time.Duration, log *slog.Logger) *handlers.Jobs {
	lanes := []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: "q"}}
	return &handlers.Jobs{
		Producer:  enqueue.New(enqueue.Config{Record: j, Queue: slowQueue{takes}, Lanes: lanes, Process: process, Log: log}),
		Snapshots: shown{}, Models: []job.Model{{Name: "m"}}, Log: log,
	}
}

// submit submits a job, and sends the answer's status; 0 means no answer.
func (s *service) submit(ctx context.Context, body io.Reader) <-chan int {
	status := make(chan int, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://test/api/generate-images", body)
		if err != nil {
			panic(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := s.client.Do(req)
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	return status
}

// wantEnd fails unless Run ends orderly and in time.
func (s *service) wantEnd(t *testing.T) {
	t.Helper()
	from := time.Now()
	s.terminate()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(from); took > 9*time.Second {
		t.Errorf("ended %s after SIGTERM", took)
	}
}

const aFox = `{"prompt":"A fox"}`

// The row stands and says which tasks are missing. The sweep puts them.
func TestASubmissionWhoseQueueHangsEndsWithTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 15*time.Second)
		status := s.submit(t.Context(), strings.NewReader(aFox))
		<-s.created
		s.wantEnd(t)
		if got := <-status; got != http.StatusAccepted {
			t.Errorf("answered %d, want 202: the job is recorded", got)
		}
		if len(s.enqueued) > 0 {
			t.Errorf("%v is on no queue", <-s.enqueued)
		}
	})
}

// The row is being written when the submission is cut. Its caller hears of it
// all the same.
func TestASubmissionIsNotCutWhileItsRowIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 0)
		s.answers = 7500 * time.Millisecond
		status := s.submit(t.Context(), strings.NewReader(aFox))
		<-s.created
		s.wantEnd(t)
		if got := <-status; got != http.StatusAccepted {
			t.Errorf("answered %d, want 202: the job is recorded", got)
		}
	})
}

// A record that does not answer at all does not hold up the end.
func TestASubmissionWhoseRecordHangsEndsWithTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 0)
		s.answers = time.Hour
		status := s.submit(t.Context(), strings.NewReader(aFox))
		<-s.created
		s.wantEnd(t)
		if got := <-status; got == http.StatusAccepted || got == 0 {
			t.Errorf("answered %d, want that it is not known whether there is a job", got)
		}
	})
}

func TestTasksArePutWithoutTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 5*time.Second)
		caller, hangUp := context.WithCancel(t.Context())
		status := s.submit(caller, strings.NewReader(aFox))
		id := <-s.created
		hangUp()
		if got := <-status; got != 0 {
			t.Fatalf("answered %d before it hung up", got)
		}
		want := job.Task{JobID: id, Index: 0, Dispatch: 1, Lane: "a"}
		if diff := cmp.Diff(want, <-s.enqueued); diff != "" {
			t.Errorf("task (-want +got):\n%s", diff)
		}
		s.wantEnd(t)
	})
}

func TestABodyThatDoesNotComeEndsWithTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 0)
		body, upload := io.Pipe()
		status := s.submit(t.Context(), body)
		if _, err := io.WriteString(upload, aFox[:1]); err != nil {
			t.Fatal(err)
		}
		s.wantEnd(t)
		upload.Close()
		if got := <-status; got == http.StatusAccepted || len(s.created) > 0 {
			t.Errorf("answered %d, want that there is no job", got)
		}
	})
}
