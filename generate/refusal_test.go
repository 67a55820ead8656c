package generate_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/gemini"
)

// What is kept of a refusal tells its cause and its time, as the worker knew them.
func TestTheWordsOfARefusalTellItsCause(t *testing.T) {
	for fault, want := range map[gemini.Fault]struct {
		cause string
		said  bool
	}{
		"429-minute": {"requests a minute", true}, "429-day": {"requests a day", false}, "429-zero": {"a quota of zero", false},
		"429-spend": {"spend cap", false}, "429-rate": {"spend cap", false}, "429-prepaid": {"prepaid credits", false},
		"429-capacity": {"no capacity: 429 without a quota", false}, "503": {"overloaded: 503", false}, "503-later": {"overloaded: 503", true},
	} {
		g, server := setup(t)
		server.Next(fault)
		f, _ := errors.AsType[*job.Failure](generateError(t.Context(), g, request()))
		got, ok := generate.ReadRefusal(f.Public.Code, f.Answer.Detail, noon)
		f.Answer, f.Cause = job.Answer{}, nil
		if diff := cmp.Diff(generate.KeptRefusal{Cause: want.cause, Failure: f, Said: want.said}, got); diff != "" || !ok {
			t.Errorf("%s: %t (-want +got):\n%s", fault, ok, diff)
		}
	}
}

func TestReadRefusal(t *testing.T) {
	long := "HTTP 429 RESOURCE_EXHAUSTED You exceeded your current quota" + strings.Repeat(" and more", 40) + "…"
	for words, want := range map[string]struct {
		code  job.Code
		cause string // empty if it is no refusal
		after time.Duration
	}{
		"HTTP 429 RESOURCE_EXHAUSTED GenerateContentInputTokensPerModelPerMinute-FreeTier retry in 4.5s Quota exceeded": {job.CodeQuotaExhausted, "tokens a minute", 4500 * time.Millisecond},
		"HTTP 200 RESOURCE_EXHAUSTED Resource has been exhausted":                                                       {job.CodeQuotaExhausted, "no capacity: 429 without a quota", 0},
		"HTTP 429 RESOURCE_EXHAUSTED GenerateRequestsPerDayPerProjectPerModel Quota exceeded":                           {job.CodeLaneUnavailable, "a quota of zero", 0},
		long: {job.CodeQuotaExhausted, "a quota whose name was not kept", 0},
		"":   {job.CodeQuotaExhausted, "a quota whose name was not kept", 0},
		"HTTP 500 INTERNAL An internal error has occurred.": {job.CodeProviderError, "", 0},
		"HTTP 403 PERMISSION_DENIED quota exceeded":         {job.CodeLaneUnavailable, "", 0},
	} {
		got, ok := generate.ReadRefusal(want.code, words, noon)
		if ok != (want.cause != "") || got.Cause != want.cause || got.Failure != nil && got.Failure.RetryAfter != want.after {
			t.Errorf("%.80q is %+v, %t", words, got, ok)
		}
	}
}
