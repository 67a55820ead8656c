package handlers

import (
	"cmp"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// An answer describes one status that an operation answers with. A refusal needs
// no more than its status: see refusal.
type answer struct {
	says    string       // when it is given
	body    reflect.Type // nil if it has none
	headers []string     // that it always has; see header
	// contentType is the body's type, JSON if empty.
	contentType string
}

// answerOf returns the description of an answer with a T as JSON.
func answerOf[T any](says string, headers ...string) answer {
	return answer{says: says, body: reflect.TypeFor[T](), headers: headers}
}

// answersWith returns the metadata of an operation that answers so, by status. Each
// operation of the API has it: huma knows of one status, and says of each header
// that it may be there. What follows from what the operation takes is added by
// itself: see describe.
func answersWith(byStatus map[int]answer) map[string]any {
	return map[string]any{answersKey: byStatus}
}

// answersKey is the key of an operation's answers in its metadata.
const answersKey = "answers"

// jsonType is the type of all bodies that callers send, and of all answers but
// problems.
const jsonType = "application/json"

// describe writes what an operation answers, in place of what huma makes of its
// types: its own answers, and those that follow from what it takes. It runs when
// the operation is added.
func describe(doc *huma.OpenAPI, op *huma.Operation) {
	if body := op.RequestBody; body != nil && body.Content[jsonType] != nil {
		body.Content = map[string]*huma.MediaType{jsonType: body.Content[jsonType]} // huma also offers RawBody's type
	}
	own, _ := op.Metadata[answersKey].(map[int]answer)
	op.Responses = make(map[string]*huma.Response)
	for status, a := range own {
		op.Responses[strconv.Itoa(status)] = a.response(doc, op, status)
	}
	if takes(op, "If-None-Match") {
		unchanged := answer{says: "The caller has it already.", headers: own[http.StatusOK].headers}
		op.Responses[strconv.Itoa(http.StatusNotModified)] = unchanged.response(doc, op, http.StatusNotModified)
	}
	for _, status := range refusals(op) {
		op.Responses[strconv.Itoa(status)] = answer{}.response(doc, op, status)
	}
	if takesTokens(op) {
		for status, r := range op.Responses {
			if status != strconv.Itoa(http.StatusUnauthorized) {
				r.Headers["Referrer-Policy"] = header("Referrer-Policy")
			}
		}
	}
}

// response returns the description of an answer with a status.
func (a answer) response(doc *huma.OpenAPI, op *huma.Operation, status int) *huma.Response {
	if status >= http.StatusBadRequest {
		return refusal(doc, status)
	}
	r := &huma.Response{Description: a.says, Headers: make(map[string]*huma.Header)}
	for _, name := range a.headers {
		r.Headers[name] = header(name)
	}
	if takes(op, "Prefer") {
		r.Headers["Preference-Applied"] = header("Preference-Applied")
	}
	if a.body != nil {
		r.Content = map[string]*huma.MediaType{cmp.Or(a.contentType, jsonType): {Schema: schemaOf(doc, a.body)}}
	}
	return r
}

// takes reports whether an operation takes the header.
func takes(op *huma.Operation, name string) bool {
	for _, p := range op.Parameters {
		if p.In == "header" && p.Name == name {
			return true
		}
	}
	return false
}

// refusals returns the statuses by which an operation refuses a request, as they
// follow from what it takes.
func refusals(op *huma.Operation) []int {
	statuses := []int{http.StatusUnauthorized, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if op.Method == http.MethodPost { // the server looks at the size of each
		statuses = append(statuses, http.StatusRequestEntityTooLarge)
	}
	if op.RequestBody != nil {
		statuses = append(statuses, http.StatusBadRequest, http.StatusRequestTimeout,
			http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	}
	for _, p := range op.Parameters {
		switch {
		case p.In == "path":
			statuses = append(statuses, http.StatusNotFound)
		case bounded(p.Schema):
			statuses = append(statuses, http.StatusUnprocessableEntity)
		}
	}
	return statuses
}

// bounded reports whether a parameter has values that are refused.
func bounded(s *huma.Schema) bool {
	return s.Type != huma.TypeString || s.Format != "" || s.Pattern != "" || len(s.Enum) > 0 ||
		s.MinLength != nil || s.MaxLength != nil
}

// refusal returns the description of a refusal.
func refusal(doc *huma.OpenAPI, status int) *huma.Response {
	says := map[int]string{
		http.StatusBadRequest:            "The body is missing, is no JSON, or broke off.",
		http.StatusUnauthorized:          "There is no API key, or none of this service. code says what is wrong with a browser token.",
		http.StatusPaymentRequired:       "A job of this API key may not cost as much.",
		http.StatusNotFound:              "There is no such thing, or it is another tenant's.",
		http.StatusConflict:              "The job's state does not allow that.",
		http.StatusRequestTimeout:        "The body did not come in time.",
		http.StatusRequestEntityTooLarge: "The body is too large.",
		http.StatusUnsupportedMediaType:  "The body is not JSON by its Content-Type.",
		http.StatusUnprocessableEntity:   "The request asks for what cannot be; errors lists each fault.",
		http.StatusTooManyRequests:       "The caller has reached a limit, which passes by itself.",
		http.StatusInternalServerError:   "The service failed; that is its own fault.",
		http.StatusServiceUnavailable:    "The service cannot do this now.",
	}
	if says[status] == "" {
		says[status] = http.StatusText(status)
	}
	r := &huma.Response{
		Description: says[status], Headers: make(map[string]*huma.Header),
		Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schemaOf(doc, reflect.TypeFor[problem]())}},
	}
	switch status {
	case http.StatusUnauthorized:
		r.Headers["WWW-Authenticate"] = header("WWW-Authenticate")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r.Headers["Retry-After"] = header("Retry-After")
	}
	return r
}

// header returns the description of an answer's header. It panics over one that
// it does not know, when the process starts.
func header(name string) *huma.Header {
	text := &huma.Schema{Type: huma.TypeString}
	second := 1.0
	h, known := map[string]huma.Header{
		"Cache-Control":      {Required: true, Schema: text, Description: "Whether the answer may be kept."},
		"ETag":               {Required: true, Schema: text, Description: "The version, for If-None-Match."},
		"X-Accel-Buffering":  {Required: true, Schema: text, Description: "Tells nginx to pass each event on at once."},
		"Referrer-Policy":    {Schema: text, Description: "Keeps the address to itself, if there is a token in it; absent otherwise."},
		"Location":           {Required: true, Schema: text, Description: "The path of what was made."},
		"Preference-Applied": {Schema: text, Description: "The part of Prefer that was followed; absent if none was."},
		"WWW-Authenticate":   {Required: true, Schema: text, Description: "How to send an API key."},
		"Retry-After": {
			Required: true, Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &second},
			Description: "Seconds after which the request may be sent again.",
		},
	}[name]
	if !known {
		panic("handlers: describe the header " + name)
	}
	return &h
}
