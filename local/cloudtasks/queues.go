package cloudtasks

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// service implements the gRPC methods: each checks its request and answers in the
// service's words.
type service struct {
	cloudtaskspb.UnimplementedCloudTasksServer
	engine *engine
}

// lock locks the engine and returns it with the function that unlocks it.
func (s *service) lock() (*engine, func()) {
	s.engine.mu.Lock()
	return s.engine, s.engine.mu.Unlock
}

// find returns the queue with the given full name.
func (e *engine) find(name string) (*queue, error) {
	if _, ok := parseQueue(name); !ok {
		return nil, badQueueName()
	}
	if q, ok := e.queues[name]; ok {
		return q, nil
	}
	return nil, notFound(msgQueueMissing)
}

// ListQueues lists queues in lexicographical order (documented).
func (s *service) ListQueues(_ context.Context, in *cloudtaskspb.ListQueuesRequest) (*cloudtaskspb.ListQueuesResponse, error) {
	if !parseLocation(in.GetParent()) {
		return nil, invalid(msgResource)
	}
	match, err := queueFilter(in.GetFilter())
	if err != nil {
		return nil, err
	}
	e, unlock := s.lock()
	defer unlock()
	var names []string
	for _, name := range sortedKeys(e.queues) {
		if strings.HasPrefix(name, in.GetParent()+"/queues/") && match(e.queues[name].pb) {
			names = append(names, name)
		}
	}
	scope := in.GetParent() + " " + in.GetFilter()
	names, next, err := page(names, scope, in.GetPageSize(), maxQueuePageSize, in.GetPageToken())
	if err != nil {
		return nil, err
	}
	out := &cloudtaskspb.ListQueuesResponse{NextPageToken: next}
	for _, name := range names {
		out.Queues = append(out.Queues, proto.CloneOf(e.queues[name].pb))
	}
	return out, nil
}

// queueFilter reads a filter on the state, such as "state: PAUSED". The service
// can filter by every field, but filters are mostly for consoles, and they use
// this one.
func queueFilter(filter string) (func(*cloudtaskspb.Queue) bool, error) {
	if strings.TrimSpace(filter) == "" {
		return func(*cloudtaskspb.Queue) bool { return true }, nil
	}
	field, value, negate := filter, "", false
	for _, operator := range []string{"!=", "=", ":"} {
		if f, v, ok := strings.Cut(filter, operator); ok {
			field, value, negate = strings.TrimSpace(f), strings.Trim(v, ` "`), operator == "!="
			break
		}
	}
	if field != "state" || value == "" {
		return nil, invalid("filter %q: this emulator filters by state only, such as \"state: PAUSED\".", filter)
	}
	return func(q *cloudtaskspb.Queue) bool { return (q.GetState().String() == value) != negate }, nil
}

func (s *service) GetQueue(_ context.Context, in *cloudtaskspb.GetQueueRequest) (*cloudtaskspb.Queue, error) {
	e, unlock := s.lock()
	defer unlock()
	q, err := e.find(in.GetName())
	if err != nil {
		return nil, err
	}
	return proto.CloneOf(q.pb), nil
}

func (s *service) CreateQueue(_ context.Context, in *cloudtaskspb.CreateQueueRequest) (*cloudtaskspb.Queue, error) {
	if !parseLocation(in.GetParent()) {
		return nil, invalid(msgResource)
	}
	name := in.GetQueue().GetName()
	if _, ok := parseQueue(name); !ok {
		return nil, badQueueName()
	}
	if !strings.HasPrefix(name, in.GetParent()+"/queues/") {
		return nil, invalid("The location from request ('%s') must be the same as the location of the named queue ('%s').", in.GetParent(), name)
	}
	e, unlock := s.lock()
	defer unlock()
	q, err := e.create(in.GetQueue())
	if err != nil {
		return nil, err
	}
	return proto.CloneOf(q.pb), nil
}

// create adds a queue that does not exist yet.
func (e *engine) create(in *cloudtaskspb.Queue) (*queue, error) {
	name, now := in.GetName(), e.clock.Now()
	if e.queues[name] != nil {
		return nil, status.Error(codes.AlreadyExists, msgQueueExists)
	}
	if e.deleted.has(name, now) {
		return nil, status.Error(codes.FailedPrecondition, msgQueueTombstone)
	}
	pb, err := newQueueConfig(in)
	if err != nil {
		return nil, err
	}
	if err := e.keep(messageEntry(opQueue, name, pb, now)); err != nil {
		return nil, err
	}
	q := newQueue(pb, now)
	e.queues[name] = q
	return q, nil
}

