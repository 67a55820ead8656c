package s3_test

import (
	"net/http"
	"testing"

	"github.com/ai-worker/ai-worker/local/s3"
)

func TestFaults(t *testing.T) {
	tests := map[string]struct {
		fault  s3.Fault
		want   answer
		stored bool
	}{
		"instead":     {s3.Fault{Status: 429, Code: "TooManyRequests"}, answer{429, "TooManyRequests"}, false},
		"no body":     {s3.Fault{Status: 500}, answer{500, ""}, false},
		"lost answer": {s3.Fault{Status: 503, Code: "SlowDown", Done: true}, answer{503, "SlowDown"}, true},
		"none":        {s3.Fault{}, answer{200, ""}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			srv := start(t, "")
			srv.Fail(func(*http.Request) s3.Fault { return test.fault })
			got, _ := do(t, srv, "PUT", "k", "1")
			check(t, "PUT", test.want, got)
			srv.Fail(nil)
			checkStored(t, srv, test.stored)
		})
	}
}

func TestACutConnection(t *testing.T) {
	for _, done := range []bool{false, true} {
		srv := start(t, "")
		srv.Fail(func(*http.Request) s3.Fault { return s3.Fault{Cut: true, Done: done} })
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL()+"/"+bucket+"/k", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("answered %s", resp.Status)
		}
		srv.Fail(nil)
		checkStored(t, srv, done)
	}
}

func checkStored(t *testing.T, srv *s3.Server, want bool) {
	t.Helper()
	if got, _ := do(t, srv, "HEAD", "k", ""); (got.Status == http.StatusOK) != want {
		t.Errorf("HEAD says %d, stored is to be %v", got.Status, want)
	}
}
