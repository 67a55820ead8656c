//go:build !race

package lanes_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// pauseByHand pauses a lane. What was claimed at the same moment has sent its request.
func (s *service) pauseByHand(lane string) {
	s.Helper()
	synctest.Wait()
	if err := s.record.PauseByHand(s.Context(), lane, record.Act{Who: "alice", Role: "operator", Action: record.ActionPauseLane, Reason: "it leaks"}); err != nil {
		s.Fatal(err)
	}
}

func (s *service) resumeByHand(lane string) {
	s.Helper()
	if err := s.record.ResumeByHand(s.Context(), lane, record.Act{Who: "bob", Role: "admin", Action: record.ActionResumeLane, Reason: "mended"}); err != nil {
		s.Fatal(err)
	}
}

// An operator pauses the only lane of a model. What is drawn ends well, and what
// waits is parked by its deliveries, without a request. It goes on once somebody
// resumes the lane: no worker remembers the pause.
func TestTheOnlyLanePausedByHandHoldsWhatWaits(t *testing.T) {
	run(t, func(s *service) {
		s.deploy(quota("a", "m"))
		s.submit("m", 96)
		time.Sleep(20 * time.Second)
		s.pauseByHand("a")
		before := s.requests("a", "m")
		s.submit("m", 16) // one lane: no delivery has told yet that it is paused
		time.Sleep(5 * time.Minute)
		s.wantAsked(map[string]int{"a m": before})
		if b := s.backlog(); b.Parked != 112-before || b.Waiting != b.Parked || b.Processing != 0 {
			s.Errorf("%+v; want all but %d parked", b, before)
		}
		s.sweep(2)
		s.wantAsked(map[string]int{"a m": before})
		s.resumeByHand("a")
		s.sweep(1)
		time.Sleep(2 * time.Minute)
		s.wantDone(map[string]int{"a m": 112})
		s.wantNothingClosed()
	})
}

// An operator pauses one of two lanes of a model. The other takes over, also what is
// asked for from then on. The lane takes its share again once it is resumed.
func TestALanePausedByHandLeavesItsImagesToTheOther(t *testing.T) {
	run(t, func(s *service) {
		s.deploy(quota("a", "m"), quota("b", "m"))
		s.submit("m", 320)
		time.Sleep(10 * time.Second)
		s.pauseByHand("a")
		before := s.requests("a", "m")
		s.submit("m", 160)
		s.sweep(2)
		states, err := s.record.LaneStates(s.Context())
		if err != nil || states[0].Waiting != 0 {
			s.Errorf("%v; %d wait on the lane that is paused", err, states[0].Waiting)
		}
		if n := s.requests("a", "m"); n != before {
			s.Errorf("%d requests on the lane that is paused", n-before)
		}
		s.resumeByHand("a")
		s.sweep(1)
		time.Sleep(5 * time.Minute)
		s.wantDone(map[string]int{"a m": -(before + 100), "b m": -200})
		s.wantNothingClosed()
	})
}
