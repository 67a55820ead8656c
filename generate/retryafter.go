package generate

import (
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// longestRetryAfter bounds what the provider may ask for. Its longest quota is
// for a day.
const longestRetryAfter = 24 * time.Hour

// retryIn is how the message of a 429 repeats its RetryInfo, which not every
// front end passes on.
var retryIn = regexp.MustCompile(`retry in ([0-9.]+m?s)`)

// retryAfter returns how long the provider asks to wait. It looks at the
// error's RetryInfo, then at the header Retry-After, then at the message. It
// returns 0 when none of them says.
func retryAfter(header http.Header, e errorBody) time.Duration {
	for _, detail := range e.Details {
		if d, err := time.ParseDuration(detail.RetryDelay); err == nil && d > 0 {
			return min(d, longestRetryAfter)
		}
	}
	if d := retryAfterHeader(header); d > 0 {
		return min(d, longestRetryAfter)
	}
	if m := retryIn.FindStringSubmatch(e.Message); m != nil {
		if d, err := time.ParseDuration(m[1]); err == nil {
			return min(d, longestRetryAfter)
		}
	}
	return 0
}

// retryAfterHeader reads both forms of RFC 9110, section 10.2.3. It counts a
// date from the answer's own date, so that this machine's clock does not
// matter.
func retryAfterHeader(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(seconds, int(longestRetryAfter.Seconds()))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	return until.Sub(date)
}
