package openapi_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/snapshot"
	"github.com/ai-worker/ai-worker/storage"
	"github.com/ai-worker/ai-worker/sweep"
)

const (
	model       = "banana"
	mostWaiting = 16 // pictures of a tenant
)

// keys returns the API keys, by tenant.
func keys() map[string]string {
	return map[string]string{"web": "web-key-0123456789", "full": "full-key-0123456789"}
}

// A service is the real routes on a record in memory, and on a queue that
// delivers nothing.
type service struct {
	*testing.T

	routes http.Handler
	record *snapshot.Record
}

func newService(t *testing.T) *service {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	client, err := redis.NewClient("redis://"+miniredis.RunT(t).Addr(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	published := snapshot.NewRecord(memory.New(), client, snapshot.Renderer{
		Lanes: []snapshot.Lane{{Name: "a", Models: []string{model}, RPM: 60}}, Now: time.Now, BaseURL: publicURL,
		ImageURL: func(key string) (string, error) { return publicURL + "/" + key + "?signature=a%2Fb", nil },
	}, log)
	lanes := []lane.Lane{{Name: "a", Model: model, RPM: 60, Concurrency: 5, Queue: "projects/p/locations/l/queues/a"}}
	bucket := newBucket(t)
	producer := enqueue.New(enqueue.Config{
		Record: published, Queue: &enqueuetest.Queue{}, Inputs: bucket, Lanes: lanes,
		MaxWaiting: mostWaiting, Process: context.Background(), Log: log,
	})
	jobs := &handlers.Jobs{
		Producer: producer, Snapshots: published, Record: published,
		Remover: &sweep.Sweeper{Record: published, Objects: bucket}, Uploader: bucket,
		Webhooks: webhooks{published, producer.Webhooks()}, CheckURL: checkURL,
	}
	return &service{T: t, routes: newRoutes(jobs), record: published}
}

// newBucket returns a bucket that is empty.
func newBucket(t *testing.T) *storage.R2 {
	t.Helper()
	server, err := s3.Start(s3.Options{Bucket: "pictures"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return storage.NewR2(storage.Config{
		Endpoint: server.URL(), AccessKeyID: "id", SecretAccessKey: "secret", Bucket: "pictures",
	})
}

const publicURL = "https://pictures.test"

// newRoutes returns the routes of an API.
func newRoutes(jobs *handlers.Jobs) http.Handler {
	jobs.Models, jobs.Log = []job.Model{{Name: model, Prices: map[string]int64{"1K": 34_000}}}, slog.New(slog.DiscardHandler)
	cfg := server.Config{Version: "test", PublicURL: publicURL, Lanes: &handlers.Lanes{}, Jobs: jobs, Log: jobs.Log}
	for tenant, key := range keys() {
		cfg.Keys.Add(tenant, key, 1)
	}
	limitTenants(&cfg)
	return server.New(cfg)
}

// newBrokenRoutes returns the routes of an API in which every call ends in f.
func newBrokenRoutes(f func() error) http.Handler {
	return newRoutes(&handlers.Jobs{
		Producer: broken(f), Snapshots: brokenSnapshots{f}, Record: broken(f), Remover: broken(f), Uploader: broken(f),
		Webhooks: broken(f), CheckURL: checkURL,
	})
}

// away returns the error of a record that cannot be reached.
func away() error { return errors.New("the record is away") }

// broken is what a handler calls, and fails.
type broken func() error

func (f broken) Submit(context.Context, enqueue.Submission) (job.Job, error) { return job.Job{}, f() }
func (f broken) Cancel(context.Context, string) (job.Job, error)             { return job.Job{}, f() }
func (f broken) Get(context.Context, string) (job.Job, error)                { return job.Job{}, f() }
func (f broken) Remove(context.Context, job.Job) error                       { return f() }
func (f broken) Retry(context.Context, job.Job, enqueue.Retry) (job.Job, error) {
	return job.Job{}, f()
}

func (f broken) List(context.Context, record.Query) (record.Page, error) { return record.Page{}, f() }

func (f broken) SignUpload(string, string, int64) (job.UploadTicket, error) {
	return job.UploadTicket{}, f()
}

func (f broken) Render(job.Job) (snapshot.Snapshot, error) { return snapshot.Snapshot{}, f() }
func (f broken) Snapshot(context.Context, string) (snapshot.Snapshot, error) {
	return snapshot.Snapshot{}, f()
}

func (f broken) Await(context.Context, string) (snapshot.Snapshot, error) {
	return snapshot.Snapshot{}, f()
}

func (f broken) Watch(context.Context, string) *snapshot.Watch {
	panic("a job that cannot be read is not watched")
}

// jobs makes a job of every status and returns their ids.
func (s *service) jobs() map[string]string {
	s.Helper()
	// The queued one is last: whatever is claimed before is not its image.
	ids := make(map[string]string)
	for _, status := range []string{"failed", "partial", "succeeded", "processing", "canceled", "queued"} {
		id := s.create(2)
		ids[status] = id
		for i, move := range map[string][]func(record.Claim) error{
			"failed": {s.fail, s.fail}, "partial": {s.succeed, s.fail}, "succeeded": {s.succeed, s.succeed},
			"processing": {s.succeed, s.requeue},
		}[status] {
			task := job.Task{JobID: id, Index: i, Dispatch: 1, Lane: "a"}
			claim, err := s.record.Claim(s.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
			if err == nil {
				err = move(claim)
			}
			if err != nil {
				s.Fatalf("image %d of the %s job: %v", i, status, err)
			}
		}
		if status == "canceled" {
			if _, err := s.record.Cancel(s.Context(), id); err != nil {
				s.Fatal(err)
			}
		}
	}
	return ids
}

// fill makes the tenant full have as many pictures waiting as may, and asks for
// one more.
func (s *service) fill() []exchange {
	s.Helper()
	key := "Bearer " + keys()["full"]
	generate := func(name, body string) exchange {
		return s.send(name, http.MethodPost, generatePath, body, "Authorization", key)
	}
	ended := generate("a job to retry", `{"prompt":"a"}`).id(s)
	s.ask("its end", http.MethodPost, cancelPath, ended, "Authorization", key)
	generate("the last", fmt.Sprintf(`{"prompt":"a","count":%d}`, mostWaiting)).id(s)
	return []exchange{
		generate("no room", `{"prompt":"a"}`),
		s.ask("no room for a retry", http.MethodPost, retryPath, ended, "Authorization", key),
	}
}

// create records a job of count pictures, with all that one can have.
func (s *service) create(count int) string {
	s.Helper()
	e := s.send("a job", http.MethodPost, generatePath, fmt.Sprintf(
		`{"prompt":"a fox","count":%d,"seed":1,"aspect_ratio":"16:9","image_size":"1K","metadata":{"a":[1,null],"shop":"eu & us"},
		"input_images":["https://example.com/a b.png"]}`, count))
	return e.id(s)
}

// token returns a browser token of the tenant web for a job, good until a time.
func (s *service) token(id string, until time.Time) string {
	s.Helper()
	mac := hmac.New(sha256.New, []byte(keys()["web"]))
	_, _ = mac.Write([]byte("ai-worker browser token v1"))
	key := mac.Sum(nil)
	sum := sha256.Sum256(key)
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": id, "scope": "read", "iat": until.Add(-2 * time.Hour).Unix(), "exp": until.Unix(),
	})
	token.Header["kid"] = hex.EncodeToString(sum[:8])
	signed, err := token.SignedString(key)
	if err != nil {
		s.Fatal(err)
	}
	return signed
}

func (s *service) succeed(c record.Claim) error {
	_, err := s.record.Succeed(s.Context(), c, record.Success{Object: job.Object{
		Key: "images/" + c.Job.ID, ContentType: "image/png", Width: 2, Height: 1, Bytes: 3, SHA256: "abc", ModelVersion: "banana-1",
	}})
	return err
}

func (s *service) fail(c record.Claim) error {
	_, err := s.record.Fail(s.Context(), c, job.Error{Code: job.CodeBlocked, Message: "Refused."})
	return err
}

// requeue puts an image back after an attempt that failed.
func (s *service) requeue(c record.Claim) error {
	_, _, err := s.record.Requeue(s.Context(), c, record.Requeue{
		Lane: "a", After: time.Hour, Reason: &job.Error{Code: job.CodeProviderTimeout, Message: "No answer."},
	})
	return err
}
