package transcode_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/local/transcode"
)

const (
	queue   = "projects/p/locations/l/queues/q"
	maxBody = 1 << 10
)

// A recorder is a service that keeps its last request.
type recorder struct {
	cloudtaskspb.UnimplementedCloudTasksServer
	got    proto.Message
	answer error
}

func (s *recorder) ListQueues(_ context.Context, in *cloudtaskspb.ListQueuesRequest) (*cloudtaskspb.ListQueuesResponse, error) {
	s.got = in
	return &cloudtaskspb.ListQueuesResponse{}, s.answer
}

func (s *recorder) GetQueue(_ context.Context, in *cloudtaskspb.GetQueueRequest) (*cloudtaskspb.Queue, error) {
	s.got = in
	return &cloudtaskspb.Queue{
		Name: in.GetName(), State: cloudtaskspb.Queue_PAUSED, RetryConfig: &cloudtaskspb.RetryConfig{MinBackoff: durationpb.New(time.Second / 10)},
	}, s.answer
}

func (s *recorder) UpdateQueue(_ context.Context, in *cloudtaskspb.UpdateQueueRequest) (*cloudtaskspb.Queue, error) {
	s.got = in
	return in.GetQueue(), s.answer
}

func (s *recorder) DeleteQueue(_ context.Context, in *cloudtaskspb.DeleteQueueRequest) (*emptypb.Empty, error) {
	s.got = in
	return &emptypb.Empty{}, s.answer
}

func (s *recorder) PauseQueue(_ context.Context, in *cloudtaskspb.PauseQueueRequest) (*cloudtaskspb.Queue, error) {
	s.got = in
	return &cloudtaskspb.Queue{}, s.answer
}

func (s *recorder) CreateTask(_ context.Context, in *cloudtaskspb.CreateTaskRequest) (*cloudtaskspb.Task, error) {
	s.got = in
	return in.GetTask(), s.answer
}

func (s *recorder) GetTask(_ context.Context, in *cloudtaskspb.GetTaskRequest) (*cloudtaskspb.Task, error) {
	s.got = in
	return &cloudtaskspb.Task{}, s.answer
}

func newHandler(t testing.TB) (*recorder, http.Handler) {
	t.Helper()
	s := &recorder{}
	h, err := transcode.New(maxBody, transcode.Service{Desc: &cloudtaskspb.CloudTasks_ServiceDesc, Impl: s})
	if err != nil {
		t.Fatal(err)
	}
	return s, h
}

// do sends a request such as "GET /v2/…" with a body of JSON.
func do(h http.Handler, line, body string) (int, string) {
	verb, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(verb, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(text)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		line, body string
		want       proto.Message
	}{
		"path": {"GET /v2/" + queue, "", &cloudtaskspb.GetQueueRequest{Name: queue}},
		"a project with a colon": {
			"GET /v2/projects/a.com:p/locations/l/queues/q", "", &cloudtaskspb.GetQueueRequest{Name: "projects/a.com:p/locations/l/queues/q"},
		},
		"a verb": {"POST /v2/" + queue + ":pause", "", &cloudtaskspb.PauseQueueRequest{Name: queue}},
		"an empty body where there is none": {
			"DELETE /v2/" + queue, "{}", &cloudtaskspb.DeleteQueueRequest{Name: queue},
		},
		"an escaped slash is no part of the path's form": {
			"GET /v2/projects/p/locations/l/queues/q%2Fx", "", &cloudtaskspb.GetQueueRequest{Name: "projects/p/locations/l/queues/q%2Fx"},
		},
		"query": {
			"GET /v2/projects/p/locations/l/queues?pageSize=7&page_token=a%26b&filter=state:PAUSED&alt=json&key=k&prettyPrint=false", "",
			&cloudtaskspb.ListQueuesRequest{Parent: "projects/p/locations/l", PageSize: 7, PageToken: "a&b", Filter: "state:PAUSED"},
		},
		"an enum by name": {
			"GET /v2/" + queue + "/tasks/t?responseView=FULL", "",
			&cloudtaskspb.GetTaskRequest{Name: queue + "/tasks/t", ResponseView: cloudtaskspb.Task_FULL},
		},
		"an enum by number": {
			"GET /v2/" + queue + "/tasks/t?responseView=2&$alt=json%3Benum-encoding%3Dint", "",
			&cloudtaskspb.GetTaskRequest{Name: queue + "/tasks/t", ResponseView: cloudtaskspb.Task_FULL},
		},
		"a mask in either kind of names": {
			"PATCH /v2/" + queue + "?updateMask=rateLimits,retryConfig.maxAttempts,retry_config.min_backoff",
			`{"rateLimits": {"maxDispatchesPerSecond": 2.5}, "retryConfig": {"maxAttempts": 3, "minBackoff": null}}`,
			&cloudtaskspb.UpdateQueueRequest{
				Queue: &cloudtaskspb.Queue{
					Name: queue, RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 2.5}, RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: 3},
				},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"rate_limits", "retry_config.max_attempts", "retry_config.min_backoff"}},
			},
		},
		"the path wins over the body": {
			"PATCH /v2/" + queue, `{"name": "other"}`, &cloudtaskspb.UpdateQueueRequest{Queue: &cloudtaskspb.Queue{Name: queue}},
		},
		"a whole body": {
			"POST /v2/" + queue + "/tasks",
			`{"task": {"schedule_time": "2026-01-02T03:04:05.5Z", "httpRequest": {"url": "http://x", "httpMethod": "PUT", "body": "aGk_", "headers": {"A": "b"}}}, "responseView": 2}`,
			&cloudtaskspb.CreateTaskRequest{Parent: queue, ResponseView: cloudtaskspb.Task_FULL, Task: &cloudtaskspb.Task{
				ScheduleTime: timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 5e8, time.UTC)),
				MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: &cloudtaskspb.HttpRequest{
					Url: "http://x", HttpMethod: cloudtaskspb.HttpMethod_PUT, Body: []byte("hi?"), Headers: map[string]string{"A": "b"},
				}},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, h := newHandler(t)
			code, text := do(h, tt.line, tt.body)
			if code != http.StatusOK {
				t.Fatalf("answered %d %s", code, text)
			}
			if diff := cmp.Diff(tt.want, s.got, protocmp.Transform()); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// Zero values are left out, and the caller chooses how enums look.
