package openapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing/iotest"

	"github.com/ai-worker/ai-worker/handlers"
)

// Paths of the API, as its document has them.
const (
	generatePath = "/api/generate-images"
	jobPath      = "/api/jobs/{id}"
	cancelPath   = jobPath + "/cancel"
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

// key is what a document knows an exchange's answer by.
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
	w := httptest.NewRecorder()
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

// exchanges makes every operation answer with every status that it has.
func (s *service) exchanges() []exchange {
	s.Helper()
	ids := s.jobs()
	var all []exchange
	for status, id := range ids {
		all = append(all, s.sendTo(s.routes, status, http.MethodGet, jobPath, id, strings.NewReader("")))
	}
	all = append(all, s.sendTo(s.routes, "unchanged", http.MethodGet, jobPath, ids["queued"], strings.NewReader(""),
		"If-None-Match", "*", "Prefer", "wait=0"))
	all = append(all, s.sendTo(s.routes, "cancel", http.MethodPost, cancelPath, ids["queued"], strings.NewReader("")))
	all = append(all, s.fill())
	return slices.Concat(all, s.generated(), s.refused(ids["succeeded"]))
}

// generated are requests for pictures that are accepted, or refused for what is in
// them.
func (s *service) generated() []exchange {
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

// refused are requests of every operation that are refused for another reason than
// what is in them.
func (s *service) refused(id string) []exchange {
	panics := newBrokenRoutes(func() error { panic(errors.New("a bug")) })
	unreachable := newBrokenRoutes(away)
	var all []exchange
	for _, op := range []struct{ method, path, body string }{
		{http.MethodPost, generatePath, `{"prompt":"a"}`},
		{http.MethodGet, jobPath, ""},
		{http.MethodPost, cancelPath, ""},
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
