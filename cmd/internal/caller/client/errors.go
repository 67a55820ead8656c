package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Error is a request without an answer that could be used. Its texts hold no
// secret.
type Error struct {
	Call       string        // what was asked, such as GET /api/jobs/1
	Status     int           // of the answer; 0 if no whole one came
	Detail     string        // what is wrong, for people
	Fields     []Field       // what is wrong with each field of the request
	RetryAfter time.Duration // after which the request may be sent again; 0 if that is not known
	RequestID  string        // by which operators find the request in their log, if there is one

	cause error
}

// A Field is one thing that is wrong with a request.
type Field struct {
	Location string `json:"location"` // such as body.prompt
	Message  string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string {
	texts := []string{e.Call + ": " + e.Detail}
	if e.Status > 0 {
		texts[0] = fmt.Sprintf("%s: %d %s", e.Call, e.Status, e.Detail)
	}
	for _, f := range e.Fields {
		texts = append(texts, cmp.Or(f.Location, "request")+": "+f.Message)
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns why no whole answer came, if none did.
func (e *Error) Unwrap() error { return e.cause }

// transient has the statuses after which the same request may have another
// answer.
var transient = []int{408, 429, 500, 502, 503, 504}

// isTransient reports whether the same request may have another answer.
func isTransient(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status == 0 || slices.Contains(transient, e.Status))
}

// maxProblem is how much of a refusal is read, in bytes.
const maxProblem = 1 << 20

// refusal returns the error for an answer that is a refusal.
func (c *Client) refusal(what call, answer *http.Response) *Error {
	var problem struct {
		Detail string  `json:"detail"`
		Errors []Field `json:"errors"`
	}
	// An answer that is no problem document has its status to say.
	_ = json.NewDecoder(io.LimitReader(answer.Body, maxProblem)).Decode(&problem)
	detail := cmp.Or(problem.Detail, http.StatusText(answer.StatusCode))
	if answer.StatusCode < http.StatusBadRequest {
		detail = "a redirect; name the address that answers itself"
	}
	for i := range problem.Errors {
		problem.Errors[i].Message = c.redact(problem.Errors[i].Message)
	}
	return &Error{
		Call: what.name(), Status: answer.StatusCode, Detail: c.redact(detail), Fields: problem.Errors,
		RetryAfter: retryAfter(answer.Header),
		RequestID:  cmp.Or(answer.Header.Get("X-Request-Id"), answer.Header.Get("X-Cloud-Trace-Context")),
	}
}

// broken returns err if it is this package's, and else the error for an answer
// that did not come whole.
func (c *Client) broken(what call, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Call: what.name(), Detail: c.redact(fmt.Sprintf("no whole answer came: %v", reason(err))), cause: err}
}

// redact returns text without the API key.
func (c *Client) redact(text string) string {
	if c.key == "" {
		return text
	}
	return strings.ReplaceAll(text, c.key, "***")
}

// longestWait is what a longer Retry-After counts as, in seconds: 34 years.
const longestWait = 1 << 30

// retryAfter returns the time of a Retry-After header, which has seconds or a
// date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(0, seconds), longestWait)) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	// By the clock that wrote the date, if it tells its time.
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(0, at.Sub(now))
}
