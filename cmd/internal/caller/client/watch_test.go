package client_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
)

// event returns a server-sent event of a job.
func event(version int, status string) string {
	return fmt.Sprintf("event: job\nid: %d\ndata: {\"id\":\"j1\",\"status\":%q,\"version\":%d}\n\n", version, status, version)
}

// stream answers with events, and ends.
func stream(events ...string) http.HandlerFunc {
	text := "retry: 2000\n: padding\n\n"
	for _, e := range events {
		text += e
	}
	return say(200, text, "Content-Type", "text/event-stream")
}

// follow watches a job, and returns the versions that it saw.
func follow(t *testing.T, c *client.Client, from int64) (versions []int64, err error) {
	t.Helper()
	for j, err := range c.Watch(t.Context(), "j1", from) {
		if err != nil {
			return versions, err
		}
		versions = append(versions, j.Version)
	}
	return versions, nil
}

// A watch that loses its stream goes on behind what it has.
func TestWatchResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, stream(event(2, "queued")), breakOff(event(2, "queued")+event(4, "processing"), "Content-Type", "text/event-stream"),
			say(503, "", "Retry-After", "9"), stream(event(5, "succeeded")))
		begin := time.Now()
		versions, err := follow(t, c, 1)
		if diff := cmp.Diff([]int64{2, 4, 5}, versions); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if diff := cmp.Diff([]string{"1", "2", "4", "4"}, s.calls(func(r seen) string { return r.lastID })); diff != "" {
			t.Error(diff)
		}
		if time.Since(begin) < 9*time.Second {
			t.Errorf("it took %v, and Retry-After said 9 s", time.Since(begin))
		}
	})
}

// Where events do not get through, the job is polled.
func TestWatchPolls(t *testing.T) {
	silent := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		<-r.Context().Done()
	}
	for name, first := range map[string][]http.HandlerFunc{
		"another kind of answer":    {say(200, "<html>", "Content-Type", "text/html")},
		"an answer without events":  {stream(), stream(), stream()},
		"a stream that is silent":   {silent},
		"a proxy that knows no GET": {say(405, "")},
		"an end":                    {say(204, "")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				steps := slices.Concat(first, []http.HandlerFunc{say(200, `{"id":"j1","status":"processing","version":2}`, "ETag", `W/"2"`), say(304, "", "ETag", `W/"2"`),
					say(502, "oops"), say(200, `{"id":"j1","status":"succeeded","version":5}`)})
				c, s := play(t, steps...)
				versions, err := follow(t, c, 1)
				if diff := cmp.Diff([]int64{2, 5}, versions); diff != "" || err != nil {
					t.Error(diff, err)
				}
				polls := s.calls(func(r seen) string { return r.prefer + " " + r.etag })[len(first):]
				if diff := cmp.Diff([]string{"wait=25 ", `wait=25 W/"2"`, `wait=25 W/"2"`, `wait=25 W/"2"`}, polls); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestWatchEndsWhereItIsOfNoUse(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 410, 422} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := play(t, say(status, `{"detail":"no"}`))
			if versions, err := follow(t, c, 1); err == nil || len(versions) > 0 {
				t.Errorf("%d: %v, %v", status, versions, err)
			}
		})
	}
}

// A service that is away for minutes is waited for; one that never comes back is not.
func TestWatchGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := make([]http.HandlerFunc, 200)
		for i := range away {
			away[i] = breakOff("")
		}
		c, _ := play(t, away...)
		begin := time.Now()
		_, err := follow(t, c, 1)
		if took := time.Since(begin); err == nil || took < 2*time.Minute || took > time.Hour {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// Whoever wants no more closes the stream.
func TestWatchStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		c, _ := play(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, event(2, "queued"))
			<-r.Context().Done()
			close(gone)
		})
		for range c.Watch(t.Context(), "j1", 1) {
			break
		}
		<-gone
	})
}
