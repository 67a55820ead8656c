package dashboard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// now is a Thursday.
var now = time.Date(2026, 11, 26, 12, 30, 0, 0, time.UTC)

// at returns a time of this November.
func at(day, hour, minute int) time.Time {
	return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC)
}

func TestSearchReadsTokens(t *testing.T) {
	for text, want := range map[string]record.SearchQuery{
		"":                                      {},
		"  red   fox ":                          {Text: "red fox"},
		`"red fox: a study"`:                    {Text: "red fox: a study"},
		`fox "at dusk`:                          {Text: "fox at dusk"},
		"id:0199a5a0":                           {ID: "0199a5a0"},
		"ID:0199A5A0-00":                        {ID: "0199a5a0-00"},
		someID:                                  {ID: someID},
		"status:failed,Partial status:failed":   {Statuses: []job.Status{job.StatusFailed, job.StatusPartial}},
		"tenant:web lane:a model:m-1":           {Tenant: "web", Lane: "a", Model: "m-1"},
		`tenant:"a b"fox code:blocked`:          {Tenant: "a b", Code: job.CodeBlocked, Text: "fox"},
		"after:2026-11-26":                      {After: at(26, 0, 0)},
		"before:2026-11-26T10:00":               {Before: at(26, 10, 0)},
		"after:26T10:00 before:26T13:00":        {After: at(26, 10, 0), Before: time.Date(2026, 10, 26, 13, 0, 0, 0, time.UTC)},
		"after:31T00:00":                        {After: time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC)},
		"after:2h before:30m":                   {After: at(26, 10, 30), Before: at(26, 12, 0)},
		"after:7d":                              {After: at(19, 12, 30)},
		"after:4w":                              {After: time.Date(2026, 10, 29, 12, 30, 0, 0, time.UTC)},
		"after:2026-11-26T10:00:00+02:00":       {After: at(26, 8, 0)},
		"cost>0.5":                              {MinCostMicros: 500_001},
		"cost>=$0.0336":                         {MinCostMicros: 33_600},
		"COST>0":                                {MinCostMicros: 1},
		"a>b 3:2 https://x 16:9":                {Text: "a>b 3:2 16:9"},
		"tenant:web colour:red status:done fox": {Tenant: "web", Text: "fox"},
	} {
		if diff := cmp.Diff(want, dashboard.ParseSearch(text, now).Query); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// What is wrong with a token is said, and the rest is searched by.
func TestSearchSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"tenant:":                   "tenant: has no value",
		"colour:red":                "colour:red has no key that is known",
		"id:0199":                   "id:0199 is no id",
		"id:0199a5a0-zzzz":          "is no id",
		"id:--------":               "is no id",
		"status:done":               "status:done is no state",
		"after:soon":                "after:soon is no time",
		"after:2026-13-01":          "is no time",
		"after:32T10:00":            "is no time",
		"after:99999d":              "is no time",
		"cost>much":                 "cost>much is no cost",
		"cost>-1":                   "is no cost",
		"cost>NaN":                  "is no cost",
		"cost:1":                    "cost:1 is not understood: write cost>0.10",
		"tenant:a tenant:b":         "tenant:b stands twice",
		"after:1h before:2h":        "Nothing is after 11:30 UTC and before 10:30 UTC",
		strings.Repeat("x", 2_000):  "too long",
		strings.Repeat("é ", 2_000): "too long",
	} {
		s := dashboard.ParseSearch(text+" ", now)
		if len(s.Faults) != 1 || !strings.Contains(s.Faults[0], want) {
			t.Errorf("%.40q: %q, want %q", text, s.Faults, want)
		}
	}
	for _, odd := range []string{"\x00", "\xff", `"`, `""`, ":", ">", `tenant:"`, "tenant::", `tenant:""`} {
		dashboard.ParseSearch(odd, now)
	}
}

// A link to one state more keeps the rest of the search.
func TestSearchWithAnotherToken(t *testing.T) {
	s := dashboard.ParseSearch(`fox status:failed tenant:"a b" status:partial oops:1`, now)
	for value, want := range map[string]string{"queued": `fox tenant:"a b" status:queued`, "": `fox tenant:"a b"`, "x y": `fox tenant:"a b" status:"x y"`} {
		if got := s.With("status", value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
