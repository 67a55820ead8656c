package cloudtasks_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// journal is the file that an emulator keeps in its state directory.
const journal = "cloudtasks.jsonl"

func (b *bench) list() []*cloudtaskspb.Task {
	b.Helper()
	out, err := b.tasks.ListTasks(b.ctx, &cloudtaskspb.ListTasksRequest{Parent: queueA, ResponseView: cloudtaskspb.Task_FULL})
	if err != nil {
		b.Fatal(err)
	}
	return out.GetTasks()
}

// Everything that can be asked is the same after a restart, and the retry goes on
// where it was.
func TestStateOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{StateDir: t.TempDir()}, statuses(404, 200))
		b.queue(&cloudtaskspb.Queue{
			RateLimits:  &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 10.0 / 60},
			RetryConfig: retry(time.Hour, 2*time.Hour, 1, 5),
		})
		must(b.tasks.SetIamPolicy(b.ctx, &iampb.SetIamPolicyRequest{Resource: queueA, Policy: &iampb.Policy{Version: 3}}))(t)
		b.create("failed-once")
		synctest.Wait()
		b.create("done")
		later := httpTask("later")
		later.ScheduleTime = timestamppb.New(time.Now().Add(30 * time.Minute))
		later.GetHttpRequest().Body = []byte("body\x00\xff")
		if _, err := b.tryCreate(later); err != nil {
			t.Fatal(err)
		}
		gone := location + "/queues/gone"
		must(b.tasks.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{Name: gone}}))(t)
		must(b.tasks.DeleteQueue(b.ctx, &cloudtaskspb.DeleteQueueRequest{Name: gone}))(t)
		synctest.Wait()

		queue, _ := b.tasks.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
		tasks := b.list()
		stop(b.emu)
		time.Sleep(10 * time.Minute)
		b.open()

		again, err := b.tasks.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
		if diff := cmp.Diff(queue, again, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("queue (-before +after): %v\n%s", err, diff)
		}
		if diff := cmp.Diff(tasks, b.list(), protocmp.Transform()); diff != "" || len(tasks) != 2 {
			t.Errorf("%d tasks (-before +after):\n%s", len(tasks), diff)
		}
		_, err = b.tryCreate(httpTask("done"))
		wantCode(t, "a name that was used", err, codes.AlreadyExists)
		_, err = b.tasks.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{Name: gone}})
		wantCode(t, "a queue that was deleted", err, codes.FailedPrecondition)
		policy, err := b.tasks.GetIamPolicy(b.ctx, &iampb.GetIamPolicyRequest{Resource: queueA})
		if err != nil || policy.GetVersion() != 3 {
			t.Errorf("policy is %v (%v)", policy, err)
		}

		time.Sleep(24 * time.Hour)
		all := b.worker.deliveries()
		if diff := cmp.Diff([]time.Duration{0, 0, 30 * time.Minute, time.Hour}, b.worker.times()); diff != "" {
			t.Fatalf("deliveries (-want +got):\n%s", diff)
		}
		if all[2].body != "body\x00\xff" {
			t.Errorf("body is %q", all[2].body)
		}
		if diff := cmp.Diff([]count{{"1", "1", "404", ""}}, counts(all[3:], "X-Cloudtasks-")); diff != "" {
			t.Errorf("retry after the restart (-want +got):\n%s", diff)
		}
	})
}

// A delivery that was cut off by the end of the process comes again.
func TestInterruptedDeliveryComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{StateDir: t.TempDir()}, func(n int, _ http.ResponseWriter, r *http.Request) {
			if n == 0 {
				<-r.Context().Done()
			}
		})
		b.queue(&cloudtaskspb.Queue{})
		b.create("x")
		synctest.Wait()
		stop(b.emu)
		b.open()
		synctest.Wait()
		want := []count{{"0", "0", "-", "-"}, {"1", "0", "-", "-"}}
		if diff := cmp.Diff(want, counts(b.worker.deliveries(), "X-Cloudtasks-")); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

