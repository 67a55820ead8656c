package worker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/worker"
)

// A scene is a worker with queues that deliver its tasks, until it ends. Each
// job is of one picture, and has its prompt for a name.
type scene struct {
	*bundle

	t       *testing.T
	began   time.Time
	ended   context.Context // it ends all deliveries
	end     context.CancelFunc
	working sync.WaitGroup
	lanes   []lane.Lane

	// forget makes each delivery one in a process of its own, which has heard
	// nothing of the lanes before.
	forget bool

	mu       sync.Mutex
	pauses   int
	ids      map[string]string    // of the jobs, by name
	asked    map[string]time.Time // when they were recorded
	requests map[string]int       // by name
	// refuse says what a lane answers to the request of a job. nil is a
	// picture, which takes 20 s.
	refuse func(name, lane string) *job.Failure
}

// newScene returns a scene with lanes of a quota each. It is for a bubble of
// testing/synctest.
func newScene(t *testing.T, rpm int, lanes ...string) *scene {
	t.Helper()
	s := &scene{bundle: setup(t), t: t, began: time.Now(), requests: map[string]int{}}
	s.ids, s.asked = map[string]string{}, map[string]time.Time{}
	s.ended, s.end = context.WithCancel(t.Context())
	cfg := s.config
	cfg.Limits, cfg.Router, cfg.Lanes = worker.DefaultLimits(), s, nil
	for _, name := range lanes {
		l := lane.Lane{Name: name, Model: "m", RPM: rpm, Account: "x"}
		s.lanes = append(s.lanes, l)
		cfg.Lanes = append(cfg.Lanes, worker.LaneConfig{
			Lane: l, Model: job.Model{Name: "m"}, Generator: lanePainter{s, name},
			Pacer: &evenPacer{interval: time.Minute / time.Duration(rpm)},
		})
	}
	s.record.Record = pauseCounter{s.record.Record, s}
	s.start(cfg)
	return s
}

// A pauseCounter counts how often lanes are paused.
type pauseCounter struct {
	record.Record

	scene *scene
}

func (c pauseCounter) Pause(ctx context.Context, lanes []string, p record.Pause) error {
	c.scene.mu.Lock()
	defer c.scene.mu.Unlock()
	c.scene.pauses++
	return c.Record.Pause(ctx, lanes, p)
}

// A lanePainter is the provider behind a lane.
type lanePainter struct {
	scene *scene
	lane  string
}

func (p lanePainter) Generate(ctx context.Context, r job.Request) (job.Picture, error) {
	p.scene.mu.Lock()
	p.scene.requests[r.Prompt]++
	f := p.scene.refuse(r.Prompt, p.lane)
	p.scene.mu.Unlock()
	if f != nil {
		time.Sleep(time.Second)
		return job.Picture{}, f
	}
	select {
	case <-time.After(20 * time.Second):
		return p.scene.picture, nil
	case <-ctx.Done():
		return job.Picture{}, context.Cause(ctx)
	}
}

// Put delivers tasks at a time, each again until it is done.
func (s *scene) Put(_ context.Context, at time.Time, tasks ...job.Task) error {
	for _, task := range tasks {
		s.working.Go(func() {
			for wait := time.Until(at); ; wait = 10 * time.Second {
				select {
				case <-time.After(wait):
				case <-s.ended.Done():
					return
				}
				w := s.Worker
				if s.forget {
					w = worker.New(s.config)
				}
				if verdict, err := w.Deliver(s.ended, task); verdict == worker.VerdictDone || s.ended.Err() != nil {
					if err != nil {
						s.t.Error(err)
					}
					return
				}
			}
		})
	}
	return nil
}

// Route chooses a lane as the producer does.
func (s *scene) Route(ctx context.Context, model string) (string, time.Time, error) {
	states, err := s.record.LaneStates(ctx)
	loads := map[string]lane.Load{}
	for _, l := range states {
		loads[l.Name] = lane.Load{Waiting: l.Waiting, Until: l.Until}
	}
	name := lane.Choose(s.lanes, loads, model, 1, time.Now())[0].Name
	if until := loads[name].Until; until.After(time.Now()) {
		return name, until, err
	}
	return name, time.Time{}, err
}

// submit records jobs, and puts their tasks on the lanes in turn.
func (s *scene) submit(names ...string) {
	s.t.Helper()
	for _, name := range names {
		j, tasks, err := s.record.Create(s.t.Context(), record.Draft{
			ID: uuid.Must(uuid.NewV7()).String(), Tenant: "web", Weight: 1, ExpiresIn: 24 * time.Hour,
			Input: job.Input{Prompt: name, Model: "m", Count: 1}, Lanes: []string{s.lanes[len(s.ids)%len(s.lanes)].Name},
		})
		if err != nil {
			s.t.Fatal(err)
		}
		s.ids[name], s.asked[name] = j.ID, j.CreatedAt
		_ = s.Put(s.t.Context(), time.Time{}, tasks...)
	}
}

