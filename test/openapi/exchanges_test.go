package openapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing/iotest"
	"time"

	"github.com/ai-worker/ai-worker/handlers"
)

// Paths of the API, as its document has them.
const (
	generatePath = "/api/generate-images"
	jobPath      = "/api/jobs/{id}"
	cancelPath   = jobPath + "/cancel"
	retryPath    = jobPath + "/retry"
	eventsPath   = jobPath + "/events"
	jobsPath     = "/api/jobs"
	uploadsPath  = "/api/uploads"
)

// An exchange is a request of one operation, and its answer.
type exchange struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"` // as the document has it
	Path    string            `json:"path"`   // as the document has it
	Request string            `json:"request"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"` // by name in lower case
	Body    string            `json:"body"`
}

// key returns what a document knows an exchange's answer by.
func (e exchange) key() string { return fmt.Sprintf("%s %s %d", e.Method, e.Path, e.Status) }

// id returns the id of the job in the answer.
func (e exchange) id(s *service) string {
	s.Helper()
	var j struct{ ID string }
	if err := json.Unmarshal([]byte(e.Body), &j); err != nil || j.ID == "" {
		s.Fatalf("%s: %d %s is no job", e.Name, e.Status, e.Body)
	}
	return j.ID
}

// send sends a request as the tenant web, unless headers say otherwise.
func (s *service) send(name, method, path, body string, headers ...string) exchange {
	return s.sendTo(s.routes, name, method, path, "", strings.NewReader(body), headers...)
}

// askWith sends a request without a body for a job, with a query.
func (s *service) askWith(name, method, path, id, query string, headers ...string) exchange {
	s.Helper()
	e := s.sendTo(s.routes, name, method, path+"?"+query, id, strings.NewReader(""), headers...)
	e.Path = path
	return e
}

// sendTo sends a request for a job to routes.
func (s *service) sendTo(routes http.Handler, name, method, path, id string, body io.Reader, headers ...string) exchange {
	s.Helper()
	var sent strings.Builder
	r := httptest.NewRequestWithContext(s.Context(), method, strings.ReplaceAll(path, "{id}", id), io.TeeReader(body, &sent))
	if sized, ok := body.(*strings.Reader); ok {
		r.ContentLength = sized.Size()
	}
	r.Header.Set("Authorization", "Bearer "+keys()["web"])
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := connection{httptest.NewRecorder()}
	routes.ServeHTTP(w, r)
	e := exchange{
		Name: name, Method: strings.ToLower(method), Path: path, Request: sent.String(),
		Status: w.Code, Headers: make(map[string]string), Body: w.Body.String(),
	}
	for header := range w.Header() {
		e.Headers[strings.ToLower(header)] = w.Header().Get(header)
	}
	return e
}

// A connection is an answer whose writes may have a deadline, as those of a stream
// must.
type connection struct{ *httptest.ResponseRecorder }

// SetWriteDeadline implements what http.ResponseController looks for.
func (connection) SetWriteDeadline(time.Time) error { return nil }

// exchanges makes every operation answer with every status that it has.
func (s *service) exchanges() []exchange {
	s.Helper()
	ids := s.jobs()
	var all []exchange
	for status, id := range ids {
		all = append(all, s.ask(status, http.MethodGet, jobPath, id))
	}
	return slices.Concat(all,
		s.readJobs(ids), s.followJobs(ids), s.endJobs(ids), s.askForUploads(), s.askForWebhooks(), s.askForQuotes(), s.fill(),
		s.tooMany(), s.askForPictures(), s.askInVain(ids["partial"]))
}

// ask sends a request without a body for a job.
func (s *service) ask(name, method, path, id string, headers ...string) exchange {
	s.Helper()
	return s.sendTo(s.routes, name, method, path, id, strings.NewReader(""), headers...)
}

// readJobs sends requests that read jobs, and change none.
func (s *service) readJobs(ids map[string]string) []exchange {
	list := func(name, query string) exchange { return s.askWith(name, http.MethodGet, jobsPath, "", query) }
	first := list("the first page", "limit=1")
	var page struct {
		NextCursor string `json:"next_cursor"`
	}
	if err := json.Unmarshal([]byte(first.Body), &page); err != nil || page.NextCursor == "" {
		s.Fatalf("the first page: %d %s", first.Status, first.Body)
	}
	return []exchange{
		s.ask("unchanged", http.MethodGet, jobPath, ids["queued"], "If-None-Match", "*", "Prefer", "wait=0"),
		s.askWith("a token in the address", http.MethodGet, jobPath, ids["queued"],
			"token="+s.token(ids["queued"], time.Now().Add(time.Hour)), "Authorization", ""),
		s.askWith("no token", http.MethodGet, jobPath, ids["queued"], "token=a.b.c", "Authorization", ""),
		first,
		list("the next page", "cursor="+page.NextCursor),
		list("filters", "status=queued,failed&created_after=2026-01-01T00:00:00Z&q=FOX&metadata.user=u1"),
		list("no jobs", "q=nothing"),
		list("several faults", "limit=0&status=lost&n=1"),
	}
}

