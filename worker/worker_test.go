package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/worker"
)

// generator returns what answer returns, and counts the calls.
type generator struct {
	mu       sync.Mutex
	requests []job.Request
	answer   func(ctx context.Context) (job.Picture, error)
}

func (g *generator) Generate(ctx context.Context, req job.Request) (job.Picture, error) {
	g.mu.Lock()
	g.requests = append(g.requests, req)
	g.mu.Unlock()
	return g.answer(ctx)
}

// images keeps pictures in memory; put and stat fail with the errors set.
type images struct {
	mu      sync.Mutex
	objects map[string]job.Object
	answers map[string]job.Answer // that they came in
	puts    int
	failPut func(try int) error
	failGet error
	onGet   func() // called before anything is looked for
}

func imageKey(jobID string, index int) string { return jobID + "/" + string(rune('0'+index)) }

func (s *images) Put(_ context.Context, jobID string, index int, pic job.Picture) (job.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts++
	if s.failPut != nil {
		if err := s.failPut(s.puts); err != nil {
			return job.Object{}, err
		}
	}
	key := imageKey(jobID, index)
	if old, ok := s.objects[key]; ok {
		return old, nil
	}
	s.objects[key], s.answers[key] = pic.Object(key), pic.Answer
	return s.objects[key], nil
}

func (s *images) Stat(_ context.Context, jobID string, index int) (job.Object, job.Answer, bool, error) {
	s.beforeGet()
	s.mu.Lock()
	defer s.mu.Unlock()
	key := imageKey(jobID, index)
	obj, found := s.objects[key]
	return obj, s.answers[key], found, s.failGet
}

func (s *images) Source(_ context.Context, in job.InputImage) (job.Source, error) {
	s.beforeGet()
	return job.Source{URL: in.URL}, s.failGet
}

func (s *images) beforeGet() {
	if s.onGet != nil {
		s.onGet()
	}
}

// router notes which tasks are put on queues, and when they are to be
// delivered. It sends images to the lane that is set, not before at.
type router struct {
	mu    sync.Mutex
	tasks map[job.Task]time.Time
	lane  string
	at    time.Time
	err   error
}

func (q *router) Put(_ context.Context, at time.Time, tasks ...job.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range tasks {
		q.tasks[t] = at
	}
	return q.err
}

func (q *router) Route(context.Context, string) (string, time.Time, error) {
	return q.lane, q.at, q.err
}

// pacer has its next slot after wait.
type pacer struct{ wait time.Duration }

func (p *pacer) Take(_ context.Context, patience time.Duration) (time.Time, bool) {
	return time.Now().Add(p.wait), p.wait <= patience
}

func (p *pacer) Return(context.Context, time.Time) {}

// cancels lets a test cancel by hand.
type cancels struct {
	mu sync.Mutex
	f  func()
}

func (c *cancels) OnCancel(_ context.Context, _ string, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.f = f
	return func() {}
}

func (c *cancels) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.f()
}

// flaky is a record that fails as the test says.
type flaky struct {
	record.Record
	fail func(method string) error
}

func (s *flaky) err(method string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(method)
}

func (s *flaky) Claim(ctx context.Context, r record.ClaimRequest) (record.Claim, error) {
	if err := s.err("Claim"); err != nil {
		return record.Claim{}, err
	}
	return s.Record.Claim(ctx, r)
}

func (s *flaky) Postpone(ctx context.Context, t job.Task, model string, to record.Place) (job.Task, error) {
	if err := s.err("Postpone"); err != nil {
		return job.Task{}, err
	}
	return s.Record.Postpone(ctx, t, model, to)
}

func (s *flaky) Fail(ctx context.Context, c record.Claim, reason job.Error) (job.Job, error) {
	if err := s.err("Fail"); err != nil {
		return job.Job{}, err
	}
	return s.Record.Fail(ctx, c, reason)
}

// Succeed fails after it has done its work, as when the answer is lost.
func (s *flaky) Succeed(ctx context.Context, c record.Claim, r record.Success) (job.Job, error) {
	j, err := s.Record.Succeed(ctx, c, r)
	return j, errors.Join(err, s.err("Succeed"))
}

