package handlers_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"
)

// fuzzer makes requests that no client would make. It hands them to the routes
// themselves, since net/http refuses some of them on either side.
type fuzzer struct {
	*rand.Rand
	png string   // a data URI
	ids []string // of the latest jobs, some of which have ended or are removed
}

// mostIDs bounds the jobs that the fuzzer asks for, so that it meets each often.
const mostIDs = 4

// A caller is an answer whose reader hangs up once it has anything of a stream, so
// that no stream lasts. It can have a deadline for writing, as a stream must.
type caller struct {
	*httptest.ResponseRecorder
	hangUp context.CancelFunc // ends the request's context
}

// Flush hangs up.
func (c caller) Flush() {
	c.ResponseRecorder.Flush()
	c.hangUp()
}

// SetWriteDeadline implements what http.ResponseController looks for.
func (caller) SetWriteDeadline(time.Time) error { return nil }

// TestAnyRequestIsAnswered holds the service to this: whatever comes, no answer
// is 5xx, and each refusal is a problem that says what is wrong.
func TestAnyRequestIsAnswered(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed) // put it above to repeat the run
	b := setup(t)
	f := &fuzzer{
		Rand: rand.New(rand.NewPCG(seed, 0)),
		png:  "data:image/png;base64," + base64.StdEncoding.EncodeToString(newPNG(t)),
		ids:  []string{b.generate(`{"prompt":"a"}`).job(t).ID},
	}
	const requests, mostKept = 4000, 50 << 20
	before, accepted, done := heap(), 0, make(map[string]int)
	for range requests {
		r := f.request(t)
		w := serve(b.routes, r)
		if fault := misanswered(w); fault != "" {
			t.Errorf("%s %q with %.500q: %s", r.Method, r.URL.EscapedPath(), r.Header, fault)
		}
		if w.Code == http.StatusAccepted {
			accepted++
			f.note(t, w.Body.Bytes())
		}
		if w.Code < http.StatusMultipleChoices {
			done[r.Method+" "+uuids.ReplaceAllString(r.URL.Path, "{id}")]++
		}
	}
	if accepted == 0 || accepted > requests/2 {
		t.Errorf("%d of %d requests were accepted: the fuzzer tries too little", accepted, requests)
	}
	for _, op := range operations("{id}") {
		if done[op.method+" "+op.path] == 0 {
			t.Errorf("no %s %s was good: the fuzzer tries too little", op.method, op.path)
		}
	}
	if after := heap(); after > before+mostKept {
		t.Errorf("%d MiB are kept", (after-before)>>20)
	}
}

var uuids = regexp.MustCompile(`[0-9A-Fa-f-]{36}`)

// serve answers a request. A stream ends once it has begun.
func serve(routes http.Handler, r *http.Request) *httptest.ResponseRecorder {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	w := caller{httptest.NewRecorder(), cancel}
	routes.ServeHTTP(w, r.WithContext(ctx))
	return w.ResponseRecorder
}

// note remembers the job of an answer.
func (f *fuzzer) note(t *testing.T, body []byte) {
	t.Helper()
	var j struct{ ID string }
	decode(t, string(body), &j)
	f.ids = append(f.ids, j.ID)
	f.ids = f.ids[max(0, len(f.ids)-mostIDs):]
}

// An operation is one of the API's.
type operation struct{ method, path string }

