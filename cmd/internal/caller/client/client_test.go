package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
)

const queued = `{"id":"j1","status":"queued","version":1}`

// A request that was lost, or refused for now, is sent again under the same key and
// with the same body, and not before the service has said.
func TestGeneratePaysOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, breakOff(""), say(503, `{"detail":"not now"}`, "Retry-After", "7"), breakOff(`{"id":"j1`), say(202, queued))
		begin := time.Now()
		j, err := c.Generate(t.Context(), "key-1", []byte(`{"prompt":"a fox"}`))
		if err != nil || j.ID != "j1" || string(j.Raw) != queued {
			t.Fatalf("%+v, %v", j, err)
		}
		want := slices.Repeat([]string{`key-1 {"prompt":"a fox"}`}, 4)
		if diff := cmp.Diff(want, s.calls(func(r seen) string { return r.key + " " + r.body })); diff != "" {
			t.Error(diff)
		}
		if got := time.Since(begin); got < 7*time.Second || got > 12*time.Second {
			t.Errorf("it took %v, and Retry-After said 7 s", got)
		}
	})
}

func TestRefusalsAreFinal(t *testing.T) {
	for _, status := range []int{301, 400, 401, 402, 404, 409, 413, 415, 422} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := play(t, say(status, `{"detail":"no `+apiKey+`","errors":[{"location":"body.count","message":"too many"}]}`))
			_, err := c.Generate(t.Context(), "k", nil)
			refusal, ok := errors.AsType[*client.Error](err)
			if !ok || refusal.Status != status || len(refusal.Fields) != 1 || refusal.Fields[0].Message != "too many" {
				t.Errorf("%d: %+v", status, err)
			}
			if strings.Contains(err.Error(), apiKey) {
				t.Errorf("the error has the key: %v", err)
			}
		})
	}
}

// A service that says to come back in an hour is not waited for.
func TestNoWaitIsLongerThanTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, say(429, `{"detail":"full"}`, "Retry-After", "Thu, 26 Nov 2026 13:00:00 GMT", "Date", "Thu, 26 Nov 2026 12:00:00 GMT"))
		begin := time.Now()
		_, err := c.Generate(t.Context(), "k", nil)
		refusal, ok := errors.AsType[*client.Error](err)
		if !ok || refusal.RetryAfter != time.Hour || time.Since(begin) != 0 {
			t.Errorf("%+v after %v", err, time.Since(begin))
		}
	})
}

func TestSilenceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, hang, hang, hang)
		begin := time.Now()
		_, err := c.Get(t.Context(), "j1")
		if err == nil || time.Since(begin) > 2*time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

// A call that its caller ends is not sent again.
func TestCallersEndIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, hang)
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		time.AfterFunc(time.Second, func() { cancel(enough) })
		if _, err := c.Get(ctx, "j1"); !errors.Is(err, enough) {
			t.Errorf("%v", err)
		}
	})
}

type nobody struct{ calls *int }

func (n nobody) RoundTrip(*http.Request) (*http.Response, error) {
	*n.calls++
	return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
}

// Where nobody said that there is a service, none is waited for.
func TestNothingListens(t *testing.T) {
	for isGuess, want := range map[bool]int{true: 1, false: 6} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			c, err := client.New(client.Config{URL: service, IsGuess: isGuess, HTTP: nobody{&calls}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = c.Get(t.Context(), "j1"); !client.NothingListens(err) || calls != want {
				t.Errorf("%d calls, want %d: %v", calls, want, err)
			}
		})
	}
}

// A repeated DELETE finds nothing where the first one arrived.
func TestDeleteIsSafeToRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, breakOff(""), say(404, `{"detail":"There is no such job."}`))
		if err := c.Delete(t.Context(), "j1"); err != nil {
			t.Error(err)
		}
		c, _ = play(t, say(404, `{"detail":"There is no such job."}`))
		if err := c.Delete(t.Context(), "j1"); err == nil {
			t.Error("a job that never was is removed")
		}
	})
}

func TestListGoesOverPages(t *testing.T) {
	const page = `{"jobs":[{"id":"a","status":"failed"},{"id":"b","status":"failed"}],"next_cursor":"c"}`
	for limit, want := range map[int]string{0: "abab", 3: "aba", 2: "ab"} {
		c, s := play(t, say(200, page), say(200, strings.Replace(page, `"c"`, "null", 1)))
		got := ""
		for j, err := range c.List(t.Context(), client.Query{"status": {"failed"}}, limit) {
			if err != nil {
				t.Fatal(err)
			}
			got += j.ID
		}
		if got != want {
			t.Errorf("limit %d: %q, want %q", limit, got, want)
		}
		if calls := s.calls(func(r seen) string { return r.call }); len(calls) > (len(want)+1)/2 {
			t.Errorf("limit %d: %d pages", limit, len(calls))
		}
	}
}

func TestUploadKeepsTheKeyFromTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upload := `{"id":"u1","method":"PUT","url":"` + bucket + `/u?secret","headers":{"Content-Type":"image/png"}}`
		c, s := play(t, say(201, upload), breakOff(""), say(200, ""))
		id, err := c.Upload(t.Context(), "image/png", []byte("picture"))
		if err != nil || id != "u1" {
			t.Fatal(id, err)
		}
		want := []string{"POST /api/uploads Bearer " + apiKey + ` {"content_type":"image/png","bytes":7}`, "PUT /u  picture", "PUT /u  picture"}
		if diff := cmp.Diff(want, s.calls(func(r seen) string { return r.call + " " + r.auth + " " + r.body })); diff != "" {
			t.Error(diff)
		}
	})
}

// pictureSum is the sha256 of "picture".
const pictureSum = "2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97"

func TestPicture(t *testing.T) {
	url := bucket + "/old?secret"
	image := client.Image{Index: 0, URL: &url, Bytes: 7, SHA256: pictureSum}
	again := `{"id":"j1","status":"succeeded","images":[{"index":0,"url":"` + bucket + `/new","bytes":7,"sha256":"` + pictureSum + `"}]}`
	for name, tt := range map[string]struct {
		steps []http.HandlerFunc
		calls []string
		fails bool
	}{
		"whole":                {[]http.HandlerFunc{say(200, "picture")}, []string{"GET /old "}, false},
		"broken off":           {[]http.HandlerFunc{breakOff("pict"), say(200, "picture")}, []string{"GET /old ", "GET /old "}, false},
		"damaged":              {[]http.HandlerFunc{say(200, "pictune"), say(200, "picture")}, []string{"GET /old ", "GET /old "}, false},
		"damaged for good":     {slices.Repeat([]http.HandlerFunc{say(200, "pictures")}, 6), slices.Repeat([]string{"GET /old "}, 6), true},
		"expired":              {[]http.HandlerFunc{say(403, ""), say(200, again), say(200, "picture")}, []string{"GET /old ", "GET /api/jobs/j1 Bearer " + apiKey, "GET /new "}, false},
		"expired, and removed": {[]http.HandlerFunc{say(403, ""), say(404, "")}, []string{"GET /old ", "GET /api/jobs/j1 Bearer " + apiKey}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, tt.steps...)
				data, err := c.Picture(t.Context(), "j1", image)
				if (err != nil) != tt.fails || (err == nil && string(data) != "picture") {
					t.Errorf("%q, %v", data, err)
				}
				if err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("the error has the picture's address: %v", err)
				}
				if diff := cmp.Diff(tt.calls, s.calls(func(r seen) string { return r.call + " " + r.auth })); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []client.Config{{URL: ""}, {URL: "ftp://x"}, {URL: "http://"}, {URL: "images.test"}, {URL: service, Key: "a b"}, {URL: service, Key: "a\nb"}} {
		if _, err := client.New(cfg); err == nil || (cfg.Key != "" && strings.Contains(err.Error(), cfg.Key)) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// What answers at the address may be no service of this kind. An id goes into texts
// for a terminal, and into commands that are proposed.
func TestIDsHaveNoCommandsForATerminal(t *testing.T) {
	for _, id := range []string{`j\u001b]0;x\u0007`, `j\u009b2J`, `a b`, `j\u202e1`, `-\n-`} {
		var j client.Job
		if err := json.Unmarshal(fmt.Appendf(nil, `{"id":"%s","status":"queued"}`, id), &j); err == nil {
			t.Errorf("%q is the id of a job", j.ID)
		}
	}
}

// A wait without an end is none that has passed.
func TestLongRetryAfterIsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, say(503, `{"detail":"not now"}`, "Retry-After", "9300000000"))
		_, err := c.Get(t.Context(), "j1")
		refusal, ok := errors.AsType[*client.Error](err)
		if !ok || refusal.RetryAfter < 24*time.Hour || len(s.seen) != 1 {
			t.Errorf("%v after %d requests", err, len(s.seen))
		}
	})
}
