package cloudtasks

import (
	"context"
	"strings"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// ListTasks lists tasks in the order of their names; the service promises no
// order.
func (s *service) ListTasks(_ context.Context, in *cloudtaskspb.ListTasksRequest) (*cloudtaskspb.ListTasksResponse, error) {
	e, unlock := s.lock()
	defer unlock()
	q, err := e.find(in.GetParent())
	if err != nil {
		return nil, err
	}
	names, next, err := page(sortedKeys(q.tasks), q.name(), in.GetPageSize(), maxTaskPageSize, in.GetPageToken())
	if err != nil {
		return nil, err
	}
	out := &cloudtaskspb.ListTasksResponse{NextPageToken: next}
	for _, name := range names {
		out.Tasks = append(out.Tasks, q.tasks[name].view(in.GetResponseView()))
	}
	return out, nil
}

// findTask returns the task with the given full name. Its error distinguishes a
// task that ended recently from one that never existed (recorded).
func (e *engine) findTask(name string) (*task, error) {
	if _, id, ok := splitTask(name); !ok || !validTaskID(id) {
		return nil, invalid(msgTaskName)
	}
	if t, ok := e.tasks[name]; ok {
		return t, nil
	}
	if e.ended.has(name, e.clock.Now()) {
		return nil, notFound(msgTaskEnded)
	}
	return nil, notFound(msgNotFound)
}

func (s *service) GetTask(_ context.Context, in *cloudtaskspb.GetTaskRequest) (*cloudtaskspb.Task, error) {
	e, unlock := s.lock()
	defer unlock()
	t, err := e.findTask(in.GetName())
	if err != nil {
		return nil, err
	}
	return t.view(in.GetResponseView()), nil
}

func (s *service) CreateTask(_ context.Context, in *cloudtaskspb.CreateTaskRequest) (*cloudtaskspb.Task, error) {
	e, unlock := s.lock()
	defer unlock()
	t, err := e.createTask(in)
	if err != nil {
		return nil, err
	}
	out := t.view(in.GetResponseView())
	e.pump(t.queue)
	return out, nil
}

// createTask adds a task to its queue, which the caller pumps.
func (e *engine) createTask(in *cloudtaskspb.CreateTaskRequest) (*task, error) {
	if in.GetTask() == nil {
		return nil, invalid("Task is required.")
	}
	if err := checkTaskName(in.GetParent(), in.GetTask().GetName()); err != nil {
		return nil, err
	}
	q, err := e.findOrCreate(in.GetParent())
	if err != nil {
		return nil, err
	}
	now, name := e.clock.Now(), in.GetTask().GetName()
	if name == "" {
		name = q.name() + "/tasks/" + e.newTaskID(q.name(), now)
	}
	t, err := e.newTask(q, name, in.GetTask(), now)
	if err != nil {
		return nil, err
	}
	if e.tasks[name] != nil || e.ended.has(name, now) {
		return nil, status.Error(codes.AlreadyExists, msgTaskExists)
	}
	if err := e.keepTask(t); err != nil {
		return nil, err
	}
	e.insert(t)
	return t, nil
}

// keepTask records a new task, as keep does.
func (e *engine) keepTask(t *task) error {
	if !e.journal.Keeps() && !e.closed {
		return nil
	}
	return e.keep(taskEntry(t, e.clock.Now(), true))
}

// findOrCreate returns the queue with the given full name. With
// Options.AutoCreateQueues it creates one that does not exist.
func (e *engine) findOrCreate(name string) (*queue, error) {
	q, err := e.find(name)
	if status.Code(err) == codes.NotFound && e.opts.AutoCreateQueues {
		return e.create(&cloudtaskspb.Queue{Name: name})
	}
	return q, err
}

// checkTaskName checks the name that a caller chose, if any.
func checkTaskName(parent, name string) error {
	if name == "" {
		return nil
	}
	queue, id, ok := splitTask(name)
	switch {
	case !ok:
		return invalid(msgTaskName)
	case !validTaskID(id):
		return withHelp(strings.Replace(msgTaskID, "%s", id, 1), helpTaskID, helpTaskIDURL)
	case queue != parent:
		return invalid(msgQueueMismatch, parent, queue)
	}
	return nil
}

// DeleteTask deletes a task that waits or is under way. An attempt under way runs
// on, and its answer changes nothing.
func (s *service) DeleteTask(_ context.Context, in *cloudtaskspb.DeleteTaskRequest) (*emptypb.Empty, error) {
	e, unlock := s.lock()
	defer unlock()
	if err := e.deleteTask(in.GetName()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

func (e *engine) deleteTask(name string) error {
	t, err := e.findTask(name)
	if err != nil {
		return err
	}
	now := e.clock.Now()
	if err := e.keep(entry{Op: opEnded, At: now, Name: name}); err != nil {
		return err
	}
	e.remove(t, now)
	e.pump(t.queue)
	return nil
}

// RunTask sends a task now, outside the rate and the concurrency limit, and even
// from a paused queue or while it is under way (documented). The answer shows the
// task as it is once sent.
func (s *service) RunTask(_ context.Context, in *cloudtaskspb.RunTaskRequest) (*cloudtaskspb.Task, error) {
	e, unlock := s.lock()
	defer unlock()
	t, err := e.findTask(in.GetName())
	if err != nil {
		return nil, err
	}
	if e.closed {
		return nil, status.Error(codes.Unavailable, errShutdown.Error())
	}
	t.queue.due.remove(t)
	e.dispatch(t, e.clock.Now(), true)
	e.pump(t.queue)
	return t.view(in.GetResponseView()), nil
}