type bundle struct {
	*worker.Worker
	config    worker.Config
	record    *flaky
	generator *generator
	images    *images
	router    *router
	pacer     *pacer
	cancels   *cancels
	picture   job.Picture
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{
		record:    &flaky{Record: memory.New()},
		generator: &generator{},
		images:    &images{objects: map[string]job.Object{}, answers: map[string]job.Answer{}},
		router:    &router{tasks: map[job.Task]time.Time{}, lane: "a"},
		pacer:     &pacer{},
		cancels:   &cancels{},
		picture: job.Picture{
			Data: []byte("png"), ContentType: "image/png", Width: 2, Height: 1, SHA256: "abc", ModelVersion: "m-1",
		},
	}
	b.generator.answer = func(context.Context) (job.Picture, error) { return b.picture, nil }
	limits := worker.DefaultLimits()
	limits.Heartbeat = 10 * time.Millisecond
	limits.Farewell = time.Minute // the machine may be slow
	model := job.Model{Name: "m", ImageSizes: []string{"1K"}, Prices: map[string]int64{"1K": 34_000}}
	var lanes []worker.LaneConfig
	for _, name := range []string{"a", "b"} {
		lanes = append(lanes, worker.LaneConfig{
			Lane:  lane.Lane{Name: name, Model: "m", RPM: 60, Account: "x"},
			Model: model, Generator: b.generator, Pacer: b.pacer,
		})
	}
	b.start(worker.Config{
		Lanes: lanes, Record: b.record, Images: b.images, Router: b.router, Cancels: b.cancels,
		Limits: limits, Log: slog.New(slog.DiscardHandler),
	})
	return b
}

// start creates the worker of a configuration.
func (b *bundle) start(cfg worker.Config) { b.config, b.Worker = cfg, worker.New(cfg) }

// create records a job of n pictures and returns it with its tasks.
func (b *bundle) create(t *testing.T, n int) (job.Job, []job.Task) {
	t.Helper()
	return b.createFor(t, n, time.Hour)
}

// createFor does what create does for a job that must end within a time.
func (b *bundle) createFor(t *testing.T, n int, expiresIn time.Duration) (job.Job, []job.Task) {
	t.Helper()
	j, tasks, err := b.record.Create(t.Context(), record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "web", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: expiresIn,
		Input: job.Input{
			Prompt: "a fox", Model: "m", Count: n, InputImages: []job.InputImage{{URL: "https://example.com/a.png"}},
		},
		Lanes: slices.Repeat([]string{"a"}, n),
	})
	if err != nil {
		t.Fatal(err)
	}
	return j, tasks
}

func (b *bundle) deliver(t *testing.T, task job.Task) (worker.Verdict, error) {
	t.Helper()
	return b.Deliver(t.Context(), task)
}

// want compares the only image of a job with what it should be.
func (b *bundle) want(t *testing.T, id string, want job.Image) {
	t.Helper()
	j, err := b.record.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, j.Images[0], cmpopts.IgnoreFields(job.Image{}, "NotBefore", "StartedAt", "CompletedAt")); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
}

func TestDeliverStoresAndRecordsThePicture(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	verdict, err := b.deliver(t, tasks[0])
	if verdict != worker.VerdictDone || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
	b.want(t, j.ID, job.Image{
		Status: job.StatusSucceeded, Attempts: 1, Object: b.picture.Object(imageKey(j.ID, 0)), CostMicros: 34_000, BoundMicros: 34_000,
	})
}

