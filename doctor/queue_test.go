package doctor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	gcloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// A queueTest is an emulator with the queue of laneA, and the official client
// for it.
type queueTest struct {
	*cloudtasks.Emulator
	client *gcloudtasks.Client
}

func setupQueue(t *testing.T, opts cloudtasks.Options) *queueTest {
	t.Helper()
	emu, err := cloudtasks.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = emu.Close(ctx)
	})
	conn, err := emu.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := gcloudtasks.NewClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	q := &queueTest{emu, client}
	q.set(t, func(*cloudtaskspb.Queue) {})
	return q
}

// set sets the queue up as it should be, except for change.
func (q *queueTest) set(t *testing.T, change func(*cloudtaskspb.Queue)) {
	t.Helper()
	pb := &cloudtaskspb.Queue{
		Name:        queueName,
		RateLimits:  &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 1, MaxConcurrentDispatches: 20},
		RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: -1},
	}
	change(pb)
	if _, err := q.client.UpdateQueue(t.Context(), &cloudtaskspb.UpdateQueueRequest{Queue: pb}); err != nil {
		t.Fatal(err)
	}
}

func (q *queueTest) pause(t *testing.T) {
	t.Helper()
	if _, err := q.client.PauseQueue(t.Context(), &cloudtaskspb.PauseQueueRequest{Name: queueName}); err != nil {
		t.Fatal(err)
	}
}

func (q *queueTest) open(context.Context) (doctor.Queues, error) { return q.client, nil }

func TestQueue(t *testing.T) {
	t.Parallel()
	q := setupQueue(t, cloudtasks.Options{})
	expect(t, examine(t, doctor.Queue(laneA(), q.open)), want{doctor.OK, "a", "images-v1 is running, 60 a minute, 20 at once", ""})
	slow := laneA() // its rate is not a round number
	slow.Quota.RPM = 7
	q.set(t, func(pb *cloudtaskspb.Queue) { pb.RateLimits.MaxDispatchesPerSecond = 0.117 })
	expect(t, examine(t, doctor.Queue(slow, q.open)), want{doctor.OK, "a", "7 a minute", ""})
}

func TestQueueThatIsSetUpOtherwise(t *testing.T) {
	t.Parallel()
	const update = "gcloud tasks queues update images-v1 --project=p --location=l "
	for name, tt := range map[string]struct {
		change func(*cloudtaskspb.Queue)
		wants  []want
	}{
		"too slow": {
			func(pb *cloudtaskspb.Queue) { pb.RateLimits.MaxDispatchesPerSecond = 0.5 },
			[]want{{doctor.Warning, "a", "30 a minute at most, and the lane's quota is 60", update + "--max-dispatches-per-second=1 "}},
		},
		"too fast": {
			func(pb *cloudtaskspb.Queue) { pb.RateLimits.MaxDispatchesPerSecond = 500 },
			[]want{{doctor.Warning, "a", "up to 30000 a minute", update + "--max-dispatches-per-second=1 "}},
		},
		"too few at once": {
			func(pb *cloudtaskspb.Queue) { pb.RateLimits.MaxConcurrentDispatches = 5 },
			[]want{{doctor.Warning, "a", "delivers 5 at once, and the lane is to have 20", "--max-concurrent-dispatches=20"}},
		},
		"too many at once": {
			func(pb *cloudtaskspb.Queue) { pb.RateLimits.MaxConcurrentDispatches = 1000 },
			[]want{{doctor.Warning, "a", "delivers 1000 at once", "--max-concurrent-dispatches=20"}},
		},
		"gives up": {
			func(pb *cloudtaskspb.Queue) { pb.RetryConfig.MaxAttempts = 5 },
			[]want{{doctor.Warning, "a", "gives up after 5 attempts", "--max-attempts=-1"}},
		},
		"gives up late": {
			func(pb *cloudtaskspb.Queue) { pb.RetryConfig.MaxAttempts = 100 },
			[]want{{doctor.OK, "a", "is running", ""}},
		},
		"all of it": {
			func(pb *cloudtaskspb.Queue) {
				pb.RateLimits = &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 2, MaxConcurrentDispatches: 1}
				pb.RetryConfig.MaxAttempts = 1
			},
			[]want{{doctor.Warning, "a", "120 a minute", ""}, {doctor.Warning, "a", "1 at once", ""}, {doctor.Warning, "a", "1 attempt,", ""}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := setupQueue(t, cloudtasks.Options{})
			q.set(t, tt.change)
			expect(t, examine(t, doctor.Queue(laneA(), q.open)), tt.wants...)
		})
	}
}

