package cloudtasks_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

func defaults(name string) *cloudtaskspb.Queue {
	return &cloudtaskspb.Queue{
		Name: name, State: cloudtaskspb.Queue_RUNNING,
		RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 500, MaxBurstSize: 100, MaxConcurrentDispatches: 1000},
		RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: 100, MinBackoff: durationpb.New(100 * time.Millisecond),
			MaxBackoff: durationpb.New(time.Hour), MaxDoublings: 16},
	}
}

func TestQueueDefaults(t *testing.T) {
	b := setup(t, cloudtasks.Options{}, nil)
	got := b.queue(&cloudtaskspb.Queue{State: cloudtaskspb.Queue_PAUSED}) // output only
	if diff := cmp.Diff(defaults(queueA), got, protocmp.Transform()); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

func TestUpdateQueue(t *testing.T) {
	b := setup(t, cloudtasks.Options{}, nil)
	if diff := cmp.Diff(defaults(queueA), b.update(&cloudtaskspb.Queue{}), protocmp.Transform()); diff != "" {
		t.Errorf("created by update (-want +got):\n%s", diff)
	}
	b.update(&cloudtaskspb.Queue{RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: 5, MaxDoublings: 3}}, "retry_config.max_attempts")
	b.update(&cloudtaskspb.Queue{RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 50}}, "rate_limits")
	b.pause()
	want := defaults(queueA)
	want.State = cloudtaskspb.Queue_PAUSED
	want.RetryConfig.MaxAttempts = 5
	want.RateLimits.MaxDispatchesPerSecond, want.RateLimits.MaxBurstSize = 50, 10
	got, err := b.tasks.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("after masked updates (-want +got):\n%s", diff)
	}
	b.update(&cloudtaskspb.Queue{State: cloudtaskspb.Queue_RUNNING}, "state") // ignored
	want = defaults(queueA)
	want.State = cloudtaskspb.Queue_PAUSED // cannot be changed by an update
	if diff := cmp.Diff(want, b.update(&cloudtaskspb.Queue{State: cloudtaskspb.Queue_RUNNING}), protocmp.Transform()); diff != "" {
		t.Errorf("an update without a mask sets every field (-want +got):\n%s", diff)
	}
	_, err = b.tasks.UpdateQueue(b.ctx, &cloudtaskspb.UpdateQueueRequest{Queue: &cloudtaskspb.Queue{Name: queueA}, UpdateMask: mask([]string{"nonsense"})})
	wantCode(t, "unknown field", err, codes.InvalidArgument)
}

