package cloudtasks

import (
	"context"
	"strings"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	betapb "cloud.google.com/go/cloudtasks/apiv2beta3/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
)

// beta serves version v2beta3 of the API, which `gcloud beta tasks` asks for, by the
// methods of version 2: the messages of the two differ in a few fields. Batches are
// in version 2 only.
type beta struct {
	betapb.UnimplementedCloudTasksServer
	v2 cloudtaskspb.CloudTasksServer
}

// relay calls a method of version 2 with a request of v2beta3, and translates the
// answer into out.
func relay[In, Out, BetaOut proto.Message](
	ctx context.Context, request proto.Message, in In, call func(context.Context, In) (Out, error), out BetaOut,
) (BetaOut, error) {
	var none BetaOut
	if err := translate(in.ProtoReflect(), request.ProtoReflect()); err != nil {
		return none, err
	}
	answer, err := call(ctx, in)
	if err != nil {
		return none, err
	}
	return out, translate(out.ProtoReflect(), answer.ProtoReflect())
}

// translate copies the fields of src to those of the same names in dst. It returns
// an error if dst has no place for a field that is set.
func translate(dst, src protoreflect.Message) (err error) {
	src.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		err = translateField(dst, field, value)
		return err == nil
	})
	if q, ok := dst.Interface().(*betapb.Queue); ok {
		q.Type = betapb.Queue_PUSH
	}
	return err
}

func translateField(dst protoreflect.Message, from protoreflect.FieldDescriptor, value protoreflect.Value) error {
	switch from.FullName() {
	case "google.cloud.tasks.v2beta3.Queue.app_engine_http_queue":
		return translate(dst, value.Message()) // what it has is in the queue itself
	case "google.cloud.tasks.v2.Queue.app_engine_routing_override":
		dst = dst.Mutable(dst.Descriptor().Fields().ByName("app_engine_http_queue")).Message()
	case "google.cloud.tasks.v2beta3.Queue.type":
		if value.Enum() == betapb.Queue_PUSH.Number() {
			return nil
		}
	case "google.cloud.tasks.v2beta3.GetQueueRequest.read_mask", "google.cloud.tasks.v2beta3.ListQueuesRequest.read_mask",
		"google.cloud.tasks.v2beta3.Queue.stats": // output only
		return nil
	}
	to := dst.Descriptor().Fields().ByName(from.Name())
	if to == nil {
		return invalid("%s is not emulated.", from.FullName().Parent().Name()+"."+from.Name())
	}
	switch {
	case from.IsList() && from.Message() != nil:
		list := dst.Mutable(to).List()
		for i := range value.List().Len() {
			if err := translate(list.AppendMutable().Message(), value.List().Get(i).Message()); err != nil {
				return err
			}
		}
	case from.Message() != nil && !from.IsMap() && from.Message() != to.Message():
		return translate(dst.Mutable(to).Message(), value.Message())
	default:
		dst.Set(to, value)
	}
	return nil
}

func (s *beta) ListQueues(ctx context.Context, in *betapb.ListQueuesRequest) (*betapb.ListQueuesResponse, error) {
	return relay(ctx, in, &cloudtaskspb.ListQueuesRequest{}, s.v2.ListQueues, &betapb.ListQueuesResponse{})
}

func (s *beta) GetQueue(ctx context.Context, in *betapb.GetQueueRequest) (*betapb.Queue, error) {
	return relay(ctx, in, &cloudtaskspb.GetQueueRequest{}, s.v2.GetQueue, &betapb.Queue{})
}

func (s *beta) CreateQueue(ctx context.Context, in *betapb.CreateQueueRequest) (*betapb.Queue, error) {
	return relay(ctx, in, &cloudtaskspb.CreateQueueRequest{}, s.v2.CreateQueue, &betapb.Queue{})
}