// followJobs reads streams of events to their end.
func (s *service) followJobs(ids map[string]string) []exchange {
	id := ids["succeeded"]
	all := s.ask("events", http.MethodGet, eventsPath, id)
	version := regexp.MustCompile(`(?m)^id: (\d+)$`).FindStringSubmatch(all.Body)
	if version == nil {
		s.Fatalf("a stream without an event: %d %s", all.Status, all.Body)
	}
	return []exchange{
		all,
		s.ask("no more events", http.MethodGet, eventsPath, id, "Last-Event-ID", version[1]),
		s.askWith("events by a token that has expired", http.MethodGet, eventsPath, id, "token="+s.token(id, time.Now().Add(-time.Minute)), "Authorization", ""),
	}
}

// endJobs sends requests that end jobs, and others for jobs that have ended.
func (s *service) endJobs(ids map[string]string) []exchange {
	return []exchange{
		s.ask("a retry", http.MethodPost, retryPath, ids["failed"], "Idempotency-Key", "retry"),
		s.ask("of another job under its key", http.MethodPost, retryPath, ids["partial"], "Idempotency-Key", "retry"),
		s.ask("a long key", http.MethodPost, retryPath, ids["partial"], "Idempotency-Key", strings.Repeat("k", 256)),
		s.ask("nothing to retry", http.MethodPost, retryPath, ids["succeeded"]),
		s.ask("too early", http.MethodPost, retryPath, ids["queued"]),
		s.ask("too early", http.MethodDelete, jobPath, ids["queued"]),
		s.ask("cancel", http.MethodPost, cancelPath, ids["queued"]),
		s.ask("delete", http.MethodDelete, jobPath, ids["queued"]),
	}
}

// askForUploads sends requests to upload pictures.
func (s *service) askForUploads() []exchange {
	upload := func(name, body string, headers ...string) exchange {
		return s.send(name, http.MethodPost, uploadsPath, body, headers...)
	}
	return []exchange{
		upload("an upload", `{"content_type":"image/webp","bytes":20971520}`),
		upload("no picture", `{"content_type":"image/gif","bytes":0,"n":1}`),
		upload("no JSON", `{`),
		upload("no body", ``),
		upload("another type", `{}`, "Content-Type", "text/plain"),
		upload("a large body", strings.Repeat(" ", 5<<10)),
		s.sendTo(s.routes, "a slow body", http.MethodPost, uploadsPath, "", iotest.ErrReader(os.ErrDeadlineExceeded)),
	}
}

// askForPictures sends requests for pictures that are accepted, or refused for what
// is in them.
func (s *service) askForPictures() []exchange {
	const small, once = `{"prompt":"a fox","count":1}`, "Idempotency-Key"
	generate := func(name, body string, headers ...string) exchange {
		return s.send(name, http.MethodPost, generatePath, body, headers...)
	}
	first := generate("first", small, once, "k", "Prefer", "respond-async")
	s.sendTo(s.routes, "cancel", http.MethodPost, cancelPath, first.id(s), strings.NewReader(""))
	cut := func(name string, err error) exchange {
		return s.sendTo(s.routes, name, http.MethodPost, generatePath, "", iotest.ErrReader(err))
	}
	return []exchange{
		first,
		generate("ended within the wait", small, once, "k", "Prefer", "wait=1"),
		generate("another request under a key", `{"prompt":"b"}`, once, "k"),
		generate("several faults", `{"prompt":"","count":17,"n":1,"metadata":[]}`),
		generate("a faulty picture", `{"prompt":"a","input_images":["http://example.com"],"model":"durian"}`),
		generate("no JSON", `{`),
		generate("no body", ``),
		generate("another type", small, "Content-Type", "text/plain"),
		generate("a large body", strings.Repeat(" ", handlers.MaxBody+1)),
		cut("a body that breaks off", io.ErrUnexpectedEOF),
		cut("a slow body", os.ErrDeadlineExceeded),
	}
}

// askInVain sends requests of every operation that are refused for another reason
// than what is in them.
func (s *service) askInVain(id string) []exchange {
	panics := newBrokenRoutes(func() error { panic(errors.New("a bug")) })
	unreachable := newBrokenRoutes(away)
	var all []exchange
	for _, op := range []struct{ method, path, body string }{
		{http.MethodPost, generatePath, `{"prompt":"a"}`},
		{http.MethodGet, jobsPath, ""},
		{http.MethodPost, uploadsPath, `{"content_type":"image/png","bytes":1}`},
		{http.MethodGet, jobPath, ""},
		{http.MethodDelete, jobPath, ""},
		{http.MethodPost, cancelPath, ""},
		{http.MethodPost, retryPath, ""},
		{http.MethodGet, eventsPath, ""},
		{http.MethodGet, webhooksPath, ""},
		{http.MethodPost, replayPath, ""},
	} {
		send := func(routes http.Handler, name, id, body string, headers ...string) {
			all = append(all, s.sendTo(routes, name, op.method, op.path, id, strings.NewReader(body), headers...))
		}
		send(s.routes, "no key", id, op.body, "Authorization", "")
		send(panics, "a bug", id, op.body)
		send(unreachable, "no record", id, op.body)
		if strings.Contains(op.path, "{id}") {
			send(s.routes, "no such job", "nonsense", op.body)
		}
		if op.method == http.MethodPost {
			send(s.routes, "a large body", id, strings.Repeat(" ", handlers.MaxBody+1))
		}
	}
	return all
}