func TestListQueues(t *testing.T) {
	b := setup(t, cloudtasks.Options{}, nil)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("%s/queues/q%d", location, i)
		must(b.tasks.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{Name: name}}))(t)
		want = append(want, name)
	}
	elsewhere := location + "2"
	must(b.tasks.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: elsewhere, Queue: &cloudtaskspb.Queue{Name: elsewhere + "/queues/q"}}))(t)
	must(b.tasks.PauseQueue(b.ctx, &cloudtaskspb.PauseQueueRequest{Name: want[3]}))(t)

	var got []string
	var sizes []int
	for token := ""; ; {
		page, err := b.tasks.ListQueues(b.ctx, &cloudtaskspb.ListQueuesRequest{Parent: location, PageSize: 3, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range page.GetQueues() {
			got = append(got, q.GetName())
		}
		sizes = append(sizes, len(page.GetQueues()))
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || cmp.Diff([]int{3, 3, 1}, sizes) != "" {
		t.Errorf("pages of %v (-want +got):\n%s", sizes, diff)
	}
	paused, err := b.tasks.ListQueues(b.ctx, &cloudtaskspb.ListQueuesRequest{Parent: location, Filter: "state: PAUSED"})
	if err != nil || len(paused.GetQueues()) != 1 || paused.GetQueues()[0].GetName() != want[3] {
		t.Errorf("paused queues are %v (%v), want %s", paused.GetQueues(), err, want[3])
	}
	_, err = b.tasks.ListQueues(b.ctx, &cloudtaskspb.ListQueuesRequest{Parent: location, PageToken: "made up"})
	wantCode(t, "made-up token", err, codes.InvalidArgument)
}

func TestListTasksAndViews(t *testing.T) {
	b := setup(t, cloudtasks.Options{}, nil)
	b.queue(&cloudtaskspb.Queue{})
	b.pause()
	for i := range 5 {
		task := httpTask(fmt.Sprintf("t%d", i))
		task.GetHttpRequest().Body = []byte("secret")
		task.GetHttpRequest().Headers = map[string]string{"content-type": "text/plain", "user-agent": "mine"}
		if _, err := b.tryCreate(task); err != nil {
			t.Fatal(err)
		}
	}
	first, err := b.tasks.ListTasks(b.ctx, &cloudtaskspb.ListTasksRequest{Parent: queueA, PageSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.tasks.ListTasks(b.ctx, &cloudtaskspb.ListTasksRequest{
		Parent: queueA, PageSize: 3, PageToken: first.GetNextPageToken(), ResponseView: cloudtaskspb.Task_FULL})
	if err != nil {
		t.Fatal(err)
	}
	if len(first.GetTasks()) != 3 || len(second.GetTasks()) != 2 || second.GetNextPageToken() != "" {
		t.Fatalf("pages of %d and %d", len(first.GetTasks()), len(second.GetTasks()))
	}
	headers := map[string]string{"User-Agent": "Google-Cloud-Tasks", "content-type": "text/plain"}
	basic, full := first.GetTasks()[0], second.GetTasks()[0]
	if basic.GetView() != cloudtaskspb.Task_BASIC || len(basic.GetHttpRequest().GetBody()) > 0 {
		t.Errorf("BASIC shows the body: %v", basic)
	}
	if full.GetView() != cloudtaskspb.Task_FULL || string(full.GetHttpRequest().GetBody()) != "secret" {
		t.Errorf("FULL lacks the body: %v", full)
	}
	if diff := cmp.Diff(headers, basic.GetHttpRequest().GetHeaders()); diff != "" {
		t.Errorf("stored headers (-want +got):\n%s", diff)
	}
	if d := basic.GetDispatchDeadline().AsDuration(); d != 10*time.Minute || basic.GetHttpRequest().GetHttpMethod() != cloudtaskspb.HttpMethod_POST {
		t.Errorf("defaults are %s and %s", d, basic.GetHttpRequest().GetHttpMethod())
	}
}

func TestPauseResumePurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(&cloudtaskspb.Queue{})
		b.pause()
		b.create("purged")
		time.Sleep(time.Hour)
		purged, err := b.tasks.PurgeQueue(b.ctx, &cloudtaskspb.PurgeQueueRequest{Name: queueA})
		if err != nil || !purged.GetPurgeTime().AsTime().Equal(time.Now().Truncate(time.Microsecond)) {
			t.Errorf("purge_time is %v (%v)", purged.GetPurgeTime(), err)
		}
		b.create("kept")
		time.Sleep(time.Hour)
		if n := len(b.worker.times()); n != 0 {
			t.Errorf("%d deliveries from a paused queue", n)
		}
		must(b.tasks.ResumeQueue(b.ctx, &cloudtaskspb.ResumeQueueRequest{Name: queueA}))(t)
		synctest.Wait()
		all := b.worker.deliveries()
		if len(all) != 1 || all[0].header.Get("X-CloudTasks-TaskName") != "kept" {
			t.Errorf("deliveries are %v, want the kept task alone", all)
		}
	})
}

// A delivery that is under way when its task is deleted runs on and changes
// nothing.
func TestDeleteWhileUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.worker.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Minute)
			w.WriteHeader(http.StatusInternalServerError)
		}
		b.queue(&cloudtaskspb.Queue{})
		b.create("x")
		time.Sleep(time.Second)
		must(b.tasks.DeleteTask(b.ctx, &cloudtaskspb.DeleteTaskRequest{Name: queueA + "/tasks/x"}))(t)
		time.Sleep(time.Hour)
		got := b.dispatches()
		if len(got) != 1 || got[0].Outcome != cloudtasks.Ignored || got[0].Status != 500 || got[0].Latency != time.Minute {
			t.Errorf("dispatches are %+v, want one that was ignored", got)
		}
	})
}

func TestAutoCreateQueues(t *testing.T) {
	b := setup(t, cloudtasks.Options{AutoCreateQueues: true}, nil)
	b.create("x")
	if diff := cmp.Diff([]string{queueA}, b.emu.Queues()); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
}

func TestIamPolicy(t *testing.T) {
	b := setup(t, cloudtasks.Options{}, nil)
	b.queue(&cloudtaskspb.Queue{})
	empty, err := b.tasks.GetIamPolicy(b.ctx, &iampb.GetIamPolicyRequest{Resource: queueA})
	if err != nil || len(empty.GetBindings()) != 0 {
		t.Fatalf("first policy is %v (%v), want an empty one", empty, err)
	}
	policy := &iampb.Policy{Etag: empty.GetEtag(), Bindings: []*iampb.Binding{{Role: "roles/cloudtasks.enqueuer", Members: []string{"user:a@b.c"}}}}
	set := &iampb.SetIamPolicyRequest{Resource: queueA, Policy: policy}
	must(b.tasks.SetIamPolicy(b.ctx, set))(t)
	_, err = b.tasks.SetIamPolicy(b.ctx, set)
	wantCode(t, "an old etag", err, codes.Aborted)
	got, err := b.tasks.GetIamPolicy(b.ctx, &iampb.GetIamPolicyRequest{Resource: queueA})
	if err != nil || cmp.Diff(policy.GetBindings(), got.GetBindings(), protocmp.Transform()) != "" {
		t.Errorf("policy is %v (%v), want %v", got, err, policy)
	}
	for resource, want := range map[string]int{queueA: 1, queueA + "x": 0} {
		granted, err := b.tasks.TestIamPermissions(b.ctx, &iampb.TestIamPermissionsRequest{Resource: resource, Permissions: []string{"cloudtasks.tasks.create"}})
		if err != nil || len(granted.GetPermissions()) != want {
			t.Errorf("%s grants %v (%v), want %d", resource, granted, err, want)
		}
	}
}