// keep records a change before it is made and answered. It returns an error if the
// disk refuses it, and then the call must fail too.
func (e *engine) keep(en entry) error {
	if e.closed {
		return status.Error(codes.Unavailable, errShutdown.Error())
	}
	if err := e.journal.Write(en); err != nil {
		return status.Errorf(codes.Unavailable, "the emulator cannot keep its state: %v", err)
	}
	return nil
}

// UpdateQueue changes a queue, or creates it when it does not exist (documented).
func (s *service) UpdateQueue(_ context.Context, in *cloudtaskspb.UpdateQueueRequest) (*cloudtaskspb.Queue, error) {
	name := in.GetQueue().GetName()
	if _, ok := parseQueue(name); !ok {
		return nil, badQueueName()
	}
	e, unlock := s.lock()
	defer unlock()
	q, ok := e.queues[name]
	if !ok {
		q, err := e.create(in.GetQueue())
		if err != nil {
			return nil, err
		}
		return proto.CloneOf(q.pb), nil
	}
	pb, err := updatedConfig(q.pb, in.GetQueue(), in.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	return e.change(q, pb)
}

// EnsureQueue makes a queue exist with the given configuration, for a program that
// starts an emulator with its queues. It changes a queue that exists, and creates
// one whose name is taken because it was deleted recently. A state of PAUSED or
// RUNNING is put into force; without one, an existing queue keeps its own.
func (e *Emulator) EnsureQueue(ctx context.Context, in *cloudtaskspb.Queue) error {
	s := &service{engine: e.engine}
	e.engine.remember(in)
	if _, err := s.UpdateQueue(ctx, &cloudtaskspb.UpdateQueueRequest{Queue: in}); err != nil {
		return err
	}
	if state := in.GetState(); state == cloudtaskspb.Queue_PAUSED || state == cloudtaskspb.Queue_RUNNING {
		_, err := s.setState(in.GetName(), state)
		return err
	}
	return nil
}

// change puts a new configuration into force.
func (e *engine) change(q *queue, pb *cloudtaskspb.Queue) (*cloudtaskspb.Queue, error) {
	now := e.clock.Now()
	if err := e.keep(messageEntry(opQueue, q.name(), pb, now)); err != nil {
		return nil, err
	}
	q.configure(pb, now)
	e.pump(q)
	return proto.CloneOf(q.pb), nil
}

func (s *service) DeleteQueue(_ context.Context, in *cloudtaskspb.DeleteQueueRequest) (*emptypb.Empty, error) {
	e, unlock := s.lock()
	defer unlock()
	if _, ok := parseQueue(in.GetName()); !ok {
		return nil, badQueueName()
	}
	q, ok := e.queues[in.GetName()]
	if !ok {
		return nil, notFound(msgNotFound)
	}
	now := e.clock.Now()
	if err := e.keep(entry{Op: opQueueDeleted, At: now, Name: q.name()}); err != nil {
		return nil, err
	}
	e.dropQueue(q.name(), now)
	e.pump(q)
	return &emptypb.Empty{}, nil
}

// PurgeQueue drops all tasks at once; the service may take a minute.
func (s *service) PurgeQueue(_ context.Context, in *cloudtaskspb.PurgeQueueRequest) (*cloudtaskspb.Queue, error) {
	e, unlock := s.lock()
	defer unlock()
	q, err := e.find(in.GetName())
	if err != nil {
		return nil, err
	}
	now := e.clock.Now()
	if err := e.keep(entry{Op: opPurged, At: now, Name: q.name()}); err != nil {
		return nil, err
	}
	e.dropTasks(q, now)
	pb := proto.CloneOf(q.pb)
	pb.PurgeTime = micros(now.Truncate(time.Microsecond))
	return e.change(q, pb)
}

func (s *service) PauseQueue(_ context.Context, in *cloudtaskspb.PauseQueueRequest) (*cloudtaskspb.Queue, error) {
	return s.setState(in.GetName(), cloudtaskspb.Queue_PAUSED)
}

func (s *service) ResumeQueue(_ context.Context, in *cloudtaskspb.ResumeQueueRequest) (*cloudtaskspb.Queue, error) {
	return s.setState(in.GetName(), cloudtaskspb.Queue_RUNNING)
}

func (s *service) setState(name string, state cloudtaskspb.Queue_State) (*cloudtaskspb.Queue, error) {
	e, unlock := s.lock()
	defer unlock()
	q, err := e.find(name)
	if err != nil {
		return nil, err
	}
	pb := proto.CloneOf(q.pb)
	pb.State = state
	return e.change(q, pb)
}
