package enqueue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/storage"
)

// A bucket is an input store in which uploads can be made to meet.
type bucket struct {
	*storage.R2
	server *s3.Server
	met    func() // called after each upload
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	server, err := s3.Start(s3.Options{Bucket: "pictures"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return &bucket{server: server, met: func() {}, R2: storage.NewR2(storage.Config{
		Endpoint: server.URL(), AccessKeyID: "id", SecretAccessKey: "secret", Bucket: "pictures", MaxBackoff: time.Millisecond,
	})}
}

func (b *bucket) PutInput(ctx context.Context, jobID string, n int, data []byte, contentType string) (string, error) {
	key, err := b.R2.PutInput(ctx, jobID, n, data, contentType)
	b.met()
	return key, err
}

// jobs returns how many objects of each job there are.
func (b *bucket) jobs(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	for after, first := "", true; first || after != ""; first = false {
		page, next, err := b.List(t.Context(), after, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			n[o.JobID]++
		}
		after = next
	}
	return n
}

// uploading returns a submission with two uploads.
func uploading(key, fingerprint string) enqueue.Submission {
	s := submission()
	s.IdempotencyKey, s.Fingerprint = key, fingerprint
	s.Input.InputImages = make([]job.InputImage, 2)
	for i := range s.Input.InputImages {
		s.Uploads = append(s.Uploads, enqueue.Upload{Position: i, Data: []byte("a picture"), ContentType: "image/png"})
	}
	return s
}

// Of thirty submissions with uploads, twenty lose a race for one idempotency key
// or are refused for it. Others fail before their row. Each leaves nothing.
func TestNoUploadIsLeftWithoutItsJob(t *testing.T) {
	b, rec := newBucket(t), memory.New()
	producer := func(r record.Record) *enqueue.Producer {
		return enqueue.New(enqueue.Config{
			Record: r, Queue: &enqueuetest.Queue{}, Inputs: b, Lanes: []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: queueName}},
			Process: context.Background(), Log: slog.New(slog.DiscardHandler),
		})
	}
	p := producer(rec)
	want := map[string]int{}
	for key := range 10 {
		var meeting sync.WaitGroup // all three have stored their pictures before the first is recorded
		meeting.Add(3 * 2)
		b.met = meeting.Done
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, fingerprint := range []string{"one", "one", "another"} {
			wg.Go(func() {
				j, err := producer(&together{rec, &meeting}).Submit(t.Context(), uploading(fmt.Sprint(key), fingerprint))
				if err != nil && !errors.Is(err, record.ErrIdempotencyMismatch) {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					want[j.ID] = 2
				}
			})
		}
		wg.Wait()
		b.met = func() {}
		if _, err := p.Submit(t.Context(), uploading(fmt.Sprint(key), "a third")); !errors.Is(err, record.ErrIdempotencyMismatch) {
			t.Errorf("got %v, want ErrIdempotencyMismatch", err)
		}
	}

	b.server.Fail(func(r *http.Request) s3.Fault { // the second picture's answer is lost
		if r.Method == http.MethodPut && r.URL.Path[len(r.URL.Path)-1] == '1' {
			return s3.Fault{Status: http.StatusForbidden, Code: "AccessDenied", Done: true}
		}
		return s3.Fault{}
	})
	if _, err := p.Submit(t.Context(), uploading("", "")); err == nil {
		t.Error("a submission whose picture is not stored was accepted")
	}
	b.server.Fail(nil)

	ctx, cancel := context.WithCancel(t.Context())
	b.met = cancel // the process shuts down
	if _, err := p.Submit(ctx, uploading("", "")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
	if diff := cmp.Diff(want, b.jobs(t)); diff != "" || len(want) != 10 {
		t.Errorf("%d jobs; objects of each job (-want +got):\n%s", len(want), diff)
	}
}

// together is a record that writes no row before all pictures are stored.
type together struct {
	record.Record
	stored *sync.WaitGroup
}

func (r *together) Create(ctx context.Context, d record.Draft) (job.Job, []job.Task, error) {
	r.stored.Wait()
	return r.Record.Create(ctx, d)
}

// doubtful is a record whose answer to Create is lost.
type doubtful struct{ record.Record }

func (r doubtful) Create(ctx context.Context, d record.Draft) (job.Job, []job.Task, error) {
	if _, _, err := r.Record.Create(ctx, d); err != nil {
		return job.Job{}, nil, err
	}
	return job.Job{}, nil, errors.New("the connection broke")
}

// A job that may be recorded keeps its pictures.
func TestUploadsStayIfTheirJobMayBeRecorded(t *testing.T) {
	b := setup(t)
	p := enqueue.New(enqueue.Config{
		Record: doubtful{b.record}, Queue: b.queue, Inputs: b.inputs, Lanes: []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: queueName}},
		Process: context.Background(), Log: slog.New(slog.DiscardHandler),
	})
	if _, err := p.Submit(t.Context(), uploading("k", "f")); err == nil {
		t.Fatal("no error")
	}
	j, err := b.record.Recorded(t.Context(), record.Draft{Tenant: "web", IdempotencyKey: "k", Fingerprint: "f"})
	if err != nil || len(b.inputs.Stored) != 2 {
		t.Errorf("job %s, %v, has the pictures %v", j.ID, err, b.inputs.Stored)
	}
}
