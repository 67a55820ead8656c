package dashboard_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Words of attempts as the worker keeps them.
const (
	minuteWords = "HTTP 429 RESOURCE_EXHAUSTED GenerateRequestsPerMinutePerProjectPerModel retry in 34.5s You exceeded your current quota <b>"
	dayWords    = "HTTP 429 RESOURCE_EXHAUSTED GenerateRequestsPerDayPerProjectPerModel You exceeded your current quota"
	roomWords   = "HTTP 503 UNAVAILABLE The model is overloaded."
)

// A lane's page tells its refusals of a day by cause: how often, since when, until
// when, and what is done about it.
func TestALanesHistoryOfRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight, and 16:00 Pacific time
		s := setup(t)
		s.options.Lanes[0].Account = "acme"
		s.start()
		refuse := func(on string, code job.Code, says string) job.Job {
			return s.draw("web", on, 0, ending{code: code, says: says})
		}
		refuse("a", job.CodeQuotaExhausted, dayWords) // more than a day ago
		time.Sleep(25 * time.Hour)
		refuse("a", job.CodeQuotaExhausted, minuteWords)
		time.Sleep(time.Hour)
		refuse("a", job.CodeQuotaExhausted, "HTTP 429 RESOURCE_EXHAUSTED GenerateRequestsPerMinutePerProjectPerModel retry in 4s You exceeded your current quota <b>")
		refuse("a", job.CodeProviderError, roomWords)
		refuse("a", job.CodeBlocked, "finishReason SAFETY")
		refuse("b", job.CodeQuotaExhausted, "HTTP 429 RESOURCE_EXHAUSTED Your project has exceeded its monthly spending cap.")
		time.Sleep(time.Minute)
		latest := refuse("a", job.CodeQuotaExhausted, dayWords)
		if err := s.kept.Pause(t.Context(), []string{"a"}, record.Pause{For: 5*time.Hour + 59*time.Minute, Reason: job.Error{Code: job.CodeQuotaExhausted, Message: "Used up."}}); err != nil {
			t.Fatal(err)
		}
		c := s.logIn("vera")
		page := s.get(path+"/lanes/a", c)
		want(t, section(t, page, "Now", "By cause"), "‖ paused", "quota_exhausted: Used up.", "Opens 08:00 UTC in 5 h 59 min",
			"429 in the last 24 hours 3", "3 in 24 hours, at most 2 in one.", "2 Jan 01:00 1", "2 Jan 02:00 2")
		want(t, section(t, page, "By cause requests a day", "overloaded"), "1 refusal Closes the lane until then.",
			"First seen 02:01 UTC 0 s ago", "The last one resets 08:00 UTC in 5 h 59 min", "02:01:00 08:00:00 by rule HTTP 429")
		want(t, section(t, page, "requests a minute", "The provider named"), "2 refusals", "First seen 01:00 UTC", "Last seen 02:00 UTC",
			"02:00:00 02:00:04 HTTP 429", "01:00:00 01:00:34 HTTP 429", "&lt;b&gt;", "-00:00:00", "-spending cap")
		want(t, section(t, page, "overloaded: 503", "The provider named"), "1 refusal The picture tries again", "resets not said", "02:00:00 – HTTP 503")
		want(t, page, `href="/admin/queues/jobs/`+latest.ID+`"`, "-SAFETY", "-quota <b>")
		want(t, words(s.get(path+"/lanes/b", c)), "spend cap 1 refusal Closes the lane until then.", "The last one resets 02:10 UTC", "by rule")
		want(t, words(s.get(path+"/lanes", c)), "3 refusals with 429: why, and until when", "1 refusal with 429", "2 Jan 02:00 2")
		if resp := s.do(request{method: "GET", path: path + "/lanes/gone", cookie: c}); resp.StatusCode != http.StatusNotFound {
			t.Errorf("a lane that is not in the settings is answered %s", resp.Status)
		}
	})
}

func TestALaneWithoutRefusals(t *testing.T) {
	s := setup(t)
	c := s.logIn("vera")
	want(t, words(s.get(path+"/lanes/a", c)), "The provider refused nothing with 429", "No refusals")
	want(t, words(s.get(path+"/lanes", c)), "No 429 in 24 hours")
}

// A spend cap is one of the account, and a lane that the provider refuses is broken.
func TestWhatIsDoneAboutARefusal(t *testing.T) {
	s := setup(t)
	s.options.Lanes[0].Account = "acme"
	s.start()
	for says, e := range map[string]struct {
		code job.Code
		want string
	}{
		"HTTP 429 RESOURCE_EXHAUSTED Your project has exceeded its monthly spending cap.": {job.CodeQuotaExhausted, "spend cap 1 refusal Closes all lanes of the account acme"},
		"HTTP 429 RESOURCE_EXHAUSTED Resource has been exhausted (e.g. check quota).":     {job.CodeQuotaExhausted, "no capacity: 429 without a quota 1 refusal The lane stays open."},
		"HTTP 429 RESOURCE_EXHAUSTED Your prepayment credits are depleted.":               {job.CodeLaneUnavailable, "prepaid credits 1 refusal Closes the lane as broken."},
		"": {job.CodeQuotaExhausted, "a quota whose name was not kept 1 refusal The lane was closed"},
	} {
		s.draw("web", "a", 0, ending{code: e.code, says: says})
		s.start() // nothing is kept of before
		want(t, words(s.get(path+"/lanes/a", s.logIn("vera"))), e.want)
	}
}

// refusalsAsked is a record that counts what a lane's page asks it.
type refusalsAsked struct {
	dashboard.Record

	calls map[string]int
}

func (a *refusalsAsked) LaneFailures(ctx context.Context, lane string, since time.Time, limit int) (record.LaneFailures, error) {
	a.calls["LaneFailures "+lane]++
	return a.Record.LaneFailures(ctx, lane, since, limit)
}

func (a *refusalsAsked) Spend(ctx context.Context, q record.SpendQuery) ([]record.Spend, error) {
	a.calls["Spend"]++
	return a.Record.Spend(ctx, q)
}

// All who look share one reading of the record.
func TestALanesHistoryIsReadOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		a := &refusalsAsked{Record: s.kept, calls: make(map[string]int)}
		s.options.Record = a
		s.start()
		c := s.logIn("vera")
		for range 3 {
			s.get(path+"/lanes/a", c)
			s.get(path+"/lanes", c)
		}
		time.Sleep(3 * time.Second)
		s.get(path+"/lanes/a", c)
		if diff := cmp.Diff(map[string]int{"LaneFailures a": 2, "Spend": 1}, a.calls); diff != "" {
			t.Errorf("the record is asked (-want +got):\n%s", diff)
		}
	})
}
