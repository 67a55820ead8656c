package cloudtasks

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	betapb "cloud.google.com/go/cloudtasks/apiv2beta3/cloudtaskspb"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ai-worker/ai-worker/local/transcode"
)

// bufferPath is the path of BufferTask (documented): version, queue and task ID. It
// may have no ID, and then `gcloud tasks buffer` sends one that is empty.
var bufferPath = regexp.MustCompile(`^/(v2|v2beta3)/(projects/[^/]+/locations/[^/]+/queues/[^/]+)/tasks(?:/([^/:]*))?:buffer$`)

// withBuffer serves BufferTask, and hands everything else to next. The generated Go
// packages do not have this method, so that its rule cannot be read from them.
func (e *Emulator) withBuffer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := bufferPath.FindStringSubmatch(r.URL.Path)
		if parts == nil || r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		body, err := readBuffer(w, r)
		if err != nil {
			transcode.WriteError(w, err)
			return
		}
		task, err := (&service{engine: e.engine}).bufferTask(r.Context(), parts[2], parts[3], body)
		if err != nil {
			transcode.WriteError(w, err)
			return
		}
		writeBuffered(w, parts[1], task)
	})
}

// readBuffer reads what a task is to send: {"body": {"contentType": …, "data": …}},
// with the data in base64.
func readBuffer(w http.ResponseWriter, r *http.Request) (*httpbody.HttpBody, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		return nil, invalid("The body ended too early, or is too large.")
	}
	body := &httpbody.HttpBody{}
	if len(text) == 0 {
		return body, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, invalid("Send Content-Type: application/json with a body of JSON.")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, invalid("Invalid JSON payload received. %v", err)
	}
	for name := range fields {
		if name != "body" {
			return nil, invalid("Invalid JSON payload received. Unknown name %q: Cannot find field.", name)
		}
	}
	if len(fields["body"]) == 0 || string(fields["body"]) == "null" {
		return body, nil
	}
	return body, transcode.Unmarshal(fields["body"], body)
}

// bufferTask creates a task that goes where its queue's HTTP target says, with the
// target's method, or POST. The queue must name a host (documented: it must have an
// HTTP target). An empty ID lets the emulator make one.
func (s *service) bufferTask(ctx context.Context, queue, id string, body *httpbody.HttpBody) (*cloudtaskspb.Task, error) {
	q, err := s.GetQueue(ctx, &cloudtaskspb.GetQueueRequest{Name: queue})
	if err != nil {
		return nil, err
	}
	uri := q.GetHttpTarget().GetUriOverride()
	if uri.GetHost() == "" {
		return nil, invalid("BufferTask needs a queue with an HTTP target: set httpTarget.uriOverride.host of %s.", queue)
	}
	whole := proto.CloneOf(uri)
	whole.UriOverrideEnforceMode = cloudtaskspb.UriOverride_ALWAYS
	r := &cloudtaskspb.HttpRequest{Url: overrideURL("https://"+uri.GetHost()+"/", whole), HttpMethod: q.GetHttpTarget().GetHttpMethod()}
	if takesBody(r.GetHttpMethod(), cloudtaskspb.HttpMethod_PATCH) || r.GetHttpMethod() == cloudtaskspb.HttpMethod_HTTP_METHOD_UNSPECIFIED {
		r.Body = body.GetData()
	}
	if body.GetContentType() != "" {
		r.Headers = map[string]string{"Content-Type": body.GetContentType()}
	}
	task := &cloudtaskspb.Task{MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: r}}
	if id != "" {
		task.Name = queue + "/tasks/" + id
	}
	return s.CreateTask(ctx, &cloudtaskspb.CreateTaskRequest{Parent: queue, Task: task})
}

// writeBuffered answers with {"task": …}, in the words of the version.
func writeBuffered(w http.ResponseWriter, version string, task *cloudtaskspb.Task) {
	var shown proto.Message = task
	if version == "v2beta3" {
		shown = &betapb.Task{}
		if err := translate(shown.ProtoReflect(), task.ProtoReflect()); err != nil {
			transcode.WriteError(w, err)
			return
		}
	}
	text, err := protojson.Marshal(shown)
	if err != nil {
		transcode.WriteError(w, err)
		return
	}
	writeJSON(w, map[string]json.RawMessage{"task": text})
}
