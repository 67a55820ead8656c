package handlers_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// An event is one of a stream's, as a browser reads it. A comment is an event
// without fields.
type event struct{ name, id, data, retry string }

// readEvent reads up to an empty line.
func readEvent(t *testing.T, r *bufio.Reader) (e event, err error) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == "\n" {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "retry":
			e.retry = value
		case "": // a comment
		default:
			t.Errorf("a line that is no field: %q", line)
		}
	}
}

// follow opens a stream, which must begin as every one does.
func (b *bundle) follow(id, query string, headers ...string) (*http.Response, *bufio.Reader) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+"/api/jobs/"+id+"/events"+query, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+webKey)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewReader(resp.Body)
}

func TestEventsFollowAJob(t *testing.T) {
	b := setup(t)
	id := b.generate(`{"prompt":"a fox","metadata":{"a":"1\n2"}}`).job(t).ID
	resp, r := b.follow(id, "")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no",
	} {
		if got := resp.Header.Get(name); got != want || resp.StatusCode != http.StatusOK {
			t.Errorf("%d with %s %q, want %q", resp.StatusCode, name, got, want)
		}
	}
	first, _ := r.Peek(2048)
	if !bytes.HasPrefix(first, []byte("retry: 2000\n:")) || bytes.Contains(first, []byte("event")) {
		t.Errorf("begins with %q", first)
	}
	if e, err := readEvent(t, r); e != (event{retry: "2000"}) || err != nil {
		t.Errorf("begins with %+v, %v", e, err)
	}
	var got []string
	follow := func() {
		e, err := readEvent(t, r)
		var j snapshot.JobResource
		if err := json.Unmarshal([]byte(e.data), &j); err != nil {
			t.Fatalf("%v in %q", err, e.data)
		}
		if polled := b.do(http.MethodGet, "/api/jobs/"+id, ""); polled.body != e.data || err != nil || e.name != "job" || j.ID != id {
			t.Errorf("event %+v, %v; polled: %s", e, err, polled.body)
		}
		got = append(got, e.id+" "+j.Status)
	}
	follow()
	c := b.claim(job.Task{JobID: id, Dispatch: 1})
	follow()
	if _, err := b.record.Succeed(t.Context(), c, record.Success{}); err != nil {
		t.Fatal(err)
	}
	follow()
	if diff := cmp.Diff([]string{"1 queued", "2 processing", "3 succeeded"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

// A caller that connects again gets what it has not seen. One that has seen all
// of a job that has ended is told to stop.
func TestEventsGoOn(t *testing.T) {
	b := setup(t)
	id := b.generate(`{"prompt":"a fox"}`).job(t).ID
	ended := b.do(http.MethodPost, "/api/jobs/"+id+"/cancel", "").job(t)
	if ended.Version != 2 {
		t.Fatalf("version %d", ended.Version)
	}
	for name, tt := range map[string]struct {
		query  string
		header []string
		code   int
		events string // their ids
	}{
		"no version":        {code: http.StatusOK, events: "2"},
		"an older version":  {header: []string{"Last-Event-ID", "1"}, code: http.StatusOK, events: "2"},
		"the last version":  {header: []string{"Last-Event-ID", "2"}, code: http.StatusNoContent},
		"in the query":      {query: "?last_event_id=2", code: http.StatusNoContent},
		"the header counts": {query: "?last_event_id=2", header: []string{"Last-Event-ID", "1"}, code: http.StatusOK, events: "2"},
		"another server's":  {header: []string{"Last-Event-ID", "abc"}, code: http.StatusOK, events: "2"},
		"never was":         {header: []string{"Last-Event-ID", "99"}, code: http.StatusOK, events: "2"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, r := b.follow(strings.ToUpper(id), tt.query, tt.header...)
			var ids string
			for {
				e, err := readEvent(t, r)
				if err != nil {
					break
				}
				ids += e.id
			}
			if resp.StatusCode != tt.code || ids != tt.events {
				t.Errorf("%d with events %q, want %d with %q", resp.StatusCode, ids, tt.code, tt.events)
			}
		})
	}
	running := b.generate(`{"prompt":"a fox"}`).job(t).ID
	_, r := b.follow(running, "", "Last-Event-ID", "1")
	if e, err := readEvent(t, r); e.retry == "" || err != nil {
		t.Errorf("begins with %+v, %v", e, err)
	}
	b.do(http.MethodPost, "/api/jobs/"+running+"/cancel", "")
	if e, err := readEvent(t, r); e.id != "2" || err != nil {
		t.Errorf("after version 1 comes %+v, %v", e, err)
	}
}

func TestEventsOfNoJob(t *testing.T) {
	b := setup(t)
	id := b.generate(`{"prompt":"a fox"}`).job(t).ID
	b.do(http.MethodGet, "/api/jobs/"+id+"/events", "", "Authorization", "Bearer "+otherKey).problem(t, http.StatusNotFound)
	b.do(http.MethodGet, "/api/jobs/"+uuid.NewString()+"/events", "").problem(t, http.StatusNotFound)
	b.do(http.MethodGet, "/api/jobs/x/events", "").problem(t, http.StatusNotFound)
	b.do(http.MethodGet, "/api/jobs/"+id+"/events", "", "Authorization", "").problem(t, http.StatusUnauthorized)
	// HEAD opens no stream.
	if a := b.do(http.MethodHead, "/api/jobs/"+id+"/events", ""); a.code != http.StatusOK || a.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %v", a.code, a.header)
	}
}
