package cloudtasks

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
)

// Options change an emulator. With the zero Options it keeps its state in memory,
// runs on the system clock and behaves as the service does.
type Options struct {
	// Clock replaces the time package, see ManualClock.
	Clock Clock
	// Transport carries the deliveries instead of a real connection, see
	// HandlerTransport.
	Transport http.RoundTripper
	// Logger logs each delivery (debug) and what goes wrong (error).
	Logger *slog.Logger
	// OnDispatch is called after each delivery, when its task is up to date, and
	// never twice at once. It may call the emulator; it should not block.
	OnDispatch func(Dispatch)
	// Seed makes task IDs and duplicates the same in each run; 0 takes a random one.
	Seed uint64

	// StateDir is where queues, tasks, names in use and the signing key are kept,
	// so that they outlive the process; empty keeps them in memory. One emulator
	// at a time may use it.
	StateDir string
	// SigningKey signs the ID tokens, instead of one kept in StateDir or made.
	SigningKey *rsa.PrivateKey
	// Issuer is the iss of ID tokens and of the discovery document; empty is
	// Google's, https://accounts.google.com. A verifier that finds the keys by the
	// issuer wants the address of the emulator here, such as http://localhost:8123.
	Issuer string
	// ServiceAccounts are the addresses that exist: a task that names another is
	// NotFound, as with the service. Empty lets every address exist.
	ServiceAccounts []string

	// AutoCreateQueues makes CreateTask create a queue that does not exist, with
	// the default configuration. The service answers NotFound.
	AutoCreateQueues bool
	// AppEngineURL receives the App Engine tasks of all services; empty sends them
	// to the project's appspot.com.
	AppEngineURL string
	// DefaultURL is where a task goes that names no URL, with the parts of its
	// queue's name for {project}, {location} and {queue}. The service refuses such a
	// task; firebase-admin makes them when it talks to an emulator.
	DefaultURL string
	// Hosts are names, beside those of this machine and of private networks, under
	// which HTTP clients may call the emulator.
	Hosts []string
	// TaskTombstone is how long the name of a task stays taken after the task ended:
	// 0 means one hour, which callers may rely on (up to 24 hours were seen); a
	// negative one means not at all.
	TaskTombstone time.Duration
	// QueueTombstone is the same for queues; 0 is 3 days.
	QueueTombstone time.Duration

	// Duplicates makes some deliveries come twice.
	Duplicates Duplicates
	// SlowStart makes new and idle queues reach their rate over two minutes, as the
	// service sometimes does.
	SlowStart bool
	// NoThrottling keeps the rate up when the worker answers 429 or 503 or fails
	// often.
	NoThrottling bool
}

// Duplicates chooses deliveries that come twice: by Every, by Probability, or by
// both. The second delivery has the same headers and is outside the rate, and its
// answer changes nothing.
type Duplicates struct {
	Every       int           // every Nth delivery of the emulator; 0 chooses none
	Probability float64       // of each delivery, 0 to 1
	Delay       time.Duration // between the two; one longer than the work acts like a lost acknowledgement
}

// bufferSize is the buffer of the in-process connection, in bytes.
const bufferSize = 1 << 20

// maxMessage is the largest request, in bytes: a full batch of large tasks.
const maxMessage = 128 << 20

// An Emulator is a Cloud Tasks service in this process.
type Emulator struct {
	engine *engine
	server *grpc.Server
	http   *http.Server
	local  *bufconn.Listener

	mu   sync.Mutex
	addr string

	inProcess sync.Once
}

// New returns an emulator with the state that StateDir holds. Due tasks go out at
// once. It listens on no address yet.
func New(opts Options) (*Emulator, error) {
	if opts.StateDir != "" {
		if err := os.MkdirAll(opts.StateDir, 0o700); err != nil {
			return nil, fmt.Errorf("cloudtasks: %w", err)
		}
	}
	s, err := newSigner(opts.SigningKey, opts.StateDir, cmp.Or(opts.Issuer, googleIssuer))
	if err != nil {
		return nil, fmt.Errorf("cloudtasks: signing key: %w", err)
	}
	e := &Emulator{engine: newEngine(withDefaults(opts), s), local: bufconn.Listen(bufferSize)}
	if opts.StateDir != "" {
		if err := e.engine.load(opts.StateDir); err != nil {
			return nil, fmt.Errorf("cloudtasks: state: %w", err)
		}
	}
	e.server = newServer(e)
	if e.http, err = e.newHTTPServer(); err != nil {
		return nil, fmt.Errorf("cloudtasks: %w", err)
	}
	e.engine.start()
	return e, nil
}

func withDefaults(o Options) Options {
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.TaskTombstone == 0 {
		o.TaskTombstone = defaultTaskTombstone
	}
	if o.QueueTombstone == 0 {
		o.QueueTombstone = defaultQueueTombstone
	}
	return o
}

// Start returns an emulator that serves on a TCP address, such as "localhost:8123",
// or "localhost:0" for any free port.
func Start(addr string, opts Options) (*Emulator, error) {
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cloudtasks: %w", err)
	}
	e, err := New(opts)
	if err != nil {
		return nil, errors.Join(err, lis.Close())
	}
	e.setAddr(lis)
	go func() {
		if err := e.Serve(lis); err != nil {
			e.engine.log.Error("cloud tasks: serve", slog.Any("error", err))
		}
	}()
	return e, nil
}

// Close stops listening and sending, waits for the deliveries under way until ctx is
// done, and cuts off the rest. With a StateDir, the tasks that were cut off are
// still in their queue.
func (e *Emulator) Close(ctx context.Context) error {
	e.engine.quiesce()
	stopped := make(chan struct{})
	go func() {
		_ = e.http.Shutdown(context.WithoutCancel(ctx)) // it ends when the connections are closed below
		e.server.GracefulStop()
		e.engine.attempts.Wait()
		close(stopped)
	}()
	var err error
	select {
	case <-stopped:
	case <-ctx.Done():
		err = ctx.Err()
		e.engine.stop(errShutdown)
		_ = e.http.Close()
		e.server.Stop()
		<-stopped
	}
	e.engine.stop(errShutdown)
	return errors.Join(err, e.engine.release())
}

// start sends the tasks of a loaded state that may go.
func (e *engine) start() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range sortedKeys(e.queues) {
		e.pump(e.queues[name])
	}
}

// quiesce stops all sending, and sends away those who wait.
func (e *engine) quiesce() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.tellRemoved()
	for _, q := range e.queues {
		e.wakeAt(q, time.Time{}, time.Time{})
	}
}

// release closes the journal.
func (e *engine) release() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.journal.Close()
}
