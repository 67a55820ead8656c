package generate

import (
	"time"
	_ "time/tzdata" // the image that is shipped has no time zones
)

// untilNextDay returns how long a daily quota that is used up stays so: until
// midnight Pacific time, see https://ai.google.dev/gemini-api/docs/rate-limits.
func untilNextDay(now time.Time) time.Duration {
	pacific, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		panic(err) // it is embedded
	}
	y, m, d := now.In(pacific).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, pacific).Sub(now)
}
