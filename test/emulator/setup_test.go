package emulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	official "cloud.google.com/go/cloudtasks/apiv2"
	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ai-worker/ai-worker/test/emulator"
)

const (
	location = "projects/demo/locations/here"
	queueA   = location + "/queues/a"
	queueB   = location + "/queues/b"
)

func TestMain(m *testing.M) {
	code := m.Run()
	emulator.Remove()
	os.Exit(code)
}

// A delivery is a request that came to a receiver.
type delivery struct {
	at     time.Time
	method string
	path   string
	header http.Header
	body   string
}

// A receiver is a worker. It hands on what it gets, and then answers as it is told.
type receiver struct {
	t    *testing.T
	url  string
	came chan delivery
}

// newReceiver starts a worker that answers with answer, or 200 if that is nil.
func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{t: t, came: make(chan delivery, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		body, _ := io.ReadAll(in.Body)
		r.came <- delivery{time.Now(), in.Method, in.URL.Path, in.Header.Clone(), string(body)}
		if answer != nil {
			answer(w, in)
		}
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	r.url = server.URL
	return r
}

// next waits for a delivery.
func (r *receiver) next() delivery {
	r.t.Helper()
	select {
	case d := <-r.came:
		return d
	case <-time.After(emulator.Patience):
		r.t.Fatal("nothing was delivered")
		return delivery{}
	}
}

// none fails the test if something was delivered that nobody has taken.
func (r *receiver) none() {
	r.t.Helper()
	select {
	case d := <-r.came:
		r.t.Errorf("%s %s was delivered", d.method, d.path)
	default:
	}
}

func (r *receiver) task(name string) *cloudtaskspb.Task {
	return &cloudtaskspb.Task{Name: name, MessageType: &cloudtaskspb.Task_HttpRequest{
		HttpRequest: &cloudtaskspb.HttpRequest{Url: r.url + "/tasks", Body: []byte("body\x00\xff"), Headers: map[string]string{"X-Mine": "yes"}},
	}}
}

// clients are the official clients by how they talk to the emulator.
var clients = map[string]func(context.Context, string) (*official.Client, error){
	"gRPC": func(ctx context.Context, addr string) (*official.Client, error) {
		return official.NewClient(ctx, option.WithEndpoint(addr), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	},
	"REST": func(ctx context.Context, addr string) (*official.Client, error) {
		return official.NewRESTClient(ctx, option.WithEndpoint("http://"+addr), option.WithoutAuthentication())
	},
}

// A bench is a running emulator, a client of it and a worker.
type bench struct {
	*testing.T
	ctx context.Context
	*official.Client
	*receiver
}

func connect(t *testing.T, p *emulator.Process, kind string, r *receiver) *bench {
	t.Helper()
	client, err := clients[kind](t.Context(), p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return &bench{T: t, ctx: t.Context(), Client: client, receiver: r}
}

func (b *bench) create(queue, id string) *cloudtaskspb.Task {
	b.Helper()
	task := b.task(queue + "/tasks/" + id)
	out, err := b.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{Parent: queue, Task: task})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func (b *bench) pause(queue string) {
	b.Helper()
	if _, err := b.PauseQueue(b.ctx, &cloudtaskspb.PauseQueueRequest{Name: queue}); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) resume(queue string) {
	b.Helper()
	if _, err := b.ResumeQueue(b.ctx, &cloudtaskspb.ResumeQueueRequest{Name: queue}); err != nil {
		b.Fatal(err)
	}
}

// gone waits until a task has ended.
func (b *bench) gone(name string) {
	b.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(emulator.Patience)
	for {
		if _, err := b.GetTask(b.ctx, &cloudtaskspb.GetTaskRequest{Name: name}); status(err) == http.StatusNotFound {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			b.Fatalf("%s is still there", name)
		}
	}
}

// status returns the HTTP status of an error of either client: 0 for none.
func status(err error) int {
	var api *apierror.APIError
	if !errors.As(err, &api) {
		return 0
	}
	if code := api.HTTPCode(); code > 0 {
		return code
	}
	return httpStatus[api.GRPCStatus().Code().String()]
}

var httpStatus = map[string]int{"InvalidArgument": 400, "FailedPrecondition": 400, "NotFound": 404, "AlreadyExists": 409}

// failing answers 500 to the first n requests, and 200 to the others.
func failing(n int64) http.HandlerFunc {
	var seen atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		if seen.Add(1) <= n {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}