func TestDeliverPassesTheWholeRequestOn(t *testing.T) {
	b := setup(t)
	seed := int32(7)
	id := uuid.Must(uuid.NewV7()).String()
	_, tasks, err := b.record.Create(t.Context(), record.Draft{
		ID: id, Tenant: "web", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: time.Hour, Lanes: []string{"a", "a"},
		Input: job.Input{
			Prompt: "a fox", Model: "m", Count: 2, AspectRatio: "16:9", ImageSize: "2K", Seed: &seed,
			InputImages: []job.InputImage{{URL: "https://example.com/a.png"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if _, err := b.deliver(t, task); err != nil {
			t.Fatal(err)
		}
	}
	var want []job.Request
	for i := range int32(2) {
		s := seed + i // with one seed, both pictures would be the same
		want = append(want, job.Request{
			Model: "m", Prompt: "a fox", AspectRatio: "16:9", ImageSize: "2K", Seed: &s,
			Sources: []job.Source{{URL: "https://example.com/a.png"}},
		})
	}
	if diff := cmp.Diff(want, b.generator.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Each row is a failure of the first attempt, and what becomes of the image.
func TestDeliverMeetsFailures(t *testing.T) {
	reason := job.Error{Code: "some_code", Message: "Something."}
	for name, tt := range map[string]struct {
		failure job.Failure
		want    job.Image
		wait    time.Duration // at most, until the next task; 0 is no task
	}{
		"permanent": {
			failure: job.Failure{Remedy: job.RemedyFail},
			want:    job.Image{Status: job.StatusFailed, Attempts: 1, Error: &reason},
		},
		"transient": {
			failure: job.Failure{Remedy: job.RemedyRetry},
			want:    job.Image{Status: job.StatusQueued, Attempts: 1, Error: &reason},
			wait:    5 * time.Second,
		},
		"transient, and the provider says when": {
			failure: job.Failure{Remedy: job.RemedyRetry, RetryAfter: 30 * time.Second},
			want:    job.Image{Status: job.StatusQueued, Attempts: 1, Error: &reason},
			wait:    30 * time.Second,
		},
		"quota": {
			failure: job.Failure{Remedy: job.RemedyWait, Limit: job.LimitMinute, RetryAfter: 90 * time.Second},
			want:    job.Image{Status: job.StatusQueued, Attempts: 0, Error: &reason},
			wait:    95 * time.Second,
		},
		"broken lane": {
			failure: job.Failure{Remedy: job.RemedyStop},
			want:    job.Image{Status: job.StatusQueued, Attempts: 0, Error: &reason},
			wait:    5*time.Minute + 5*time.Second,
		},
		"out of capacity": {
			failure: job.Failure{Remedy: job.RemedyWait, Limit: job.LimitCapacity},
			want:    job.Image{Status: job.StatusQueued, Attempts: 0, Error: &reason},
			wait:    40 * time.Second,
		},
		"failure whose repetition comes after the deadline": {
			failure: job.Failure{Remedy: job.RemedyRetry, RetryAfter: 20 * time.Hour},
			want:    job.Image{Status: job.StatusQueued, Attempts: 1, Error: &reason},
			wait:    time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			tt.failure.Public = reason
			b.generator.answer = func(context.Context) (job.Picture, error) { return job.Picture{}, &tt.failure }
			j, tasks := b.create(t, 1)
			before := time.Now()
			if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
				t.Fatalf("got %v, %v", verdict, err)
			}
			latest := time.Now().Add(tt.wait)
			b.want(t, j.ID, tt.want)
			at, put := b.router.tasks[job.Task{JobID: j.ID, Index: 0, Dispatch: 2, Lane: "a"}]
			if put != (tt.wait > 0) {
				t.Fatalf("next task put: %v", put)
			}
			if put && (at.Before(before) || at.After(latest)) {
				t.Errorf("next task is due in %s, want at most %s", at.Sub(before), tt.wait)
			}
		})
	}
}

func TestDeliverFailsTheImageWhenAttemptsAreUsedUp(t *testing.T) {
	for _, tt := range []struct {
		name     string
		retries  int
		attempts int
	}{{"service's limit", 0, 4}, {"failure's own limit", 1, 2}} {
		t.Run(tt.name, func(t *testing.T) {
			b := setup(t)
			reason := job.Error{Code: job.CodeProviderError, Message: "It failed."}
			b.generator.answer = func(context.Context) (job.Picture, error) {
				return job.Picture{}, &job.Failure{Public: reason, Remedy: job.RemedyRetry, Retries: tt.retries}
			}
			j, _ := b.create(t, 1)
			for dispatch := range tt.attempts {
				// The task of each dispatch, delivered when its time has come.
				if _, err := b.deliver(t, job.Task{JobID: j.ID, Dispatch: dispatch + 1, Lane: "a"}); err != nil {
					t.Fatal(err)
				}
			}
			b.want(t, j.ID, job.Image{Status: job.StatusFailed, Attempts: tt.attempts, Error: &reason})
			if got := len(b.generator.requests); got != tt.attempts {
				t.Errorf("%d requests, want %d", got, tt.attempts)
			}
		})
	}
}

// A worker that died after it stored the picture leaves a lease that runs out.
func TestDeliverFindsAStoredPictureAndDoesNotPayTwice(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	if _, err := b.record.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: tasks[0]}); err != nil {
		t.Fatal(err)
	}
	obj, err := b.images.Put(t.Context(), j.ID, 0, b.picture)
	if err != nil {
		t.Fatal(err)
	}
	if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
	b.want(t, j.ID, job.Image{Status: job.StatusSucceeded, Attempts: 2, Object: obj, CostMicros: 34_000, BoundMicros: 34_000})
	if got := len(b.generator.requests); got != 0 {
		t.Errorf("%d requests, want none", got)
	}
}

func TestDeliverGivesUpOnAnImageThatKillsItsWorkers(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	for range 4 {
		if _, err := b.record.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: tasks[0]}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.deliver(t, tasks[0]); err != nil {
		t.Fatal(err)
	}
	b.want(t, j.ID, job.Image{Status: job.StatusFailed, Attempts: 5, Error: &job.Error{
		Code: job.CodeAttemptsExhausted, Message: "All 4 attempts ended without an answer.",
	}})
}

func TestDeliverUploadsUntilThePictureIsStored(t *testing.T) {
	b := setup(t)
	b.images.failPut = func(try int) error {
		if try < 3 {
			return errors.New("bucket is busy")
		}
		return nil
	}
	j, tasks := b.create(t, 1)
	if _, err := b.deliver(t, tasks[0]); err != nil {
		t.Fatal(err)
	}
	b.want(t, j.ID, job.Image{
		Status: job.StatusSucceeded, Attempts: 1, Object: b.picture.Object(imageKey(j.ID, 0)), CostMicros: 34_000, BoundMicros: 34_000,
	})
	if got := len(b.generator.requests); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestDeliverRepeatsAResultWhoseAnswerWasLost(t *testing.T) {
	b := setup(t)
	lost := 2
	b.record.fail = func(method string) error {
		if method == "Succeed" && lost > 0 {
			lost--
			return errors.New("connection reset")
		}
		return nil
	}
	_, tasks := b.create(t, 1)
	if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
}

func TestDeliverWithoutARecord(t *testing.T) {
	b := setup(t)
	_, tasks := b.create(t, 1)
	down := errors.New("connection refused")
	b.record.fail = func(string) error { return down }
	if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictUnavailable || !errors.Is(err, down) {
		t.Fatalf("got %v, %v", verdict, err)
	}
	if got := len(b.generator.requests); got != 0 {
		t.Errorf("%d requests, want none", got)
	}
}

func TestDeliverHasNothingToDo(t *testing.T) {
	b := setup(t)
	_, tasks := b.create(t, 1)
	if _, err := b.record.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: tasks[0], Lease: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		task job.Task
		want worker.Verdict
	}{
		{"held by another delivery", tasks[0], worker.VerdictAgain},
		{"of a job that is gone", job.Task{JobID: uuid.NewString(), Dispatch: 1, Lane: "a"}, worker.VerdictDone},
	} {
		if verdict, err := b.deliver(t, tt.task); verdict != tt.want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", tt.name, verdict, err, tt.want)
		}
	}
}

func TestDeliverPutsTheImageBackOnShutdown(t *testing.T) {
	b := setup(t)
	ctx, shutDown := context.WithCancelCause(t.Context())
	b.generator.answer = func(ctx context.Context) (job.Picture, error) {
		shutDown(worker.ErrShutdown)
		<-ctx.Done()
		return job.Picture{}, context.Cause(ctx)
	}
	j, tasks := b.create(t, 1)
	if verdict, err := b.Deliver(ctx, tasks[0]); verdict != worker.VerdictDone || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
	b.want(t, j.ID, job.Image{Status: job.StatusQueued, Attempts: 0, BilledMicros: 34_000}) // nobody knows, so it counts
	if at, put := b.router.tasks[job.Task{JobID: j.ID, Dispatch: 2, Lane: "a"}]; !put || !at.IsZero() {
		t.Errorf("next task put: %v, for %v; want one for now", put, at)
	}
}

// A picture that arrives just as the process shuts down is paid for, so it is
// stored and recorded all the same.
func TestDeliverStoresAPaidPictureOnShutdown(t *testing.T) {
	b := setup(t)
	ctx, shutDown := context.WithCancelCause(t.Context())
	b.generator.answer = func(context.Context) (job.Picture, error) {
		shutDown(worker.ErrShutdown)
		return b.picture, nil
	}
	j, tasks := b.create(t, 1)
	if verdict, err := b.Deliver(ctx, tasks[0]); verdict != worker.VerdictDone || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
	b.want(t, j.ID, job.Image{
		Status: job.StatusSucceeded, Attempts: 1, Object: b.picture.Object(imageKey(j.ID, 0)), CostMicros: 34_000, BoundMicros: 34_000,
	})
}

func TestDeliverStopsWhenTheImageIsTakenOver(t *testing.T) {
	b := setup(t)
	b.config.Limits.Lease = 0 // runs out at once
	b.start(b.config)
	j, tasks := b.create(t, 1)
	b.generator.answer = func(ctx context.Context) (job.Picture, error) {
		_, err := b.record.Claim(ctx, record.ClaimRequest{Model: "m", Task: tasks[0], Lease: time.Hour})
		if err != nil {
			t.Error(err)
		}
		<-ctx.Done() // a heartbeat finds out
		return job.Picture{}, context.Cause(ctx)
	}
	// The task may be what another image waits for by now.
	if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictAgain || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
	b.want(t, j.ID, job.Image{Status: job.StatusProcessing, Attempts: 2})
}

func TestCancelCutsTheRunningRequest(t *testing.T) {
	b := setup(t)
	b.config.Limits.Heartbeat = time.Hour // a heartbeat must not be what finds out
	b.start(b.config)
	j, tasks := b.create(t, 1)
	b.generator.answer = func(ctx context.Context) (job.Picture, error) {
		if _, err := b.record.Cancel(ctx, j.ID); err != nil {
			t.Error(err)
		}
		b.cancels.cancel()
		<-ctx.Done()
		return job.Picture{}, context.Cause(ctx)
	}
	if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictAgain || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
	b.want(t, j.ID, job.Image{Status: job.StatusCanceled, Attempts: 1})
	if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
		t.Errorf("the task again: %v, %v", verdict, err)
	}
}