// run lets time pass, and ends all deliveries after that.
func (s *scene) run(d time.Duration) {
	time.Sleep(d)
	s.end()
	s.working.Wait()
}

func (s *scene) image(name string) job.Image {
	s.t.Helper()
	j, err := s.record.Get(s.t.Context(), s.ids[name])
	if err != nil {
		s.t.Fatal(err)
	}
	return j.Images[0]
}

// wantDrawn checks that images were drawn with one attempt each, within a time
// of when they were asked for.
func (s *scene) wantDrawn(within time.Duration, names ...string) {
	s.t.Helper()
	for _, name := range names {
		img := s.image(name)
		if took := img.CompletedAt.Sub(s.asked[name]); img.Status != job.StatusSucceeded || img.Attempts != 1 || took > within {
			s.t.Errorf("%s is %s after %d attempts in %s, error %v; want a picture within %s",
				name, img.Status, img.Attempts, took, img.Error, within)
		}
	}
}

// wantAtFault checks that images failed because they are at fault themselves,
// after so many requests at most.
func (s *scene) wantAtFault(requests int, names ...string) {
	s.t.Helper()
	for _, name := range names {
		img := s.image(name)
		if img.Status != job.StatusFailed || img.Error.Code != job.CodeInvalidRequest || img.CostMicros != 0 {
			s.t.Errorf("%s is %s, error %v; want it to fail as %s", name, img.Status, img.Error, job.CodeInvalidRequest)
		}
		if got := s.requests[name]; got > requests {
			s.t.Errorf("%s: %d requests, want %d at most", name, got, requests)
		}
		s.t.Logf("%s failed after %s and %d requests: %v", name, img.CompletedAt.Sub(s.began), s.requests[name], img.Error)
	}
}

// some returns n names.
func some(what string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s %d", what, i)
	}
	return names
}

var (
	revoked = &job.Failure{
		Public: job.Error{Code: job.CodeLaneUnavailable, Message: "The provider does not serve this account."},
		Remedy: job.RemedyStop,
	}
	usedUp = &job.Failure{
		Public: job.Error{Code: job.CodeQuotaExhausted, Message: "The provider's quota for this minute is used up."},
		Remedy: job.RemedyWait, Limit: job.LimitMinute,
	}
	usedUpToday = &job.Failure{
		Public: job.Error{Code: job.CodeQuotaExhausted, Message: "The provider's quota for today is used up."},
		Remedy: job.RemedyWait, Limit: job.LimitDay,
	}
	spent = &job.Failure{
		Public: job.Error{Code: job.CodeQuotaExhausted, Message: "The service's spending limit is reached."},
		Remedy: job.RemedyWait, Limit: job.LimitSpend,
	}
)

// refusing returns a provider that refuses the requests of some images, and
// accepts all others.
func refusing(f *job.Failure, names ...string) func(name, lane string) *job.Failure {
	bad := map[string]bool{}
	for _, name := range names {
		bad[name] = true
	}
	return func(name, _ string) *job.Failure {
		if bad[name] {
			return f
		}
		return nil
	}
}

// Some images are refused, in a way that closes lanes that draw the pictures of
// all others: of 16 that wait, and of one each minute. The bad ones fail,
// and the others are drawn meanwhile.
func TestAnImageDoesNotHoldUpTheOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		failure  *job.Failure
		bad      int
		rpm      int
		lanes    []string
		requests int           // of each bad image, at most
		pauses   int           // at most
		within   time.Duration // each other one is drawn
	}{
		"a lane that is broken for it":                {revoked, 1, 60, []string{"a"}, 3, 1, 6 * time.Minute},
		"a lane without quota for it":                 {usedUp, 1, 60, []string{"a"}, 4, 1, 2 * time.Minute},
		"a slow lane that is broken for it":           {revoked, 1, 5, []string{"a"}, 3, 1, 9 * time.Minute},
		"a slow lane without quota for it":            {usedUp, 1, 5, []string{"a"}, 4, 1, 6 * time.Minute},
		"a lane that is broken for four of them":      {revoked, 4, 60, []string{"a"}, 3, 4, 21 * time.Minute},
		"a lane without quota for four of them":       {usedUp, 4, 60, []string{"a"}, 4, 4, 5 * time.Minute},
		"two lanes that are broken for it":            {revoked, 1, 60, []string{"a", "b"}, 8, 6, 6 * time.Minute},
		"two lanes without quota for it":              {usedUp, 1, 60, []string{"a", "b"}, 8, 6, 2 * time.Minute},
		"three lanes that are broken for it":          {revoked, 1, 60, []string{"a", "b", "c"}, 12, 10, time.Minute},
		"three lanes without quota for it":            {usedUp, 1, 60, []string{"a", "b", "c"}, 20, 15, time.Minute},
		"three lanes that are broken for four":        {revoked, 4, 60, []string{"a", "b", "c"}, 12, 24, 16 * time.Minute},
		"three slow lanes without quota for four":     {usedUp, 4, 5, []string{"a", "b", "c"}, 12, 24, 10 * time.Minute},
		"a lane without quota of today for it":        {usedUpToday, 1, 60, []string{"a"}, 2, 1, 62 * time.Minute},
		"an account that may not spend so much on it": {spent, 1, 60, []string{"a", "b"}, 4, 1, 12 * time.Minute},
	} {
		for instances, forget := range map[string]bool{"one instance": false, "each delivery in a new instance": true} {
			t.Run(name+"/"+instances, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScene(t, tt.rpm, tt.lanes...)
					s.forget = forget
					bad, good := some("bad", tt.bad), some("good", 16)
					s.refuse = refusing(tt.failure, bad...)
					s.submit(append(bad, good...)...)
					for n := range 200 {
						time.Sleep(time.Minute)
						late := fmt.Sprintf("good, and late %d", n)
						s.submit(late)
						good = append(good, late)
					}
					s.run(40 * time.Minute)
					s.wantDrawn(tt.within, good...)
					s.wantAtFault(tt.requests, bad...)
					if s.pauses > tt.pauses {
						t.Errorf("lanes were paused %d times, want %d at most", s.pauses, tt.pauses)
					}
				})
			})
		}
	}
}