// A line that was being written when the process died is dropped; a broken line in
// the middle is an error that names it.
func TestTornAndBrokenJournals(t *testing.T) {
	dir := t.TempDir()
	b := setup(t, cloudtasks.Options{StateDir: dir}, nil)
	b.queue(&cloudtaskspb.Queue{})
	b.pause()
	b.create("a")
	stop(b.emu)
	path := filepath.Join(dir, journal)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, `{"op":"task","body":"`+strings.Repeat("x", 5000)...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.create("b")
	stop(b.emu)
	b.open()
	if n := len(b.list()); n != 2 {
		t.Errorf("%d tasks after a torn line, want 2", n)
	}
	stop(b.emu)
	if err := os.WriteFile(path, append([]byte("nonsense\n"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cloudtasks.New(b.options); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("error is %v, want one that names line 1", err)
	}
}

// The journal does not grow with tasks that have ended.
func TestJournalIsCompacted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := setup(t, cloudtasks.Options{StateDir: dir}, nil)
		b.queue(&cloudtaskspb.Queue{})
		later := httpTask("later")
		later.ScheduleTime = timestamppb.New(time.Now().Add(700 * time.Hour))
		later.GetHttpRequest().Body = []byte("kept")
		if _, err := b.tryCreate(later); err != nil {
			t.Fatal(err)
		}
		const n = 2000
		for i := range n {
			b.create(fmt.Sprintf("t%d", i))
			time.Sleep(time.Minute)
		}
		data, err := os.ReadFile(filepath.Join(dir, journal))
		if lines := strings.Count(string(data), "\n"); err != nil || lines > 2100 {
			t.Errorf("%d lines (%v), want at most about 2000", lines, err)
		}
		before := b.list()
		stop(b.emu)
		b.open()
		if diff := cmp.Diff(before, b.list(), protocmp.Transform()); diff != "" || len(before) != 1 {
			t.Errorf("%d tasks (-before +after):\n%s", len(before), diff)
		}
		for i := n - 59; i < n; i++ { // those that ended within the hour
			_, err = b.tryCreate(httpTask(fmt.Sprintf("t%d", i)))
			wantCode(t, "a late name", err, codes.AlreadyExists)
		}
		_, err = b.tryCreate(httpTask("t0"))
		wantCode(t, "the first name", err, codes.OK)
	})
}

// childDir, in the environment, makes this test binary an emulator that creates
// tasks there until it is killed.
const childDir = "CLOUDTASKS_TEST_DIR"

// Every CreateTask that was answered survives kill -9.
func TestAnsweredTasksSurviveAKill(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		createUntilKilled(t, dir)
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestAnsweredTasksSurviveAKill$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var answered string
	for strings.Count(answered, "\n") < 500 {
		buf := make([]byte, 4096)
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		answered += string(buf[:n])
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()

	b := setup(t, cloudtasks.Options{StateDir: dir}, nil)
	for name := range strings.FieldsSeq(answered[:strings.LastIndex(answered, "\n")]) {
		got, err := b.tasks.GetTask(b.ctx, &cloudtaskspb.GetTaskRequest{Name: name, ResponseView: cloudtaskspb.Task_FULL})
		if err != nil || string(got.GetHttpRequest().GetBody()) != name {
			t.Fatalf("%s was answered and is lost: %v", name, err)
		}
	}
}

func createUntilKilled(t *testing.T, dir string) {
	b := setup(t, cloudtasks.Options{StateDir: dir}, nil)
	b.queue(&cloudtaskspb.Queue{})
	b.pause()
	for i := 0; ; i++ {
		task := httpTask(fmt.Sprintf("t%d", i))
		task.GetHttpRequest().Body = []byte(task.GetName())
		created, err := b.tryCreate(proto.CloneOf(task))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(created.GetName())
	}
}

// A task that cannot be kept is refused.
func TestClosedEmulatorRefusesTasks(t *testing.T) {
	b := setup(t, cloudtasks.Options{}, nil)
	b.queue(&cloudtaskspb.Queue{})
	stop(b.emu)
	_, err := b.tryCreate(httpTask("x"))
	wantCode(t, "CreateTask", err, codes.Unavailable)
}