// A slot that is too far away is left. The image gets a task for the time of
// the slot.
func TestDeliverDoesNotWaitForFarSlots(t *testing.T) {
	b := setup(t)
	b.pacer.wait = 45 * time.Second
	j, tasks := b.create(t, 1)
	before := time.Now()
	if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
	after := time.Now()
	at, put := b.router.tasks[job.Task{JobID: j.ID, Dispatch: 2, Lane: "a"}]
	if !put || at.Before(before.Add(b.pacer.wait)) || at.After(after.Add(b.pacer.wait)) {
		t.Errorf("next task put: %v, in %s; want %s", put, at.Sub(before), b.pacer.wait)
	}
	b.want(t, j.ID, job.Image{Status: job.StatusQueued})
}

// The slots of a broken lane move to another, and no image suffers.
func TestDeliverLeavesABrokenLane(t *testing.T) {
	b := setup(t)
	b.generator.answer = func(context.Context) (job.Picture, error) {
		return job.Picture{}, &job.Failure{
			Public: job.Error{Code: job.CodeLaneUnavailable, Message: "The key is bad."}, Remedy: job.RemedyStop,
		}
	}
	j, tasks := b.create(t, 2)
	b.router.lane = "b"
	for _, task := range tasks { // the first finds out, the second knows
		if verdict, err := b.deliver(t, task); verdict != worker.VerdictDone || err != nil {
			t.Fatalf("got %v, %v", verdict, err)
		}
	}
	if got := len(b.generator.requests); got != 1 {
		t.Errorf("%d requests on the broken lane, want 1", got)
	}
	for i := range 2 {
		next := job.Task{JobID: j.ID, Index: i, Dispatch: 2, Lane: "b"}
		if at, put := b.router.tasks[next]; !put || !at.IsZero() {
			t.Errorf("image %d: task on lane b put: %v, for %v", i, put, at)
		}
	}
	states, err := b.record.LaneStates(t.Context())
	if err != nil || len(states) == 0 || states[0].Name != "a" || !states[0].Broken || states[0].Reason == nil {
		t.Errorf("lanes %+v, %v; want a broken", states, err)
	}
	// Both pictures are drawn on the other lane, and neither image has lost an
	// attempt.
	b.generator.answer = func(context.Context) (job.Picture, error) { return b.picture, nil }
	for i := range 2 {
		if _, err := b.deliver(t, job.Task{JobID: j.ID, Index: i, Dispatch: 2, Lane: "b"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.record.Get(t.Context(), j.ID)
	if err != nil || got.Status != job.StatusSucceeded || got.Images[0].Attempts != 1 {
		t.Errorf("the job is %s after %d attempts, %v", got.Status, got.Images[0].Attempts, err)
	}
}

// If there is no other lane, an image waits for its own, and that lane is tried
// again.
func TestDeliverWaitsForItsLane(t *testing.T) {
	b := setup(t)
	quota := &job.Failure{Remedy: job.RemedyWait, Limit: job.LimitMinute, RetryAfter: 50 * time.Millisecond}
	b.generator.answer = func(context.Context) (job.Picture, error) { return job.Picture{}, quota }
	j, tasks := b.create(t, 1)
	if _, err := b.deliver(t, tasks[0]); err != nil {
		t.Fatal(err)
	}
	b.generator.answer = func(context.Context) (job.Picture, error) { return b.picture, nil }
	task := job.Task{JobID: j.ID, Dispatch: 2, Lane: "a"}
	for deadline := time.Now().Add(time.Minute); ; {
		if _, err := b.deliver(t, task); err != nil {
			t.Fatal(err)
		}
		next := task
		next.Dispatch++
		if _, put := b.router.tasks[next]; !put {
			break // it was used, and not postponed
		}
		if task = next; time.Now().After(deadline) {
			t.Fatal("the lane is never tried again")
		}
	}
	b.want(t, j.ID, job.Image{
		Status: job.StatusSucceeded, Attempts: 1, Object: b.picture.Object(imageKey(j.ID, 0)), CostMicros: 34_000, BoundMicros: 34_000,
	})
	states, err := b.record.LaneStates(t.Context())
	if err != nil || len(states) == 0 || states[0].Reason != nil {
		t.Errorf("lanes %+v, %v; want a resumed", states, err)
	}
}

func TestDeliverTripsTheBreaker(t *testing.T) {
	b := setup(t)
	b.generator.answer = func(context.Context) (job.Picture, error) {
		return job.Picture{}, &job.Failure{
			Public: job.Error{Code: job.CodeProviderError, Message: "It failed."}, Remedy: job.RemedyRetry,
		}
	}
	_, tasks := b.create(t, 8)
	for _, task := range tasks {
		if _, err := b.deliver(t, task); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(b.generator.requests); got != 5 {
		t.Errorf("%d requests to a provider that is down, want 5", got)
	}
}

// A lane that was taken out of the settings still has tasks on its queue.
func TestDeliverOnALaneThatIsGone(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 1)
	task := tasks[0]
	task.Lane = "gone"
	if verdict, err := b.deliver(t, task); verdict != worker.VerdictDone || err != nil {
		t.Fatalf("got %v, %v", verdict, err)
	}
	if _, put := b.router.tasks[job.Task{JobID: j.ID, Dispatch: 2, Lane: "a"}]; !put {
		t.Error("the image has no task on a lane that there is")
	}
}

func TestLimitsMustNest(t *testing.T) {
	const deadline = 10 * time.Minute
	if err := worker.DefaultLimits().Check(deadline); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*worker.Limits){
		"model slower than the delivery":  func(l *worker.Limits) { l.GenerateTimeout = l.DeliveryTimeout },
		"4K slower than the delivery":     func(l *worker.Limits) { l.LargeTimeout = l.DeliveryTimeout },
		"wait longer than the delivery":   func(l *worker.Limits) { l.Patience = l.DeliveryTimeout },
		"delivery longer than its task's": func(l *worker.Limits) { l.DeliveryTimeout = deadline },
		"lease shorter than two beats":    func(l *worker.Limits) { l.Heartbeat = l.Lease / 2 },
		"no attempt":                      func(l *worker.Limits) { l.MaxAttempts = 0 },
	} {
		l := worker.DefaultLimits()
		change(&l)
		if err := l.Check(deadline); err == nil {
			t.Errorf("%s: let through", name)
		}
	}
}

// The bucket cannot be looked into. Then nothing is asked of the model, and no
// attempt is spent, for as long as that lasts.
func TestDeliverWaitsForTheBucket(t *testing.T) {
	b := setup(t)
	b.config.Limits.Lease = 0
	b.start(b.config)
	j, tasks := b.create(t, 1)
	if _, err := b.record.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: tasks[0]}); err != nil {
		t.Fatal(err)
	}
	b.images.failGet = errors.New("bucket is away")
	task := tasks[0]
	for range 6 {
		if verdict, err := b.deliver(t, task); verdict != worker.VerdictDone || err != nil {
			t.Fatalf("got %v, %v", verdict, err)
		}
		task.Dispatch++
	}
	b.want(t, j.ID, job.Image{Status: job.StatusQueued, Attempts: 1, Error: &job.Error{
		Code: job.CodeStorageError, Message: "The storage for pictures cannot be reached.",
	}})
	if got := len(b.generator.requests); got != 0 {
		t.Errorf("%d requests, want none", got)
	}
}

