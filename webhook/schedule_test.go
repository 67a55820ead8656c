package webhook_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/webhook"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	s := webhook.DefaultSchedule()
	want := []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	if diff := cmp.Diff(webhook.Schedule(want), s); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for n, step := range want {
		waits := map[time.Duration]bool{}
		for range 100 {
			wait, ok := s.After(n+1, 0)
			if !ok || wait < step*9/10 || wait > step*11/10 {
				t.Fatalf("after try %d: %s, %t, want %s and a tenth more or less", n+1, wait, ok, step)
			}
			waits[wait] = true
		}
		if len(waits) < 50 {
			t.Errorf("after try %d: only %d waits of 100 differ", n+1, len(waits))
		}
	}
	for _, n := range []int{-1, 0, 10, 11} {
		if wait, ok := s.After(n, time.Hour); ok {
			t.Errorf("another try %s after try %d", wait, n)
		}
	}
}

// A receiver can ask for a longer wait, not for a shorter one.
func TestScheduleWaitsAsAsked(t *testing.T) {
	t.Parallel()
	s := webhook.DefaultSchedule()
	for range 100 {
		if wait, ok := s.After(1, time.Hour); !ok || wait < time.Hour || wait > 66*time.Minute {
			t.Fatalf("after try 1: %s, want an hour and at most a tenth more", wait)
		}
		if wait, ok := s.After(5, time.Second); !ok || wait < 4*time.Hour {
			t.Fatalf("after try 5: %s, want 5 hours and a tenth more or less", wait)
		}
	}
}