func TestAnswers(t *testing.T) {
	t.Parallel()
	_, h := newHandler(t)
	for query, want := range map[string]string{
		"":                               "{\n  \"name\": \"" + queue + "\",\n  \"retryConfig\": {\n    \"minBackoff\": \"0.100s\"\n  },\n  \"state\": \"PAUSED\"\n}\n",
		"?prettyPrint=false":             `{"name":"` + queue + `","retryConfig":{"minBackoff":"0.100s"},"state":"PAUSED"}` + "\n",
		"?prettyPrint=false&$alt=json;x": "", // refused below
		"?prettyPrint=false&%24alt=json%3Benum-encoding%3Dint": `{"name":"` + queue + `","retryConfig":{"minBackoff":"0.100s"},"state":2}` + "\n",
	} {
		code, text := do(h, "GET /v2/"+queue+query, "")
		if want == "" {
			if code != http.StatusBadRequest {
				t.Errorf("%s: answered %d, want 400", query, code)
			}
			continue
		}
		if text != want {
			t.Errorf("%s: answered %s, want %s", query, text, want)
		}
	}
}

// Errors are in Google's words, and about everything that is wrong.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		line, body string
		code       int
		message    string
	}{
		"no such path":       {"GET /v1/x", "", 404, "The requested URL /v1/x was not found on this server for GET."},
		"no such method":     {"PUT /v2/" + queue, "", 404, "The requested URL /v2/" + queue + " was not found on this server for PUT."},
		"no such verb":       {"POST /v2/" + queue + ":stop", "", 404, "The requested URL /v2/" + queue + ":stop was not found on this server for POST."},
		"a verb of GET":      {"GET /v2/" + queue + ":pause", "", 404, "The requested URL /v2/" + queue + ":pause was not found on this server for GET."},
		"a parameter":        {"GET /v2/" + queue + "?x=1", "", 400, `Invalid JSON payload received. Unknown name "x": Cannot bind query parameter. Field 'x' could not be found in request message.`},
		"a parameter's type": {"GET /v2/projects/p/locations/l/queues?pageSize=many", "", 400, `Invalid value at 'page_size' (TYPE_INT32), "many"`},
		"an enum's name": {
			"GET /v2/" + queue + "/tasks/t?responseView=ALL", "", 400,
			`Invalid value at 'response_view' (type.googleapis.com/google.cloud.tasks.v2.Task.View), "ALL"`,
		},
		"a parameter that is in the body": {
			"POST /v2/" + queue + ":pause?name=x", "", 400,
			`Invalid JSON payload received. Unknown name "name": Cannot bind query parameter. Field 'name' could not be found in request message.`,
		},
		"part of an answer": {"GET /v2/" + queue + "?fields=name", "", 400, "fields is not served here: leave it out and take the whole answer."},
		"a body for none":   {"DELETE /v2/" + queue, `{"name": "x"}`, 400, "This method takes no body."},
		"no JSON":           {"POST /v2/" + queue + "/tasks", `{"task"`, 400, "Invalid JSON payload received. unexpected EOF"},
		"JSON twice":        {"POST /v2/" + queue + "/tasks", `{} {}`, 400, "Invalid JSON payload received. there is something behind the JSON"},
		"no object":         {"POST /v2/" + queue + "/tasks", `[1]`, 400, "Invalid value at '(root)' (type.googleapis.com/google.cloud.tasks.v2.CreateTaskRequest), [1]"},
		"unknown fields": {
			"PATCH /v2/" + queue, `{"a": 1, "rateLimits": {"b": 2, "maxConcurrentDispatches": "c"}}`, 400,
			"Invalid JSON payload received. Unknown name \"a\" at 'queue': Cannot find field.\n" +
				"Invalid JSON payload received. Unknown name \"b\" at 'queue.rate_limits': Cannot find field.\n" +
				"Invalid value at 'queue.rate_limits.max_concurrent_dispatches' (TYPE_INT32), \"c\"",
		},
		"both of two that exclude each other": {
			"POST /v2/" + queue + "/tasks", `{"task": {"httpRequest": {"oidcToken": {}, "oauthToken": {}}}}`, 400,
			`Invalid JSON payload received. error parsing "oauthToken", oneof google.cloud.tasks.v2.HttpRequest.authorization_header is already set`,
		},
		"too large": {"POST /v2/" + queue + "/tasks", strings.Repeat(" ", maxBody+1), 400, "Request payload size exceeds the limit: 1024 bytes."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, h := newHandler(t)
			code, text := do(h, tt.line, tt.body)
			got := readError(t, text)
			if code != tt.code || got.Code != tt.code || got.Message != tt.message {
				t.Errorf("answered %d %s\nwant %d %q", code, text, tt.code, tt.message)
			}
		})
	}
}