// A lane closes while another request is under way. That request was sent
// before, so its answer says nothing of the lane now.
func TestAnOldAnswerDoesNotOpenALane(t *testing.T) {
	b := setup(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.generator.answer = func(context.Context) (job.Picture, error) {
		first := false
		once.Do(func() { first = true })
		if first {
			close(asked)
			<-answer
			return b.picture, nil
		}
		return job.Picture{}, &job.Failure{
			Public: job.Error{Code: job.CodeLaneUnavailable, Message: "The key is bad."}, Remedy: job.RemedyStop,
		}
	}
	_, tasks := b.create(t, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := b.Deliver(t.Context(), tasks[0]); err != nil {
			t.Error(err)
		}
	}()
	<-asked
	if _, err := b.deliver(t, tasks[1]); err != nil {
		t.Fatal(err)
	}
	close(answer)
	<-done
	states, err := b.record.LaneStates(t.Context())
	if err != nil || states[0].Reason == nil {
		t.Errorf("lanes %+v, %v; want a still closed", states, err)
	}
}

// Another process pauses the lane while a request is under way. The answer to
// that says nothing of the pause. It stays, and the first answer after it ends
// it.
func TestAnOldAnswerDoesNotEndThePauseOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, _ := paced(t)
		pause := record.Pause{For: time.Minute, Reason: job.Error{Code: job.CodeQuotaExhausted, Message: "Used up."}}
		draw := b.generator.answer
		b.generator.answer = func(ctx context.Context) (job.Picture, error) {
			time.Sleep(time.Second)
			if err := b.record.Pause(ctx, []string{"a"}, pause); err != nil {
				t.Error(err)
			}
			return draw(ctx)
		}
		_, tasks := b.create(t, 2)
		if _, err := b.deliver(t, tasks[0]); err != nil {
			t.Fatal(err)
		}
		b.wantReason(t, &pause.Reason)
		time.Sleep(time.Minute)
		b.generator.answer = draw
		if _, err := b.deliver(t, tasks[1]); err != nil {
			t.Fatal(err)
		}
		b.wantReason(t, nil)
	})
}

// wantReason compares why lane a is paused with why it should be.
func (b *bundle) wantReason(t *testing.T, want *job.Error) {
	t.Helper()
	states, err := b.record.LaneStates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, states[0].Reason); diff != "" {
		t.Errorf("why the lane is paused (-want +got):\n%s", diff)
	}
}
