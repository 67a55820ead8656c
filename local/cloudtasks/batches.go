package cloudtasks

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// msgNoneSucceeded is the documented message of a batch that failed as a whole.
const msgNoneSucceeded = "None of the requests succeeded, refer to %s.failed_requests for individual error details"

// BatchCreateTasks creates up to 100 tasks. The operation that it returns is
// already done, so clients have nothing to wait for.
func (s *service) BatchCreateTasks(_ context.Context, in *cloudtaskspb.BatchCreateTasksRequest) (*longrunningpb.Operation, error) {
	e, unlock := s.lock()
	defer unlock()
	q, err := e.find(in.GetParent())
	if err != nil {
		return nil, err
	}
	if n := len(in.GetRequests()); n == 0 || n > maxBatchCreate {
		return nil, invalid("BatchCreateTasksRequest.requests must have 1 to %d requests, it has %d.", maxBatchCreate, n)
	}
	id, earlier := e.operation(in.GetParent(), in.GetRequestId())
	if earlier != nil {
		return earlier, nil
	}
	meta := &cloudtaskspb.BatchCreateTasksMetadata{StartTime: micros(e.clock.Now())}
	out := &cloudtaskspb.BatchCreateTasksResponse{}
	failed := make(map[int32]*rpcstatus.Status)
	for i, r := range in.GetRequests() {
		t, err := e.createInBatch(in.GetParent(), r)
		if err != nil {
			failed[int32(i)] = status.Convert(err).Proto()
			continue
		}
		out.Tasks = append(out.Tasks, t.view(r.GetResponseView()))
	}
	e.pump(q)
	meta.FailedRequests, meta.EndTime = failed, micros(e.clock.Now())
	meta.State = cloudtaskspb.BatchCreateTasksMetadata_SUCCEEDED
	if len(failed) > 0 {
		meta.State = cloudtaskspb.BatchCreateTasksMetadata_PARTIALLY_SUCCEEDED
	}
	if len(out.GetTasks()) == 0 {
		meta.State = cloudtaskspb.BatchCreateTasksMetadata_FAILED
	}
	return e.recordOperation(id, meta, out, len(out.GetTasks()) == 0)
}

func (e *engine) createInBatch(parent string, r *cloudtaskspb.CreateTaskRequest) (*task, error) {
	if r.GetParent() != "" && r.GetParent() != parent {
		return nil, invalid("CreateTaskRequest.parent ('%s') must be the same as the parent of the batch ('%s').", r.GetParent(), parent)
	}
	return e.createTask(&cloudtaskspb.CreateTaskRequest{Parent: parent, Task: r.GetTask()})
}

// BatchDeleteTasks deletes up to 1000 tasks. One that fails does not stop the
// others (documented).
func (s *service) BatchDeleteTasks(_ context.Context, in *cloudtaskspb.BatchDeleteTasksRequest) (*longrunningpb.Operation, error) {
	e, unlock := s.lock()
	defer unlock()
	if _, err := e.find(in.GetParent()); err != nil {
		return nil, err
	}
	if n := len(in.GetNames()); n == 0 || n > maxBatchDelete {
		return nil, invalid("BatchDeleteTasksRequest.names must have 1 to %d names, it has %d.", maxBatchDelete, n)
	}
	id, earlier := e.operation(in.GetParent(), in.GetRequestId())
	if earlier != nil {
		return earlier, nil
	}
	meta := &cloudtaskspb.BatchDeleteTasksMetadata{StartTime: micros(e.clock.Now())}
	failed := make(map[int32]*rpcstatus.Status)
	for i, name := range in.GetNames() {
		if err := e.deleteInBatch(in.GetParent(), name); err != nil {
			failed[int32(i)] = status.Convert(err).Proto()
		}
	}
	meta.FailedRequests, meta.EndTime = failed, micros(e.clock.Now())
	meta.State = cloudtaskspb.BatchDeleteTasksMetadata_SUCCEEDED
	if len(failed) > 0 {
		meta.State = cloudtaskspb.BatchDeleteTasksMetadata_PARTIALLY_SUCCEEDED
	}
	if len(failed) == len(in.GetNames()) {
		meta.State = cloudtaskspb.BatchDeleteTasksMetadata_FAILED
	}
	return e.recordOperation(id, meta, &emptypb.Empty{}, len(failed) == len(in.GetNames()))
}

func (e *engine) deleteInBatch(parent, name string) error {
	if queue, _, ok := splitTask(name); ok && queue != parent {
		return invalid(msgQueueMismatch, parent, queue)
	}
	return e.deleteTask(name)
}

// operation returns a batch's name, and the operation that an earlier call with
// the same request ID made, if there was one: a client's retry does nothing
// twice (documented). Operations live in memory.
func (e *engine) operation(queue, requestID string) (name string, earlier *longrunningpb.Operation) {
	if requestID == "" {
		requestID = strings.ToLower(rand.Text())
	}
	location, _, _ := strings.Cut(queue, "/queues/")
	name = location + "/operations/" + requestID
	return name, e.operations[name]
}

// recordOperation stores and returns a finished operation.
func (e *engine) recordOperation(name string, meta, response proto.Message, failed bool) (*longrunningpb.Operation, error) {
	about, err := anypb.New(meta)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	result, err := anypb.New(response)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	op := &longrunningpb.Operation{Name: name, Metadata: about, Done: true}
	op.Result = &longrunningpb.Operation_Response{Response: result}
	if failed {
		kind := string(meta.ProtoReflect().Descriptor().Name())
		message := strings.Replace(msgNoneSucceeded, "%s", kind, 1)
		op.Result = &longrunningpb.Operation_Error{Error: &rpcstatus.Status{Code: int32(codes.Aborted), Message: message}}
	}
	e.operations[name] = op
	e.clock.AfterFunc(operationLife, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.operations, name)
	})
	return op, nil
}

// operationLife is how long a request ID is remembered. Inferred.
const operationLife = time.Hour