func TestQueueThatIsPaused(t *testing.T) {
	t.Parallel()
	q := setupQueue(t, cloudtasks.Options{})
	q.pause(t)
	expect(t, examine(t, doctor.Queue(laneA(), q.open)),
		want{doctor.Failed, "a", "queue images-v1 is paused", "gcloud tasks queues resume images-v1 --project=p --location=l"})
}

func TestQueueThatIsMissing(t *testing.T) {
	t.Parallel()
	q := setupQueue(t, cloudtasks.Options{})
	l := laneA()
	l.Quota.Queue = "projects/p/locations/l/queues/other"
	l.Quota.RPM = 10
	expect(t, examine(t, doctor.Queue(l, q.open)), want{
		doctor.Failed, "a", "there is no queue projects/p/locations/l/queues/other",
		"gcloud tasks queues create other --project=p --location=l --max-dispatches-per-second=0.166667 --max-concurrent-dispatches=20 --max-attempts=-1",
	})
}

// refusing is a client that fails some calls.
type refusing struct {
	doctor.Queues
	looked    error // of GetQueue
	tested    error // of TestIamPermissions
	permitted []string
	state     cloudtaskspb.Queue_State
}

func (r refusing) GetQueue(ctx context.Context, in *cloudtaskspb.GetQueueRequest, opts ...gax.CallOption) (*cloudtaskspb.Queue, error) {
	if r.looked != nil {
		return nil, r.looked
	}
	q, err := r.Queues.GetQueue(ctx, in, opts...)
	if r.state != 0 {
		q = proto.CloneOf(q)
		q.State = r.state
	}
	return q, err
}

func (r refusing) TestIamPermissions(context.Context, *iampb.TestIamPermissionsRequest, ...gax.CallOption) (*iampb.TestIamPermissionsResponse, error) {
	return &iampb.TestIamPermissionsResponse{Permissions: r.permitted}, r.tested
}

