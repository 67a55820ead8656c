package record_test

import (
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// Where clocks are set forward at midnight, a day begins at one o'clock: on 6 September
// 2026 in Santiago. Midnight would be an hour of the day before.
func TestADayWithoutAMidnight(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	want := time.Date(2026, 9, 6, 4, 0, 0, 0, time.UTC)
	q := record.SpendQuery{Zone: zone}
	if got := q.Day(2026, time.September, 6); !got.Equal(want) {
		t.Errorf("the day begins at %v, want %v", got, want)
	}
	if got := q.Period(want.Add(5 * time.Hour)); !got.Equal(want) {
		t.Errorf("the day of an hour begins at %v, want %v", got, want)
	}
}