// operations returns the operations of the API for a job, but for the one that
// asks for pictures.
func operations(id string) []operation {
	return []operation{
		{http.MethodGet, "/api/jobs"},
		{http.MethodPost, "/api/uploads"},
		{http.MethodGet, "/api/jobs/" + id},
		{http.MethodDelete, "/api/jobs/" + id},
		{http.MethodPost, "/api/jobs/" + id + "/cancel"},
		{http.MethodPost, "/api/jobs/" + id + "/retry"},
		{http.MethodGet, "/api/jobs/" + id + "/events"},
		{http.MethodGet, "/api/jobs/" + id + "/webhooks"},
	}
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// misanswered returns what is wrong with an answer, or "".
func misanswered(w *httptest.ResponseRecorder) string {
	if w.Code < http.StatusBadRequest {
		return ""
	}
	var p problem
	err := json.Unmarshal(w.Body.Bytes(), &p)
	switch got := w.Header().Get("Content-Type"); {
	case w.Code >= http.StatusInternalServerError:
		return fmt.Sprintf("answered %d %.300s", w.Code, w.Body)
	case got != "application/problem+json":
		return fmt.Sprintf("answered %d with content type %q", w.Code, got)
	case err != nil || p.Status != w.Code || p.Detail == "" || !utf8.Valid(w.Body.Bytes()):
		return fmt.Sprintf("answered %d with a bad problem %.300s", w.Code, w.Body)
	case w.Body.Len() > 32<<10:
		return fmt.Sprintf("answered %d with %d bytes", w.Code, w.Body.Len())
	}
	return ""
}

// pick returns one of the choices.
func pick[T any](f *fuzzer, choices ...T) T { return choices[f.IntN(len(choices))] }

// request returns a request. A third of them ask for pictures, another third for
// what else there is, and most have a valid key, since others do not get far.
func (f *fuzzer) request(t *testing.T) *http.Request {
	t.Helper()
	method, path, text := http.MethodPost, "/api/generate-images", f.body()
	switch f.IntN(3) {
	case 0:
		method = pick(f, "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "X")
		path = f.path()
	case 1:
		op := pick(f, operations(f.id())...)
		method, path = op.method, op.path
	}
	if strings.Contains(path, "upload") && f.IntN(4) > 0 {
		text = f.upload()
	}
	var body io.Reader = strings.NewReader(text)
	if f.IntN(30) == 0 { // the connection ends
		body = io.MultiReader(body, iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
	r.Method, r.URL = method, &url.URL{Path: path, RawQuery: f.query()}
	if f.IntN(4) == 0 {
		r.URL.RawPath = r.URL.EscapedPath()
	}
	r.Header.Set("Authorization", "Bearer "+webKey)
	for range f.IntN(4) {
		name, value := f.header()
		r.Header.Set(name, value)
	}
	return r
}

// id returns the id of a job, or seldom something else.
func (f *fuzzer) id() string {
	id := pick(f, f.ids...)
	if f.IntN(3) > 0 {
		return id
	}
	return pick(f, strings.ToUpper(id), "{"+id+"}", "nonsense", "", "..", f.text())
}

func (f *fuzzer) path() string {
	id := f.id()
	return pick(f, "/api/jobs", "/api/jobs/"+id, "/api/jobs/"+id+"/cancel", "/api/jobs/"+id+"/cancel/",
		"/api/jobs/"+id+"/webhooks/msg_"+f.text()+"/replay", "/api/jobs/"+id+"/retry",
		"/api/jobs/"+id+"/events", "/api/jobs/"+id+"/events/", "/api/uploads", "/api/uploads/"+id, "/api/generate-images/",
		"/API/generate-images", "/api//jobs", "/health", "/health/lanes", "/openapi.json", "/docs", "/docs/style.css", "/docs/"+id,
		"/tasks/generate", "/tasks/sweep", "/", "//", "/"+f.text())
}

// upload returns a request to upload a picture that has something wrong with it,
// or nothing.
func (f *fuzzer) upload() string {
	if f.IntN(3) == 0 {
		return `{"content_type":"image/png","bytes":1}`
	}
	size := pick(f, "1", "20971520", "20971521", "0", "-1", "1.5", "1e3", f.value(2))
	kind := pick(f, `"image/png"`, `"image/jpeg"`, `"image/webp"`, `"image/gif"`, `"IMAGE/PNG"`, f.quoted(), f.value(1))
	members := []string{`"content_type":` + kind, `"bytes":` + size, pick(f, `"bytes":2`, `"Bytes":1`, f.quoted()+":"+f.value(2))}
	text := "{" + strings.Join(members[:pick(f, 1, 2, 2, 2, 3)], ",") + "}"
	if f.IntN(8) == 0 {
		text = text[:f.IntN(len(text))]
	}
	return text
}

// query returns query parameters, mostly none.
func (f *fuzzer) query() string {
	if f.IntN(2) == 0 {
		return ""
	}
	var parts []string
	for range f.IntN(3) {
		name := pick(f, "limit", "LIMIT", "cursor", "status", "created_after", "q", "last_event_id", "token", "metadata.user", "metadata.", "metadata", f.text())
		value := pick(f, "1", "100", "-1", "queued", "queued,failed,x", "2026-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "OTk5LmE", "%", "%ff",
			base64.RawURLEncoding.EncodeToString([]byte("-9223372036854775808."+f.id())), f.text())
		if f.IntN(8) > 0 {
			name, value = url.QueryEscape(name), url.QueryEscape(value)
		}
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, pick(f, "&", ";", "&&"))
}

// text returns a short text, which may be no text at all.
func (f *fuzzer) text() string {
	raw := make([]byte, f.IntN(12))
	for i := range raw {
		raw[i] = byte(f.IntN(256))
	}
	return pick(f, "a", "", " ", "\x00", "é海😀", "\xff", "\xed\xa0\x80", "\u202e", "\u0085", "<script>", "%27;--", "null", string(raw))
}

func (f *fuzzer) header() (name, value string) {
	number := pick(f, "0", "1e9", "-1", "10000000000", "99999999999999999999", "NaN", f.text())
	name = pick(f, "Accept", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer", "Authorization", "Traceparent",
		"Content-Encoding", "Accept-Encoding", "Content-Length", "Transfer-Encoding", "X-HTTP-Method-Override", "Cookie")
	switch name {
	case "Accept":
		return name, pick(f, "text/html; , */*", ";", "json", "application/json;q=0", "*/*", f.text()+";"+f.text()+","+f.text())
	case "Content-Type":
		return name, pick(f, "application/json", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded",
			"multipart/form-data; boundary=a", "a+json", ";+", "application/json;+", "application/cbor", f.text())
	case "Prefer": // a wait would last
		return name, pick(f, "wait=0", "wait=-"+number, "wait=x"+number, "respond-async", "wait = 0;", ",;=,", "wait=\"0\"")
	case "Authorization":
		return name, pick(f, "", "Bearer", "Bearer "+otherKey, "Basic "+webKey, "Bearer "+f.text(), "Bearer e30.e30."+f.text())
	case "Last-Event-ID":
		return name, pick(f, "1", "2", number)
	case "Traceparent":
		return name, pick(f, "00-00000000000000000000000000000000-0000000000000000-01", f.text(), strings.Repeat("0", 1<<10))
	case "Idempotency-Key":
		return name, pick(f, "k", strings.Repeat("k", 256), f.text()+number)
	}
	return name, pick(f, f.text(), number, strings.Repeat("x", 1<<12))
}

// body returns a request for pictures that has something wrong with it, or
// nothing.
func (f *fuzzer) body() string {
	switch f.IntN(12) {
	case 0:
		return f.text()
	case 1:
		return f.value(4)
	case 2: // cut off
		whole := f.object(3)
		return whole[:f.IntN(len(whole))]
	case 3:
		n := pick(f, 10, 33, 1000, 9999, 10001, 100_000)
		return `{"prompt":"a","metadata":` + strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) + "}"
	case 4:
		return `{"prompt":"a","` + pick(f, "input_images", "metadata", "n") + `":[` + strings.Repeat("1,", pick(f, 14, 5000, 500_000)) + "1]}"
	case 5:
		whole := []byte(f.object(3))
		whole[f.IntN(len(whole))] = byte(f.IntN(256))
		return string(whole)
	}
	return f.object(f.IntN(6))
}

// object returns a request with a prompt and some more fields, which may be
// named, typed or sized wrongly.
func (f *fuzzer) object(fields int) string {
	members := []string{`"prompt":"a fox"`}
	for range fields {
		name := pick(f, "prompt", "model", "count", "aspect_ratio", "image_size", "input_images", "seed", "metadata", "priority", "expires_in",
			"webhook", "webhook_events", "max_cost_usd", "dry_run")
		value := f.value(3)
		if f.IntN(3) > 0 {
			value = f.good(name)
		}
		switch f.IntN(12) {
		case 0:
			name = strings.ToUpper(name)
		case 1:
			name = strings.Replace(name, "s", "\u017f", 1)
		case 2:
			name = pick(f, f.quoted(), `"`+strings.Replace(name, "o", `\u006f`, 1)+`"`)
			members = append(members, name+":"+value)
			continue
		}
		members = append(members, `"`+name+`":`+value)
	}
	f.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

// good returns a value that the field may have.
func (f *fuzzer) good(name string) string {
	switch name {
	case "model":
		return pick(f, `"banana"`, `"cherry"`)
	case "count":
		return strconv.Itoa(1 + f.IntN(4))
	case "image_size":
		return `"1K"`
	case "aspect_ratio":
		return `"1:1"`
	case "input_images":
		return pick(f, "[]", `["https://example.com/a.png"]`, `["`+f.png+`"]`, `["`+f.id()+`"]`)
	case "seed":
		return pick(f, "7", "-2147483648", "2147483647")
	case "metadata":
		return pick(f, "{}", `{"a":{"b":[1,2]}}`, `{"a":1,"a":"\u0000"}`)
	case "priority":
		return pick(f, `"low"`, `"normal"`)
	case "expires_in":
		return pick(f, "60", "604800")
	case "webhook":
		return `"https://example.com/hooks"`
	case "webhook_events":
		return pick(f, `["job.failed"]`, `["job.started","job.started"]`)
	case "max_cost_usd":
		return pick(f, "5", "0.034")
	case "dry_run":
		return pick(f, "true", "false")
	}
	return `"a fox"`
}

// value returns any JSON value, some of which are none.
func (f *fuzzer) value(depth int) string {
	if depth > 0 && f.IntN(3) == 0 {
		return pick(f, "["+f.value(depth-1)+","+f.value(depth-1)+"]", "{"+f.quoted()+":"+f.value(depth-1)+"}", "[]", "{}")
	}
	return pick(f, "null", "true", "0", "-1", "17", "1e8", "1e999", "2.0", "-0", "01", "9223372036854775808", strings.Repeat("9", 400),
		`"a"`, `""`, `"`+f.png+`"`, `"data:,a"`, `"https://u:p@example.com"`, `"https://example.com/`+strings.Repeat("a", 3000)+`"`, f.quoted())
}

// quoted returns a JSON string, or what looks like one.
func (f *fuzzer) quoted() string {
	return `"` + pick(f, f.text(), `\ud83d`, `\ude00\ud83d`, `\ud83d\ude00`, `\u0000`, `\`, `\x`, strings.Repeat("n", 1000)) + `"`
}