func TestQueueThatRefuses(t *testing.T) {
	t.Parallel()
	const create, get = "cloudtasks.tasks.create", "cloudtasks.tasks.get"
	const bind = "gcloud tasks queues add-iam-policy-binding images-v1 --project=p --location=l"
	fail := grpcstatus.Error
	for name, tt := range map[string]struct {
		refusing refusing
		wants    []want
	}{
		"to create tasks": {
			refusing{permitted: []string{get}},
			[]want{{doctor.Failed, "a", "may not create tasks", bind + " --member=serviceAccount:THIS_ACCOUNT --role=roles/cloudtasks.enqueuer"}},
		},
		"to look tasks up": {
			refusing{permitted: []string{create}},
			[]want{{doctor.Warning, "a", "may not look tasks up", "roles/cloudtasks.viewer"}},
		},
		"to be looked at": {
			refusing{looked: fail(codes.PermissionDenied, "no"), permitted: []string{create}},
			[]want{{doctor.Warning, "a", "may not look at queue images-v1", "roles/cloudtasks.viewer"}},
		},
		"everything": {
			refusing{looked: fail(codes.PermissionDenied, "no")},
			[]want{{doctor.Warning, "a", "may not look at", bind}, {doctor.Failed, "a", "may not create tasks", bind}},
		},
		"because the API is disabled": {
			refusing{looked: fail(codes.PermissionDenied, "Cloud Tasks API has not been used in project p before or it is disabled."), permitted: []string{create}},
			[]want{{doctor.Failed, "a", "Cloud Tasks is not enabled in project p", "gcloud services enable cloudtasks.googleapis.com --project=p"}},
		},
		"a stranger": {
			refusing{looked: fail(codes.Unauthenticated, "no token")},
			[]want{{doctor.Failed, "a", "no credentials for Google Cloud", "gcloud auth application-default login"}},
		},
		"what it is called by": {
			refusing{looked: fail(codes.InvalidArgument, "bad name")},
			[]want{{doctor.Failed, "a", "cannot be looked at", "CLOUD_TASKS_QUEUE"}},
		},
		"to tell what is allowed": {
			refusing{tested: fail(codes.Internal, "oops")},
			[]want{{doctor.Warning, "a", "cannot be told", "roles"}},
		},
		"what no emulator knows": {
			refusing{tested: fail(codes.Unimplemented, "no")},
			[]want{{doctor.OK, "a", "is running", ""}},
		},
		"to run": {
			refusing{state: cloudtaskspb.Queue_DISABLED, permitted: []string{create, get}},
			[]want{{doctor.Failed, "a", "is disabled", "billing"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.refusing.Queues = setupQueue(t, cloudtasks.Options{}).client
			got := examine(t, doctor.Queue(laneA(), func(context.Context) (doctor.Queues, error) { return tt.refusing, nil }))
			expect(t, got, tt.wants...)
		})
	}
}

func TestSweepQueue(t *testing.T) {
	t.Parallel()
	const create = "cloudtasks.tasks.create"
	denied := grpcstatus.Error(codes.PermissionDenied, "no")
	for name, tt := range map[string]struct {
		queue    string
		refusing *refusing
		want     want
	}{
		"in order": {queueName, nil, want{doctor.OK, "sweeps", "images-v1 takes sweeps", ""}},
		"none":     {"", nil, want{doctor.Skipped, "sweeps", "Cloud Scheduler's sweep only", ""}},
		"missing": {queueName + "x", nil, want{
			doctor.Failed, "sweeps", "there is no queue", "gcloud tasks queues create images-v1x --project=p --location=l --max-dispatches-per-second=1 --max-concurrent-dispatches=2",
		}},
		"not to be looked at": {queueName, &refusing{looked: denied, permitted: []string{create}}, want{doctor.OK, "sweeps", "takes sweeps", ""}},
		"not to be used":      {queueName, &refusing{looked: denied}, want{doctor.Failed, "sweeps", "may not create tasks", "roles/cloudtasks.enqueuer"}},
		"disabled": {
			queueName, &refusing{looked: grpcstatus.Error(codes.PermissionDenied, "SERVICE_DISABLED")},
			want{doctor.Failed, "sweeps", "not enabled", "gcloud services enable"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := setupQueue(t, cloudtasks.Options{})
			open := q.open
			if tt.refusing != nil {
				tt.refusing.Queues = q.client
				open = func(context.Context) (doctor.Queues, error) { return tt.refusing, nil }
			}
			expect(t, examine(t, doctor.SweepQueue(tt.queue, open)), tt.want)
		})
	}
	q := setupQueue(t, cloudtasks.Options{})
	q.pause(t)
	expect(t, examine(t, doctor.SweepQueue(queueName, q.open)), want{doctor.Failed, "sweeps", "is paused", "gcloud tasks queues resume images-v1"})
	expect(t, examine(t, doctor.SweepQueue(queueName, closedQueues)), want{doctor.Failed, "sweeps", "no credentials", "gcloud auth"})
}

func TestQueueWithoutCredentials(t *testing.T) {
	t.Parallel()
	got := examine(t, doctor.Queue(laneA(), func(context.Context) (doctor.Queues, error) {
		return nil, errors.New("could not find default credentials")
	}))
	expect(t, got, want{doctor.Failed, "a", "could not find default credentials", "gcloud auth application-default login"})
}

func TestQueueOutOfReach(t *testing.T) {
	t.Parallel()
	client, err := gcloudtasks.NewClient(t.Context(), option.WithEndpoint(nobody(t)), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	got := examine(t, doctor.Queue(laneA(), func(context.Context) (doctor.Queues, error) { return client, nil }))
	expect(t, got, want{doctor.Failed, "a", "Cloud Tasks cannot be reached", "CLOUD_TASKS_ENDPOINT"})
}
