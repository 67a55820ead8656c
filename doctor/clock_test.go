package doctor_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/doctor"
)

// startDated starts a server whose clock is ahead of this machine's, and
// returns that clock.
func startDated(t *testing.T, ahead time.Duration) doctor.Clock {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(srv.Close)
	return doctor.Clock{Name: "R2", Ahead: doctor.HTTPClock(srv.Client(), srv.URL)}
}

func fixed(name string, ahead time.Duration, err error) doctor.Clock {
	return doctor.Clock{Name: name, Ahead: func(context.Context) (time.Duration, error) { return ahead, err }}
}

func TestClocks(t *testing.T) {
	t.Parallel()
	undated := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
	t.Cleanup(undated.Close)
	nowhere := doctor.Clock{Name: "R2", Ahead: doctor.HTTPClock(http.DefaultClient, "http://"+nobody(t))}
	timeless := doctor.Clock{Name: "the worker", Ahead: doctor.HTTPClock(http.DefaultClient, undated.URL)}
	unset := doctor.Clock{Name: "the worker", Ahead: doctor.HTTPClock(http.DefaultClient, "")}
	right := fixed("the database", time.Second, nil)
	for name, tt := range map[string]struct {
		clocks []doctor.Clock
		wants  []want
	}{
		"all agree":           {[]doctor.Clock{startDated(t, 0), right}, []want{{doctor.OK, "", "agrees with R2, the database", ""}}},
		"a little slow":       {[]doctor.Clock{startDated(t, 25*time.Second)}, []want{{doctor.OK, "", "agrees with R2", ""}}},
		"slow":                {[]doctor.Clock{startDated(t, time.Minute), right}, []want{{doctor.Warning, "R2", "behind that of R2", "timedatectl"}}},
		"fast":                {[]doctor.Clock{startDated(t, -time.Minute)}, []want{{doctor.Warning, "R2", "ahead of that of R2", "timedatectl"}}},
		"wrong":               {[]doctor.Clock{startDated(t, time.Hour)}, []want{{doctor.Failed, "R2", "signatures and tokens are refused", "timedatectl"}}},
		"the database's":      {[]doctor.Clock{fixed("the database", 6*time.Minute, nil)}, []want{{doctor.Failed, "the database", "6m0s behind that of the database", ""}}},
		"one does not answer": {[]doctor.Clock{nowhere, timeless, right}, []want{{doctor.OK, "", "agrees with the database", ""}}},
		"nobody answers": {
			[]doctor.Clock{nowhere, timeless, unset, fixed("the database", 0, errors.New("away"))},
			[]want{{doctor.Skipped, "", "nobody could be asked", ""}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, examine(t, doctor.Clocks(tt.clocks...)), tt.wants...)
		})
	}
}
