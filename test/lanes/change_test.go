//go:build !race

package lanes_test

import (
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// 800 images wait on a lane, which takes more than 13 minutes for them. One that is
// added takes half of them.
func TestALaneThatIsAddedTakesItsShare(t *testing.T) {
	run(t, func(s *service) {
		s.deploy(quota("a", "m"))
		s.submit("m", 800)
		s.deploy(quota("a", "m"), quota("b", "m"))
		s.sweep(2)
		time.Sleep(7 * time.Minute)
		s.wantDone(map[string]int{"a m": -300, "b m": -300})
	})
}

// A lane opens after a while. It is tried with a few images first, and then takes
// its share of those that went to another one meanwhile.
func TestALaneThatComesBackTakesItsShare(t *testing.T) {
	run(t, func(s *service) {
		s.deploy(quota("a", "m"))
		s.submit("m", 800)
		err := s.record.Pause(s.Context(), []string{"b"}, record.Pause{
			For: 90 * time.Second, Broken: true, Reason: job.Error{Code: job.CodeLaneUnavailable, Message: "The key is refused."},
		})
		if err != nil {
			s.Fatal(err)
		}
		s.deploy(quota("a", "m"), quota("b", "m"))
		s.sweep(2)
		s.wantAsked(map[string]int{"a m": -100})
		s.sweep(1)
		s.wantAsked(map[string]int{"a m": -150, "b m": 2})
		s.sweep(2)
		time.Sleep(5 * time.Minute)
		s.wantDone(map[string]int{"a m": -400, "b m": -250})
	})
}

// The images of a lane that is removed go to the others of their model, and not to
// whichever is the first.
func TestARemovedLaneLeavesItsImagesToItsModel(t *testing.T) {
	run(t, func(s *service) {
		first := quota("first", "n")
		s.deploy(first, quota("a", "m"), quota("b", "m"))
		s.submit("m", 160)
		time.Sleep(30 * time.Second)
		s.deploy(first, quota("a", "m"))
		s.sweep(1)
		time.Sleep(4 * time.Minute)
		s.wantDone(map[string]int{"a m": -100, "b m": -1})
	})
}

// A lane gets a newer model, and says that it answers for the old one.
func TestARenamedModelIsDrawnByTheNewOne(t *testing.T) {
	run(t, func(s *service) {
		s.deploy(quota("a", "m0"))
		s.submit("m0", 32)
		s.retire("m0")
		before := s.requests("a", "m0")
		s.deploy(quota("a", "m1", "m0"))
		s.submit("m0", 16)
		s.submit("m1", 16)
		s.sweep(1)
		time.Sleep(2 * time.Minute)
		s.wantDone(map[string]int{"a m0": before, "a m1": 64 - before})
		s.wantNothingClosed()
	})
}

// A lane gets a newer model, and does not answer for the old one. Its images wait,
// without a request and in nobody's way, until a lane does.
func TestAModelThatNoLaneServesWaits(t *testing.T) {
	for name, mend := range map[string]func(s *service){
		"until one does":     func(s *service) { s.deploy(quota("a", "m1", "m0")) },
		"until its deadline": func(*service) { time.Sleep(2 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(s *service) {
				s.deploy(quota("a", "m0"))
				ids := s.submit("m0", 32)
				s.retire("m0")
				before := s.requests("a", "m0")
				waiting := 32 - before
				s.deploy(quota("a", "m1"))
				s.submit("m1", 16)
				time.Sleep(2 * time.Minute) // no sweep is needed
				if b := s.backlog(); b.Waiting != waiting || b.Parked != waiting {
					s.Errorf("%d wait and %d are parked, want %d", b.Waiting, b.Parked, waiting)
				}
				s.wantAsked(map[string]int{"a m0": before, "a m1": 16})
				s.wantNothingClosed()
				j, err := s.record.Get(s.Context(), ids[1])
				if err != nil || !j.Images[0].Parked {
					s.Errorf("%v, %+v; want a parked image", err, j.Images)
				}

				mend(s)
				s.sweep(1)
				time.Sleep(2 * time.Minute)
				if name == "until one does" {
					s.wantDone(map[string]int{"a m0": before, "a m1": 16 + waiting})
					return
				}
				s.wantDone(map[string]int{"a m0": before, "a m1": 16})
				j, err = s.record.Get(s.Context(), ids[1])
				if err != nil || j.Status != job.StatusFailed || j.Images[0].Error.Code != job.CodeDeadlineExceeded {
					s.Errorf("%v, the job is %s: %+v", err, j.Status, j.Images)
				}
			})
		})
	}
}

// What waits on a lane that is paused, with its queue, goes to another one, and so
// does what comes.
func TestAPausedLaneLeavesItsImagesToAnother(t *testing.T) {
	run(t, func(s *service) {
		s.deploy(quota("a", "m"), quota("b", "m"))
		s.submit("m", 80)
		before := s.requests("b", "m")
		s.deploy(quota("a", "m"), paused(quota("b", "m")))
		s.submit("m", 80)
		s.sweep(1)
		time.Sleep(3 * time.Minute)
		s.wantDone(map[string]int{"a m": 160 - before, "b m": before})
	})
}

// The only lane of a model is paused: its images wait, and so do new ones.
func TestImagesWaitWhileTheirOnlyLaneIsPaused(t *testing.T) {
	run(t, func(s *service) {
		s.deploy(quota("a", "m"))
		s.submit("m", 48)
		waiting := 64 - s.requests("a", "m")
		s.deploy(paused(quota("a", "m")))
		s.submit("m", 16)
		s.sweep(1)
		if b := s.backlog(); b.Waiting != waiting || b.Parked != waiting {
			s.Errorf("%d wait and %d are parked, want %d", b.Waiting, b.Parked, waiting)
		}
		s.deploy(quota("a", "m"))
		s.sweep(1)
		time.Sleep(2 * time.Minute)
		s.wantDone(map[string]int{"a m": 64})
	})
}
