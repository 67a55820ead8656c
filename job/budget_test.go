package job_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
)

// Clocks in Berlin are set forward on 29 March 2026, and back on 25 October. In Beirut
// they are set forward at midnight. In Amman they were set back to midnight on 29 October
// 2021, and so there were two.
func TestPeriodsFollowTheCalendarOfTheirZone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		zone         string
		per          job.BudgetSpan
		at, from, to string
	}{
		{"UTC", job.PerDay, "2026-11-24T12:00:00Z", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"},
		{"Europe/Berlin", job.PerDay, "2026-03-28T22:59:59Z", "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z"},
		{"Europe/Berlin", job.PerDay, "2026-03-28T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{"Europe/Berlin", job.PerDay, "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
		{"Europe/Berlin", job.PerMonth, "2026-03-31T21:59:59Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
		{"Europe/Berlin", job.PerMonth, "2026-12-31T23:00:00Z", "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"},
		{"Asia/Beirut", job.PerDay, "2026-03-28T21:59:59Z", "2026-03-27T22:00:00Z", "2026-03-28T22:00:00Z"},
		{"Asia/Beirut", job.PerDay, "2026-03-28T22:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},
		{"Asia/Amman", job.PerDay, "2021-10-28T20:59:59Z", "2021-10-27T21:00:00Z", "2021-10-28T21:00:00Z"},
		{"Asia/Amman", job.PerDay, "2021-10-28T21:00:00Z", "2021-10-28T21:00:00Z", "2021-10-29T22:00:00Z"}, // 25 hours
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		from, to := job.Budget{Per: tt.per, Zone: zone}.Period(at)
		if got := []string{from.Format(time.RFC3339), to.Format(time.RFC3339)}; !cmp.Equal(got, []string{tt.from, tt.to}) {
			t.Errorf("the %s in %s of %s is %v, want %s to %s", tt.per, tt.zone, tt.at, got, tt.from, tt.to)
		}
	}
}

// Each moment of two years is in one period, which begins where the one before ends.
func TestPeriodsLeaveNoGap(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "Asia/Beirut", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		b := job.Budget{Per: job.PerDay, Zone: zone}
		at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
		_, end := b.Period(at)
		for ; at.Year() < 2027; at = at.Add(30 * time.Minute) {
			from, to := b.Period(at)
			if at.Before(from) || !at.Before(to) {
				t.Fatalf("%v is not from %v to %v", at, from, to)
			}
			if at.Before(end) {
				continue
			}
			if !from.Equal(end) {
				t.Fatalf("the day before %v ended at %v", from, end)
			}
			end = to
		}
	}
}

func TestLevelsAreReachedExactly(t *testing.T) {
	t.Parallel()
	for micros, want := range map[int64]int{0: 0, 49: 0, 50: 50, 79: 50, 80: 80, 99: 80, 100: 100, 101: 100} {
		if got := job.BudgetLevel(micros, 100); got != want {
			t.Errorf("%d of 100 are at %d, want %d", micros, got, want)
		}
	}
}