// A lane is broken for hours, and many images find that out. Then it is mended,
// which takes a while: some requests are still refused. No image fails.
func TestABrokenLaneFailsNoImage(t *testing.T) {
	for name, lanes := range map[string][]string{"one lane": {"a"}, "two lanes": {"a", "b"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 60, lanes...)
				mended, inForce := s.began.Add(3*time.Hour), s.began.Add(3*time.Hour+2*time.Minute)
				n := 0
				s.refuse = func(_, _ string) *job.Failure {
					n++
					if now := time.Now(); now.Before(mended) || now.Before(inForce) && n%2 == 0 {
						return revoked
					}
					return nil
				}
				all := some("image", 60)
				s.submit(all...)
				s.run(4 * time.Hour)
				s.wantDrawn(3*time.Hour+30*time.Minute, all...)
				struck := 0
				for _, n := range s.requests {
					if n > 1 {
						struck++
					}
				}
				if struck < 30 {
					t.Errorf("%d images have struck, want one each five minutes", struck)
				}
			})
		})
	}
}

// A good answer comes after another image has closed the lane again. It still
// disproves what was said of the lane before its image was claimed, and nothing
// of what was said since.
func TestALateAnswerDisprovesWhatWasSaidBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 60, "a")
		s.refuse = refusing(usedUpToday, "first", "second")
		s.submit("first")
		time.Sleep(time.Minute)
		s.submit("good")
		time.Sleep(time.Minute)
		s.submit("second")
		s.run(4 * time.Hour)
		s.wantDrawn(2*time.Hour, "good")
		s.wantAtFault(2, "first")
		if img := s.image("second"); img.Status != job.StatusQueued {
			t.Errorf("second is %s, error %v; want it to wait", img.Status, img.Error)
		}
	})
}

// Two of three lanes are broken. What waits moves on to the one that works, also
// what has struck both of the others.
func TestImagesFindTheLaneThatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 60, "a", "b", "c")
		s.refuse = func(_, lane string) *job.Failure {
			if lane == "c" {
				return nil
			}
			return revoked
		}
		all := some("image", 30)
		s.submit(all...)
		s.run(4 * time.Hour)
		s.wantDrawn(6*time.Minute, all...)
	})
}

// Somebody else uses the quota too, so that a request is refused now and then.
// No image fails that meets this, and no attempt is spent.
func TestASharedQuotaFailsNoImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 60, "a", "b")
		n := 0
		s.refuse = func(_, _ string) *job.Failure {
			if n++; n%7 == 0 {
				return usedUp
			}
			return nil
		}
		all := some("image", 200)
		s.submit(all...)
		s.run(4 * time.Hour)
		s.wantDrawn(time.Hour, all...)
		if s.pauses < 10 {
			t.Errorf("lanes were paused %d times, want it often", s.pauses)
		}
	})
}

// Nobody else is there to find out whether the lane works. The images do it
// themselves, and do not fail for it.
func TestAnImageThatIsAloneProbesTheLane(t *testing.T) {
	for _, n := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, 60, "a")
			all := some("image", n)
			s.refuse = refusing(revoked, all...)
			s.submit(all...)
			time.Sleep(4 * time.Hour)
			synctest.Wait()
			asked := 0
			for _, name := range all {
				asked += s.requests[name]
				if img := s.image(name); img.Status != job.StatusQueued || img.Attempts != 0 {
					t.Errorf("%s is %s after %d attempts, error %v", name, img.Status, img.Attempts, img.Error)
				}
			}
			if asked < 46 || asked > 50 {
				t.Errorf("%d requests, want one each five minutes", asked)
			}
			s.mu.Lock()
			s.refuse = refusing(nil)
			s.mu.Unlock()
			s.run(20 * time.Minute)
			s.wantDrawn(4*time.Hour+6*time.Minute, all...)
		})
	}
}
