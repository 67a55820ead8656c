package generate

import (
	"regexp"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A KeptRefusal is what the kept words of an attempt tell that Gemini refused for want
// of quota or of room.
type KeptRefusal struct {
	Cause   string       // which limit it was, for people, such as "requests a day"
	Failure *job.Failure // as the attempt had it, but for the cause and the answer; nil if the words do not tell which
	Said    bool         // Gemini named the time of Failure.RetryAfter
}

var (
	// words429 and words503 match how evidence.text begins. A 429 can be inside an
	// answer with status 200.
	words429 = regexp.MustCompile(`^HTTP (429|200 RESOURCE_EXHAUSTED)\b`)
	words503 = regexp.MustCompile(`^HTTP 503\b`)
	// quotaIDs: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier".
	quotaIDs = regexp.MustCompile(`\b[A-Za-z]+Per(?:Day|Minute)[A-Za-z-]*`)
)

// ReadRefusal reads the words (job.Report.Detail) of an attempt that ended with a
// code at a time. ok is false if that was no 429 and no 503.
func ReadRefusal(code job.Code, words string, at time.Time) (r KeptRefusal, ok bool) {
	body := errorBody{Message: words}
	for _, id := range quotaIDs.FindAllString(words, -1) {
		body.Details = append(body.Details, errorDetail{Violations: []quotaViolation{{QuotaID: id}}})
	}
	var s signal
	switch {
	case words503.MatchString(words):
		s = signalUnavailable
	case code == job.CodeQuotaExhausted || words429.MatchString(words):
		s = classifyQuota(body)
	default:
		return KeptRefusal{}, false
	}
	if code == job.CodeLaneUnavailable && (s == signalMinute || s == signalDay) { // the quota's value is not in the words
		s = signalQuotaZero
	}
	if words == "" || s == signalMinute && body.Details == nil && strings.HasSuffix(words, cutMark) {
		return KeptRefusal{Cause: "a quota whose name was not kept"}, true
	}
	r = KeptRefusal{Cause: cause(s, words), Failure: s.failure("")}
	if s != signalQuotaZero {
		r.Failure.RetryAfter = retryAfter(nil, body)
	}
	r.Said = r.Failure.RetryAfter > 0
	if s == signalDay && !r.Said {
		r.Failure.RetryAfter = untilNextDay(at)
	}
	return r, true
}

// cause returns what a signal of words is called.
func cause(s signal, words string) string {
	what := "requests"
	if strings.Contains(strings.Join(quotaIDs.FindAllString(words, -1), " "), "Tokens") {
		what = "tokens"
	}
	switch s {
	case signalMinute:
		return what + " a minute"
	case signalDay:
		return what + " a day"
	case signalSpend:
		return "spend cap"
	case signalCapacity:
		return "no capacity: 429 without a quota"
	case signalQuotaZero:
		return "a quota of zero"
	case signalBilling:
		return "prepaid credits"
	default:
		return "overloaded: 503"
	}
}
