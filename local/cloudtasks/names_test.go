package cloudtasks_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// endings returns the ways in which a task can end: each makes the task x end.
func endings() map[string]func(*bench) {
	return map[string]func(*bench){
		"succeeded": func(b *bench) { b.create("x") },
		"gave up": func(b *bench) {
			b.worker.answer = statuses(500)
			b.create("x")
		},
		"deleted": func(b *bench) {
			b.pause()
			b.create("x")
			must(b.tasks.DeleteTask(b.ctx, &cloudtaskspb.DeleteTaskRequest{Name: queueA + "/tasks/x"}))(b.T)
		},
		"purged": func(b *bench) {
			b.pause()
			b.create("x")
			must(b.tasks.PurgeQueue(b.ctx, &cloudtaskspb.PurgeQueueRequest{Name: queueA}))(b.T)
		},
	}
}

// A name is taken for the tombstone's time after its task ended, however it ended.
func TestNamesAreTaken(t *testing.T) {
	for tombstone, taken := range map[time.Duration]time.Duration{0: time.Hour, 24 * time.Hour: 24 * time.Hour, -1: 0} {
		for name, end := range endings() {
			t.Run(name+" "+tombstone.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := setup(t, cloudtasks.Options{TaskTombstone: tombstone}, nil)
					b.queue(&cloudtaskspb.Queue{RetryConfig: retry(time.Second, time.Second, 1, 1)})
					end(b)
					synctest.Wait()
					if taken > 0 {
						time.Sleep(taken - time.Nanosecond)
						_, err := b.tryCreate(httpTask("x"))
						wantCode(t, "just before "+taken.String(), err, codes.AlreadyExists)
						_, err = b.get("x")
						check(t, err, codes.NotFound, "The task no longer exists, though a task with this name existed recently. The task either successfully completed or was deleted.")
						time.Sleep(time.Nanosecond)
					}
					_, err := b.tryCreate(httpTask("x"))
					wantCode(t, "after "+taken.String(), err, codes.OK)
				})
			})
		}
	}
}

func TestNameOfALivingTaskIsTaken(t *testing.T) {
	b := setup(t, cloudtasks.Options{TaskTombstone: -1}, nil)
	b.queue(&cloudtaskspb.Queue{})
	must(b.tasks.PauseQueue(b.ctx, &cloudtaskspb.PauseQueueRequest{Name: queueA}))(t)
	b.create("x")
	if _, err := b.tryCreate(httpTask("x")); status.Code(err) != codes.AlreadyExists {
		t.Errorf("%v, want AlreadyExists", err)
	}
}

func TestUnnamedTasksGetLongNumbers(t *testing.T) {
	var first []string
	for range 2 {
		b := setup(t, cloudtasks.Options{Seed: 7}, nil)
		b.queue(&cloudtaskspb.Queue{})
		var names []string
		for range 3 {
			name := b.create("").GetName()
			if !regexp.MustCompile(`^` + queueA + `/tasks/\d{17,20}$`).MatchString(name) {
				t.Errorf("name %q has no long number", name)
			}
			names = append(names, name)
		}
		if first != nil && strings.Join(first, " ") != strings.Join(names, " ") {
			t.Errorf("seeded names differ: %v and %v", first, names)
		}
		first = names
	}
}

func TestDeletedQueuesName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(&cloudtaskspb.Queue{})
		must(b.tasks.DeleteQueue(b.ctx, &cloudtaskspb.DeleteQueueRequest{Name: queueA}))(t)
		_, err := b.tasks.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
		wantCode(t, "GetQueue", err, codes.NotFound)
		_, err = b.tryCreate(httpTask("x"))
		wantCode(t, "CreateTask", err, codes.NotFound)
		time.Sleep(3*24*time.Hour - time.Nanosecond)
		create := &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{Name: queueA}}
		_, err = b.tasks.CreateQueue(b.ctx, create)
		wantCode(t, "CreateQueue", err, codes.FailedPrecondition)
		_, err = b.tasks.UpdateQueue(b.ctx, &cloudtaskspb.UpdateQueueRequest{Queue: create.GetQueue()})
		wantCode(t, "UpdateQueue", err, codes.FailedPrecondition)
		time.Sleep(time.Nanosecond)
		must(b.tasks.CreateQueue(b.ctx, create))(t)
	})
}

// must fails the test if a call returned an error.
func must(_ any, err error) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func wantCode(t *testing.T, call string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %v, want %s", call, err, want)
	}
}