type apiError struct {
	Code    int
	Message string
	Status  string
	Details []map[string]any
}

func readError(t testing.TB, text string) apiError {
	t.Helper()
	var body struct{ Error apiError }
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return body.Error
}

// A body of another type is refused: a web page could send it without asking.
func TestOtherTypes(t *testing.T) {
	t.Parallel()
	s, h := newHandler(t)
	for _, mediaType := range []string{"", "text/plain", "application/x-www-form-urlencoded"} {
		r := httptest.NewRequest(http.MethodPost, "/v2/"+queue+"/tasks", strings.NewReader(`{"task": {}}`))
		r.Header.Set("Content-Type", mediaType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || s.got != nil {
			t.Errorf("%q: answered %d", mediaType, w.Code)
		}
	}
}

// A method's error keeps its code, its message and its details.
func TestErrorsOfMethods(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]apiError{
		codes.NotFound:           {404, "why", "NOT_FOUND", nil},
		codes.AlreadyExists:      {409, "why", "ALREADY_EXISTS", nil},
		codes.FailedPrecondition: {400, "why", "FAILED_PRECONDITION", nil},
		codes.Unavailable:        {503, "why", "UNAVAILABLE", nil},
		codes.Internal:           {500, "why", "INTERNAL", nil},
	} {
		s, h := newHandler(t)
		s.answer = status.Error(code, "why")
		got, text := do(h, "GET /v2/"+queue, "")
		if diff := cmp.Diff(want, readError(t, text)); diff != "" || got != want.Code {
			t.Errorf("%s: answered %d (-want +got):\n%s", code, got, diff)
		}
	}
	_, h := newHandler(t)
	_, text := do(h, "GET /v2/"+queue+"?x=1", "")
	want := []map[string]any{{
		"@type":           "type.googleapis.com/google.rpc.BadRequest",
		"fieldViolations": []any{map[string]any{"description": readError(t, text).Message}},
	}}
	if diff := cmp.Diff(want, readError(t, text).Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

// Whatever is sent, the answer is JSON, and no fault of the server.
func FuzzRequests(f *testing.F) {
	f.Add("GET", "/v2/"+queue+"?updateMask=a.b,c&x.y=1", "")
	f.Add("PATCH", "/v2/"+queue+"?updateMask=retryConfig&queue.name=x", `{"retryConfig": {"maxBackoff": "1s"}}`)
	f.Add("POST", "/v2/"+queue+"/tasks", `{"task": {"httpRequest": {"headers": {"a": "b"}, "body": "%%"}}, "responseView": 99}`)
	f.Add("POST", "/v2/"+queue+":pause?alt=json", "[[[[")
	f.Add("GET", "/v2/projects/%2f/locations/%zz/queues/?pageSize=1e3&$alt=json;enum-encoding=int", "null")
	f.Fuzz(func(t *testing.T, verb, target, body string) {
		r, err := http.NewRequest(verb, "http://x"+target, strings.NewReader(body))
		if err != nil || r.URL.Host != "x" {
			t.Skip()
		}
		r.Header.Set("Content-Type", "application/json")
		_, h := newHandler(t)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) || w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s with %q: answered %d %s", verb, target, body, w.Code, w.Body)
		}
	})
}