// UpdateQueue changes a queue. A mask may name the field that only v2beta3 has.
func (s *beta) UpdateQueue(ctx context.Context, in *betapb.UpdateQueueRequest) (*betapb.Queue, error) {
	in = proto.CloneOf(in)
	for i, path := range in.GetUpdateMask().GetPaths() {
		if rest, ok := strings.CutPrefix(path, "app_engine_http_queue"); ok {
			rest = strings.TrimPrefix(strings.TrimPrefix(rest, "."), "app_engine_routing_override")
			in.UpdateMask.Paths[i] = "app_engine_routing_override" + rest
		}
	}
	return relay(ctx, in, &cloudtaskspb.UpdateQueueRequest{}, s.v2.UpdateQueue, &betapb.Queue{})
}

func (s *beta) DeleteQueue(ctx context.Context, in *betapb.DeleteQueueRequest) (*emptypb.Empty, error) {
	return s.v2.DeleteQueue(ctx, &cloudtaskspb.DeleteQueueRequest{Name: in.GetName()})
}

func (s *beta) PurgeQueue(ctx context.Context, in *betapb.PurgeQueueRequest) (*betapb.Queue, error) {
	return relay(ctx, in, &cloudtaskspb.PurgeQueueRequest{}, s.v2.PurgeQueue, &betapb.Queue{})
}

func (s *beta) PauseQueue(ctx context.Context, in *betapb.PauseQueueRequest) (*betapb.Queue, error) {
	return relay(ctx, in, &cloudtaskspb.PauseQueueRequest{}, s.v2.PauseQueue, &betapb.Queue{})
}

func (s *beta) ResumeQueue(ctx context.Context, in *betapb.ResumeQueueRequest) (*betapb.Queue, error) {
	return relay(ctx, in, &cloudtaskspb.ResumeQueueRequest{}, s.v2.ResumeQueue, &betapb.Queue{})
}

func (s *beta) GetIamPolicy(ctx context.Context, in *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return s.v2.GetIamPolicy(ctx, in)
}

func (s *beta) SetIamPolicy(ctx context.Context, in *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return s.v2.SetIamPolicy(ctx, in)
}

func (s *beta) TestIamPermissions(ctx context.Context, in *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	return s.v2.TestIamPermissions(ctx, in)
}

func (s *beta) ListTasks(ctx context.Context, in *betapb.ListTasksRequest) (*betapb.ListTasksResponse, error) {
	return relay(ctx, in, &cloudtaskspb.ListTasksRequest{}, s.v2.ListTasks, &betapb.ListTasksResponse{})
}

func (s *beta) GetTask(ctx context.Context, in *betapb.GetTaskRequest) (*betapb.Task, error) {
	return relay(ctx, in, &cloudtaskspb.GetTaskRequest{}, s.v2.GetTask, &betapb.Task{})
}

func (s *beta) CreateTask(ctx context.Context, in *betapb.CreateTaskRequest) (*betapb.Task, error) {
	return relay(ctx, in, &cloudtaskspb.CreateTaskRequest{}, s.v2.CreateTask, &betapb.Task{})
}

func (s *beta) DeleteTask(ctx context.Context, in *betapb.DeleteTaskRequest) (*emptypb.Empty, error) {
	return s.v2.DeleteTask(ctx, &cloudtaskspb.DeleteTaskRequest{Name: in.GetName()})
}

func (s *beta) RunTask(ctx context.Context, in *betapb.RunTaskRequest) (*betapb.Task, error) {
	return relay(ctx, in, &cloudtaskspb.RunTaskRequest{}, s.v2.RunTask, &betapb.Task{})
}

func (s *beta) UpdateCmekConfig(ctx context.Context, in *betapb.UpdateCmekConfigRequest) (*betapb.CmekConfig, error) {
	return relay(ctx, in, &cloudtaskspb.UpdateCmekConfigRequest{}, s.v2.UpdateCmekConfig, &betapb.CmekConfig{})
}

func (s *beta) GetCmekConfig(ctx context.Context, in *betapb.GetCmekConfigRequest) (*betapb.CmekConfig, error) {
	return relay(ctx, in, &cloudtaskspb.GetCmekConfigRequest{}, s.v2.GetCmekConfig, &betapb.CmekConfig{})
}
