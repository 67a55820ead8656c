package cloudtasks_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

const (
	location = "projects/p/locations/l"
	queueA   = location + "/queues/a"
	target   = "http://worker.test/tasks"
)

// A delivery is one request as the worker saw it.
type delivery struct {
	at      time.Duration // since the start of the test
	method  string
	url     string
	header  http.Header
	body    string
	bodyErr error
}

// A worker records what is delivered to it and answers as it is told.
type worker struct {
	start  time.Time
	now    func() time.Time
	answer func(n int, w http.ResponseWriter, r *http.Request) // n is 0 for the first delivery; nil answers 200

	mu   sync.Mutex
	seen []delivery
}

func (k *worker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	k.mu.Lock()
	n := len(k.seen)
	k.seen = append(k.seen, delivery{k.now().Sub(k.start), r.Method, r.URL.String(), r.Header.Clone(), string(body), err})
	k.mu.Unlock()
	if k.answer != nil {
		k.answer(n, w, r)
	}
}

func (k *worker) deliveries() []delivery {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]delivery(nil), k.seen...)
}

// times returns when the deliveries came.
func (k *worker) times() []time.Duration {
	var all []time.Duration
	for _, d := range k.deliveries() {
		all = append(all, d.at)
	}
	return all
}

// within counts the deliveries in [from, to).
func (k *worker) within(from, to time.Duration) (n int) {
	for _, at := range k.times() {
		if at >= from && at < to {
			n++
		}
	}
	return n
}

// statuses returns a handler that answers each delivery with the next status, and
// from then on with the last one.
func statuses(codes ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(codes[min(n, len(codes)-1)]) }
}

// A bench is an emulator, its service and the worker it delivers to.
type bench struct {
	*testing.T
	ctx     context.Context
	emu     *cloudtasks.Emulator
	tasks   cloudtaskspb.CloudTasksServer
	worker  *worker
	options cloudtasks.Options

	mu       sync.Mutex
	observed []cloudtasks.Dispatch
}

// dispatches returns what the emulator has reported to OnDispatch so far.
func (b *bench) dispatches() []cloudtasks.Dispatch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]cloudtasks.Dispatch(nil), b.observed...)
}

// setup makes a bench on the time package's clock, which a synctest bubble
// controls.
func setup(t *testing.T, opts cloudtasks.Options, answer func(int, http.ResponseWriter, *http.Request)) *bench {
	t.Helper()
	now := time.Now
	if opts.Clock != nil {
		now = opts.Clock.Now
	}
	b := &bench{T: t, ctx: t.Context(), worker: &worker{start: now(), now: now, answer: answer}}
	opts.Transport = cloudtasks.HandlerTransport(b.worker)
	opts.OnDispatch = func(d cloudtasks.Dispatch) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.observed = append(b.observed, d)
	}
	b.options = opts
	b.open()
	return b
}

// open starts the emulator. Called again, it starts a new one on the same state.
func (b *bench) open() {
	b.Helper()
	emu, err := cloudtasks.New(b.options)
	if err != nil {
		b.Fatal(err)
	}
	b.emu, b.tasks = emu, emu.Service()
	b.Cleanup(func() { stop(emu) })
}

// stop closes an emulator without waiting for deliveries under way.
func stop(emu *cloudtasks.Emulator) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	emu.Close(ctx)
}

func (b *bench) queue(q *cloudtaskspb.Queue) *cloudtaskspb.Queue {
	b.Helper()
	q.Name = queueA
	out, err := b.tasks.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: q})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// create puts a task into queue a; with an empty id the emulator names it.
func (b *bench) create(id string) *cloudtaskspb.Task {
	b.Helper()
	task, err := b.tryCreate(httpTask(id))
	if err != nil {
		b.Fatal(err)
	}
	return task
}

func (b *bench) tryCreate(task *cloudtaskspb.Task) (*cloudtaskspb.Task, error) {
	return b.tasks.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{
		Parent: queueA, Task: task, ResponseView: cloudtaskspb.Task_FULL,
	})
}

func httpTask(id string) *cloudtaskspb.Task {
	task := &cloudtaskspb.Task{MessageType: &cloudtaskspb.Task_HttpRequest{
		HttpRequest: &cloudtaskspb.HttpRequest{Url: target},
	}}
	if id != "" {
		task.Name = queueA + "/tasks/" + id
	}
	return task
}

// get returns a task of queue a, or the error.
func (b *bench) get(id string) (*cloudtaskspb.Task, error) {
	return b.tasks.GetTask(b.ctx, &cloudtaskspb.GetTaskRequest{Name: queueA + "/tasks/" + id})
}
