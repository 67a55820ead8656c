package doctor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
)

// A workTest is a record whose clock a test can move forward, and a queue.
type workTest struct {
	record *memory.Record
	queue  *queueTest
	now    time.Time
}

func setupWork(t *testing.T) *workTest {
	t.Helper()
	w := &workTest{now: time.Now(), queue: setupQueue(t, cloudtasks.Options{})}
	w.record = memory.New(memory.WithClock(func() time.Time { return w.now }))
	return w
}

// create records a job of one picture on a lane, and that its task is on the
// queue.
func (w *workTest) create(t *testing.T, lane string) job.Task {
	t.Helper()
	_, tasks, err := w.record.Create(t.Context(), record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "web", Weight: 1, Priority: job.PriorityNormal,
		Input: job.Input{Prompt: "a fox", Model: model, Count: 1}, Lanes: []string{lane}, ExpiresIn: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.record.Enqueued(t.Context(), tasks...); err != nil {
		t.Fatal(err)
	}
	return tasks[0]
}

func (w *workTest) claim(t *testing.T, task job.Task) record.Claim {
	t.Helper()
	c, err := w.record.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *workTest) pause(t *testing.T, p record.Pause) {
	t.Helper()
	if err := w.record.Pause(t.Context(), []string{"a"}, p); err != nil {
		t.Fatal(err)
	}
}

func (w *workTest) examine(t *testing.T) []doctor.Finding {
	t.Helper()
	return examineWork(t, w.record, w.queue.open)
}

func examineWork(t *testing.T, r doctor.Record, queues doctor.Open[doctor.Queues]) []doctor.Finding {
	t.Helper()
	return examine(t, doctor.Work{Lanes: []doctor.LaneSettings{laneA()}, Record: r, Queues: queues, Account: account}.Check())
}

// idle returns the findings about a service that nobody uses.
func idle() []want {
	return []want{{doctor.OK, "waiting", "nothing waits", ""}, {doctor.OK, "outcomes", "no job has ended", ""}}
}

func TestWork(t *testing.T) {
	t.Parallel()
	w := setupWork(t)
	expect(t, w.examine(t), idle()...)

	done, failed := w.claim(t, w.create(t, "a")), w.claim(t, w.create(t, "a"))
	w.create(t, "a")
	w.now = w.now.Add(90 * time.Second)
	if _, err := w.record.Succeed(t.Context(), done, record.Success{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.record.Fail(t.Context(), failed, job.Error{Code: job.CodeBlocked}); err != nil {
		t.Fatal(err)
	}
	expect(t, w.examine(t),
		want{doctor.OK, "waiting", "1 image waits, the oldest since 2 min, which take 1 s at the lanes' quota", ""},
		want{doctor.Warning, "outcomes", "1 of 2 images of the last hour failed: blocked 1", "blocked: the provider's policy"})
}

func TestWorkWithoutARecord(t *testing.T) {
	t.Parallel()
	got := examineWork(t, told{err: errors.New("away")}, nil)
	expect(t, got, want{doctor.Skipped, "", "see the database", ""})
}

func TestWorkOnAClosedLane(t *testing.T) {
	t.Parallel()
	broken := job.Error{Code: job.CodeLaneUnavailable, Message: "The service is not accepted."}
	quota := job.Error{Code: job.CodeQuotaExhausted, Message: "The quota is used up."}
	away := job.Error{Code: job.CodeProviderError, Message: "The provider is down."}
	for name, tt := range map[string]struct {
		pause record.Pause
		want  want
	}{
		"broken": {
			record.Pause{For: 5 * time.Minute, Broken: true, Reason: broken},
			want{doctor.Failed, "a", "the lane is broken since", "gemini line of this lane"},
		},
		"out of quota": {
			record.Pause{For: time.Hour, Reason: quota},
			want{doctor.Warning, "a", "quota_exhausted: The quota is used up", "GEMINI_RPM"},
		},
		"left alone": {
			record.Pause{For: 30 * time.Second, Reason: away},
			want{doctor.Warning, "a", "the lane is paused since", "tried again by itself"},
		},
		"on probation": {
			record.Pause{For: -time.Minute, Broken: true, Reason: broken},
			want{doctor.Warning, "a", "on probation: it was broken since", "The next delivery finds out"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setupWork(t)
			w.pause(t, tt.pause)
			expect(t, w.examine(t), append([]want{tt.want}, idle()...)...)
		})
	}
}

func TestWorkOnALanePausedByHand(t *testing.T) {
	t.Parallel()
	w := setupWork(t)
	w.create(t, "a")
	act := record.Act{Who: "alice", Role: "operator", Action: record.ActionPauseLane, Reason: "it leaks"}
	if err := w.record.PauseByHand(t.Context(), "a", act); err != nil {
		t.Fatal(err)
	}
	expect(t, w.examine(t)[:2],
		want{doctor.Warning, "a", "by alice: it leaks; 1 image waits on it", "/admin/queues/lanes"},
		want{doctor.Failed, "gemini-nano-banana-2.1", "all lanes that serve the model are paused, a by hand", "Resume lane \"a\""})
}

func TestWorkOnALaneThatIsGone(t *testing.T) {
	t.Parallel()
	w := setupWork(t)
	w.create(t, "of-old")
	w.create(t, "of-old")
	got := w.examine(t)
	expect(t, got[:1], want{
		doctor.Warning, "of-old", "2 images wait on a lane that is not in the settings",
		"gcloud scheduler jobs run ai-worker-sweep --project=p --location=l",
	})
}

// A lane that is in order gets no finding, nor does an old lane that holds no
// images.
func TestWorkOnLanesThatAreUp(t *testing.T) {
	t.Parallel()
	got := examineWork(t, told{states: []record.LaneState{{Name: "a"}, {Name: "of-old"}}}, nil)
	expect(t, got, idle()...)
}

func TestWorkStandsStill(t *testing.T) {
	t.Parallel()
	w := setupWork(t)
	c := w.claim(t, w.create(t, "a"))
	for range 3 {
		w.create(t, "a")
	}
	w.queue.pause(t)
	w.now = w.now.Add(9 * time.Minute)
	expect(t, w.examine(t)[:1], want{doctor.OK, "waiting", "3 images wait, the oldest since 9 min", ""}) // while one picture is drawn
	w.now = w.now.Add(2 * time.Minute)
	// No picture takes so long.
	expect(t, w.examine(t)[:1], want{doctor.Failed, "waiting", "for 11 min none has been started: queue images-v1 is paused", "queues resume images-v1"})
	if _, err := w.record.Succeed(t.Context(), c, record.Success{}); err != nil {
		t.Fatal(err)
	}
	expect(t, w.examine(t)[:1], want{doctor.OK, "waiting", "3 images wait, the oldest since 11 min", ""})
	w.now = w.now.Add(4 * time.Minute)
	expect(t, w.examine(t)[:1], want{doctor.Failed, "waiting", "for 4 min none has been started", ""})
}

// If images wait while the only lane is closed, the closed lane is the cause.
func TestWorkStandsStillBeforeClosedLanes(t *testing.T) {
	t.Parallel()
	w := setupWork(t)
	w.create(t, "a")
	w.now = time.Now().Add(-4 * time.Minute)
	w.pause(t, record.Pause{For: time.Hour, Reason: job.Error{Code: job.CodeQuotaExhausted}})
	w.now = time.Now().Add(4 * time.Minute)
	expect(t, w.examine(t)[:2],
		want{doctor.Warning, "a", "1 image waits on it", ""},
		want{doctor.Failed, "waiting", "every lane is closed", "the lanes' own lines"})
}

func TestWorkWithoutTasks(t *testing.T) {
	t.Parallel()
	w := setupWork(t)
	c := w.claim(t, w.create(t, "a"))
	if _, _, err := w.record.Requeue(t.Context(), c, record.Requeue{Lane: "a"}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(2 * time.Minute)
	expect(t, w.examine(t)[:1], want{
		doctor.Failed, "waiting", "1 image waits, the oldest since 2 min; 1 of them without a task on a queue",
		"gcloud scheduler jobs run ai-worker-sweep --project=p --location=l",
	})
}

// closedQueues fails, as if no client could be made.
func closedQueues(context.Context) (doctor.Queues, error) { return nil, errors.New("no credentials") }
