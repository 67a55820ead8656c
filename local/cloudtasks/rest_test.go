package cloudtasks_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// An object is one of JSON.
type object = map[string]any

// A caller sends requests to an emulator's port.
type caller struct {
	*testing.T
	base   string
	worker *worker
}

// serve starts an emulator on a port, and a worker in this process.
func serve(t *testing.T, opts cloudtasks.Options, answer func(int, http.ResponseWriter, *http.Request)) *caller {
	t.Helper()
	b := setup(t, opts, answer)
	stop(b.emu)
	emu, err := cloudtasks.Start("127.0.0.1:0", b.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(emu) })
	return &caller{T: t, base: "http://" + emu.Addr(), worker: b.worker}
}

// do sends a request such as "GET /v2/…", with a body unless it is nil, and headers
// in pairs. It returns the status and the body.
func (c *caller) do(line string, body any, headers ...string) (int, string) {
	c.Helper()
	verb, path, _ := strings.Cut(line, " ")
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			c.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(c.Context(), verb, c.base+path, strings.NewReader(string(text)))
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		c.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// want sends a request and compares the status and the whole answer.
func (c *caller) want(line string, body any, code int, want object) {
	c.Helper()
	got, text := c.do(line, body)
	var answer object
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		c.Fatalf("%s: %v in %s", line, err, text)
	}
	if diff := cmp.Diff(want, answer); diff != "" || got != code {
		c.Errorf("%s: answered %d, want %d (-want +got):\n%s", line, got, code, diff)
	}
}

// These are the requests that Terraform's provider sends for
// google_cloud_tasks_queue and google_cloud_tasks_queue_iam_member, and what Google
// answers: zero values left out, a max_retry_duration of zero among them.
func TestTerraform(t *testing.T) {
	t.Parallel()
	c := serve(t, cloudtasks.Options{}, nil)
	const path = "/v2/" + queueA
	queue := object{
		"name":                     queueA,
		"rateLimits":               object{"maxDispatchesPerSecond": 0.25, "maxBurstSize": 10.0, "maxConcurrentDispatches": 5.0},
		"retryConfig":              object{"maxAttempts": -1.0, "minBackoff": "5s", "maxBackoff": "300s", "maxDoublings": 6.0},
		"stackdriverLoggingConfig": object{"samplingRatio": 0.5},
		"state":                    "RUNNING",
	}
	c.want("POST /v2/"+location+"/queues?alt=json", object{
		"name":       queueA,
		"rateLimits": object{"maxDispatchesPerSecond": 0.25, "maxConcurrentDispatches": 5},
		"retryConfig": object{
			"maxAttempts": -1, "maxRetryDuration": "0s", "minBackoff": "5s", "maxBackoff": "300s", "maxDoublings": 6,
		},
		"stackdriverLoggingConfig": object{"samplingRatio": 0.5},
	}, 200, queue)
	queue["state"] = "PAUSED"
	c.want("POST "+path+":pause?alt=json", nil, 200, queue)
	c.want("GET "+path+"?alt=json", nil, 200, queue)

	queue["retryConfig"] = object{
		"maxAttempts": 100.0, "minBackoff": "0.100s", "maxBackoff": "3600s", "maxDoublings": 16.0, "maxRetryDuration": "90s",
	}
	queue["httpTarget"] = object{
		"httpMethod":      "PUT",
		"uriOverride":     object{"scheme": "HTTP", "host": "worker.test", "port": "81", "uriOverrideEnforceMode": "ALWAYS"},
		"headerOverrides": []any{object{"header": object{"key": "A", "value": "b"}}},
		"oidcToken":       object{"serviceAccountEmail": "a@p.iam.gserviceaccount.com", "audience": "x"},
	}
	c.want("PATCH "+path+"?alt=json&updateMask=retryConfig%2ChttpTarget", object{
		"rateLimits":  object{"maxDispatchesPerSecond": 400}, // sent, and not in the mask
		"retryConfig": object{"maxRetryDuration": "90s"},
		"httpTarget":  queue["httpTarget"],
	}, 200, queue)
	delete(queue, "httpTarget")
	delete(queue, "stackdriverLoggingConfig")
	c.want("PATCH "+path+"?alt=json&updateMask=stackdriverLoggingConfig%2ChttpTarget", object{}, 200, queue)
	queue["appEngineRoutingOverride"] = object{"service": "s", "version": "v", "host": "v-dot-s-dot-p.appspot.com"}
	c.want("PATCH "+path+"?alt=json&updateMask=appEngineRoutingOverride", object{
		"appEngineRoutingOverride": object{"service": "s", "version": "v"},
	}, 200, queue)
	queue["state"] = "RUNNING"
	c.want("POST "+path+":resume?alt=json", nil, 200, queue)

	code, text := c.do("POST "+path+":getIamPolicy?alt=json", nil)
	var policy object
	if err := json.Unmarshal([]byte(text), &policy); err != nil || code != 200 || policy["bindings"] != nil {
		t.Fatalf("getIamPolicy: answered %d %s", code, text)
	}
	policy["bindings"] = []any{object{"role": "roles/cloudtasks.enqueuer", "members": []any{"serviceAccount:e@p.iam.gserviceaccount.com"}}}
	_, text = c.do("POST "+path+":setIamPolicy?alt=json", object{"policy": policy})
	var changed object
	if err := json.Unmarshal([]byte(text), &changed); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(policy["bindings"], changed["bindings"]); diff != "" || changed["etag"] == policy["etag"] {
		t.Errorf("setIamPolicy: answered %s (-want +got):\n%s", text, diff)
	}
	c.want("POST "+path+":getIamPolicy?alt=json", nil, 200, changed)

	c.want("DELETE "+path+"?alt=json", nil, 200, object{})
	c.want("GET "+path+"?alt=json", nil, 404, object{"error": object{
		"code": 404.0, "status": "NOT_FOUND",
		"message": "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.",
	}})
	c.want("POST /v2/"+location+"/queues?alt=json", object{"name": queueA}, 400, object{"error": object{
		"code": 400.0, "status": "FAILED_PRECONDITION",
		"message": "The queue cannot be created because a queue with this name existed too recently.",
	}})
	c.want("POST /v2/"+location+"/queues?alt=json", object{"name": "q"}, 400, object{"error": object{
		"code": 400.0, "status": "INVALID_ARGUMENT",
		"message": `Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".`,
		"details": []any{object{"@type": "type.googleapis.com/google.rpc.Help", "links": []any{object{
			"description": "Definition of queue name",
			"url":         "https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues#Queue.FIELDS.name",
		}}}},
	}})
}

// What the service mixes in from other APIs.
func TestLocationsAndOperations(t *testing.T) {
	t.Parallel()
	c := serve(t, cloudtasks.Options{}, nil)
	l := object{"name": location, "locationId": "l", "labels": object{"cloud.googleapis.com/region": "l"}}
	c.want("GET /v2/projects/p/locations", nil, 200, object{})
	c.do("POST /v2/"+location+"/queues", object{"name": queueA})
	c.want("GET /v2/projects/p/locations", nil, 200, object{"locations": []any{l}})
	c.want("GET /v2/"+location, nil, 200, l)

	_, text := c.do("POST /v2/"+queueA+"/tasks:batchDelete", object{"names": []string{queueA + "/tasks/none"}, "requestId": "r1"})
	var operation object
	if err := json.Unmarshal([]byte(text), &operation); err != nil {
		t.Fatal(err)
	}
	c.want("GET /v2/"+location+"/operations/r1", nil, 200, operation)
	if operation["done"] != true || operation["error"] == nil {
		t.Errorf("the operation is %s", text)
	}
}

// Version v2beta3 has the same queues and tasks.
func TestBeta(t *testing.T) {
	t.Parallel()
	c := serve(t, cloudtasks.Options{}, nil)
	queue := object{
		"name": queueA, "type": "PUSH", "state": "RUNNING",
		"appEngineHttpQueue": object{"appEngineRoutingOverride": object{"service": "s", "host": "s-dot-p.appspot.com"}},
		"rateLimits":         object{"maxDispatchesPerSecond": 500.0, "maxBurstSize": 100.0, "maxConcurrentDispatches": 1000.0},
		"retryConfig":        object{"maxAttempts": 7.0, "minBackoff": "0.100s", "maxBackoff": "3600s", "maxDoublings": 16.0},
		"httpTarget":         object{"headerOverrides": []any{object{"header": object{"key": "A", "value": "b"}}}},
	}
	c.want("POST /v2beta3/"+location+"/queues", object{
		"name": queueA, "type": "PUSH", "retryConfig": object{"maxAttempts": 7}, "httpTarget": queue["httpTarget"],
		"appEngineHttpQueue": object{"appEngineRoutingOverride": object{"service": "s"}},
	}, 200, queue)
	c.want("GET /v2beta3/"+location+"/queues?readMask=name,stats", nil, 200, object{"queues": []any{queue}})
	queue["appEngineHttpQueue"] = object{"appEngineRoutingOverride": object{"host": "p.appspot.com"}}
	c.want("PATCH /v2beta3/"+queueA+"?updateMask=appEngineHttpQueue.appEngineRoutingOverride.service", object{}, 200, queue)
	queue["state"] = "PAUSED"
	c.want("POST /v2beta3/"+queueA+":pause", nil, 200, queue)
	c.want("POST /v2beta3/"+location+"/queues", object{"name": queueA + "2", "type": "PULL"}, 400, object{"error": object{
		"code": 400.0, "status": "INVALID_ARGUMENT", "message": "Queue.type is not emulated.",
	}})
	c.want("POST /v2beta3/"+location+"/queues", object{"name": queueA + "2", "taskTtl": "60s"}, 400, object{"error": object{
		"code": 400.0, "status": "INVALID_ARGUMENT", "message": "Queue.task_ttl is not emulated.",
	}})
	_, text := c.do("POST /v2beta3/"+queueA+"/tasks", object{"responseView": "FULL", "task": object{
		"name": queueA + "/tasks/x", "httpRequest": object{"url": target, "httpMethod": "PUT", "body": "aGk=", "headers": object{"A": "b"}},
	}})
	var task object
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		t.Fatal(err)
	}
	c.want("GET /v2/"+queueA+"/tasks/x?responseView=FULL", nil, 200, task)
	c.want("GET /v2beta3/"+queueA+"/tasks/x?responseView=FULL", nil, 200, task)
	if r, ok := task["httpRequest"].(object); !ok || r["body"] != "aGk=" || r["httpMethod"] != "PUT" {
		t.Errorf("the task is %s", text)
	}
	c.want("DELETE /v2beta3/"+queueA+"/tasks/x", nil, 200, object{})
	c.want("DELETE /v2beta3/"+queueA, nil, 200, object{})
	c.want("GET /v2beta3/"+location, nil, 200, object{"name": location, "locationId": "l", "labels": object{"cloud.googleapis.com/region": "l"}})
}

// BufferTask sends a body to where the queue's HTTP target says.
func TestBufferTask(t *testing.T) {
	t.Parallel()
	arrived := make(chan string, 2)
	c := serve(t, cloudtasks.Options{}, func(_ int, _ http.ResponseWriter, r *http.Request) { arrived <- r.Method + " " + r.URL.String() })
	c.do("POST /v2/"+location+"/queues", object{"name": queueA})
	c.want("POST /v2/"+queueA+"/tasks:buffer", nil, 400, object{"error": object{
		"code": 400.0, "status": "INVALID_ARGUMENT", "message": "BufferTask needs a queue with an HTTP target: set httpTarget.uriOverride.host of " + queueA + ".",
	}})
	c.do("PATCH /v2/"+queueA+"?updateMask=httpTarget", object{"httpTarget": object{"httpMethod": "PUT", "uriOverride": object{
		"scheme": "HTTP", "host": "worker", "port": 81, "pathOverride": object{"path": "/x"}, "uriOverrideEnforceMode": "IF_NOT_EXISTS",
	}}})
	for _, call := range []string{"POST /v2/" + queueA + "/tasks/mine:buffer", "POST /v2beta3/" + queueA + "/tasks/:buffer"} {
		code, text := c.do(call, object{"body": object{"contentType": "text/plain", "data": "aGk="}})
		if got := <-arrived; code != 200 || got != "PUT http://worker:81/x" || !strings.Contains(text, `"task": {`) {
			t.Errorf("%s: delivered %s, answered %d %s", call, got, code, text)
		}
	}
	for _, d := range c.worker.deliveries() {
		if d.body != "hi" || d.header.Get("Content-Type") != "text/plain" {
			t.Errorf("delivered %q as %q", d.body, d.header.Get("Content-Type"))
		}
	}
	if code, text := c.do("POST /v2/"+queueA+"/tasks/mine:buffer", nil); code != 409 {
		t.Errorf("the same ID again: %d %s", code, text)
	}
	if code, text := c.do("POST /v2/"+queueA+"/tasks:buffer", object{"data": "x"}); code != 400 || !strings.Contains(text, `Unknown name`) {
		t.Errorf("a field that does not exist: %d %s", code, text)
	}
}

// firebase-admin leaves out the version and the URL when it talks to an emulator.
func TestFirebaseAdmin(t *testing.T) {
	t.Parallel()
	arrived := make(chan string, 1)
	c := serve(t, cloudtasks.Options{AutoCreateQueues: true, DefaultURL: "http://localhost:5001/{project}/{location}/{queue}"},
		func(_ int, _ http.ResponseWriter, r *http.Request) { arrived <- r.URL.String() })
	const id = queueA + "/tasks/first"
	code, text := c.do("POST /"+queueA+"/tasks", object{"task": object{"name": id, "httpRequest": object{
		"url": "", "body": "eyJkYXRhIjoxfQ==", "headers": object{"Content-Type": "application/json"},
		"oidcToken": object{"serviceAccountEmail": "emulated-service-acct@email.com"},
	}}}, "Authorization", "Bearer owner")
	if code != 200 {
		t.Fatalf("answered %d %s", code, text)
	}
	if got := <-arrived; got != "http://localhost:5001/p/l/a" {
		t.Errorf("delivered to %s", got)
	}
	if got := c.worker.deliveries()[0].body; got != `{"data":1}` {
		t.Errorf("body is %s", got)
	}
	c.do("POST /"+queueA+":pause", nil)
	c.do("POST /"+queueA+"/tasks", object{"task": object{"name": queueA + "/tasks/second", "httpRequest": object{"url": ""}}})
	c.want("DELETE /"+queueA+"/tasks/second", nil, 200, object{})
}

// A verifier that knows only the issuer finds the key.
func TestTokensAreVerifiedByDiscovery(t *testing.T) {
	t.Parallel()
	tokens := make(chan string, 1)
	opts := cloudtasks.Options{AutoCreateQueues: true, Issuer: "http://emulator.test"}
	c := serve(t, opts, func(_ int, _ http.ResponseWriter, r *http.Request) {
		tokens <- strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	})
	c.do("POST /v2/"+queueA+"/tasks", object{"task": object{"httpRequest": object{
		"url": target, "oidcToken": object{"serviceAccountEmail": "a@p.iam.gserviceaccount.com"},
	}}})
	var discovery struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	_, text := c.do("GET /.well-known/openid-configuration", nil)
	if err := json.Unmarshal([]byte(text), &discovery); err != nil || !strings.HasPrefix(discovery.Keys, c.base+"/") {
		t.Fatalf("discovery: %v in %s", err, text)
	}
	var set struct{ Keys []struct{ Kid, N, E string } }
	_, text = c.do("GET "+strings.TrimPrefix(discovery.Keys, c.base), nil)
	if err := json.Unmarshal([]byte(text), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("keys: %v in %s", err, text)
	}
	_, err := jwt.Parse(<-tokens, func(token *jwt.Token) (any, error) {
		n, _ := base64.RawURLEncoding.DecodeString(set.Keys[0].N)
		e, _ := base64.RawURLEncoding.DecodeString(set.Keys[0].E)
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	}, jwt.WithIssuer(discovery.Issuer), jwt.WithAudience(target), jwt.WithValidMethods([]string{"RS256"}))
	if err != nil || discovery.Issuer != opts.Issuer {
		t.Errorf("token by %s: %v", discovery.Issuer, err)
	}
}

// A web page can reach this machine, and must not make it send requests.
func TestWebPagesAreKeptOut(t *testing.T) {
	t.Parallel()
	c := serve(t, cloudtasks.Options{Hosts: []string{"Tasks.example.com"}}, nil)
	body := object{"name": queueA}
	for name, tt := range map[string]struct {
		headers []string
		code    int
	}{
		"a page of another origin":         {[]string{"Origin", "https://evil.example"}, 403},
		"a page that fetches":              {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a page whose name points here":    {[]string{"Host", "evil.example:8123"}, 403},
		"a name that is allowed":           {[]string{"Host", "tasks.example.com:8123"}, 200},
		"a container":                      {[]string{"Host", "cloud-tasks:8123"}, 200},
		"a service of Kubernetes":          {[]string{"Host", "emulator.default.svc.cluster.local"}, 200},
		"an address of version 6":          {[]string{"Host", "[::1]:8123"}, 200},
		"a person who enters the location": {[]string{"Sec-Fetch-Site", "none"}, 200},
	} {
		if code, text := c.do("PATCH /v2/"+queueA, body, tt.headers...); code != tt.code {
			t.Errorf("%s: answered %d, want %d\n%s", name, code, tt.code, text)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	c := serve(t, cloudtasks.Options{}, nil)
	if _, text := c.do("GET /", nil); !strings.Contains(text, "There is no queue.") {
		t.Errorf("without a queue: %s", text)
	}
	c.do("POST /v2/"+location+"/queues", object{"name": queueA})
	c.do("POST /v2/"+queueA+":pause", nil)
	c.do("POST /v2/"+queueA+"/tasks", object{"task": object{"httpRequest": object{"url": target}}})
	_, text := c.do("GET /", nil)
	if got := strings.Fields(text[strings.LastIndex(text, queueA):]); !cmp.Equal(got, []string{queueA, "PAUSED", "1", "0", "now", "500/s", "0", "0", "0"}) {
		t.Errorf("the queue's line is %q", got)
	}
	c.want("POST /emulator/reset", nil, 200, object{})
	c.want("GET /emulator/wait", nil, 200, object{})
	c.want("GET /v2/"+location+"/queues", nil, 200, object{})
	c.want("GET /v2beta2/"+queueA, nil, 404, object{"error": object{
		"code": 404.0, "status": "NOT_FOUND", "message": "The requested URL /v2beta2/" + queueA +
			" was not found on this server. This emulator serves the versions v2 and v2beta3 of the Cloud Tasks API, under /v2/ and /v2beta3/.",
	}})
}

// A queue that the command line asks for exists after the start, whatever was
// before.
func TestEnsureQueue(t *testing.T) {
	t.Parallel()
	b := setup(t, cloudtasks.Options{StateDir: t.TempDir()}, nil)
	ensure := func(q *cloudtaskspb.Queue) *cloudtaskspb.Queue {
		t.Helper()
		q.Name = queueA
		if err := b.emu.EnsureQueue(b.ctx, q); err != nil {
			t.Fatal(err)
		}
		got, err := b.tasks.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	ensure(&cloudtaskspb.Queue{State: cloudtaskspb.Queue_PAUSED, RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 5}})
	b.create("x")
	stop(b.emu)
	b.open()
	got := ensure(&cloudtaskspb.Queue{RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: 3}})
	if got.GetState() != cloudtaskspb.Queue_PAUSED || got.GetRateLimits().GetMaxDispatchesPerSecond() != 500 || got.GetRetryConfig().GetMaxAttempts() != 3 {
		t.Errorf("the queue is %v", got)
	}
	if len(b.list()) != 1 {
		t.Error("the task is gone")
	}
	must(b.tasks.DeleteQueue(b.ctx, &cloudtaskspb.DeleteQueueRequest{Name: queueA}))(t)
	if got := ensure(&cloudtaskspb.Queue{}); got.GetState() != cloudtaskspb.Queue_RUNNING {
		t.Errorf("after it was deleted, the queue is %v", got)
	}
}

// A suite of tests waits until what it has caused is over, and starts anew.
func TestWaitAndReset(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := setup(t, cloudtasks.Options{StateDir: t.TempDir()}, func(int, http.ResponseWriter, *http.Request) { <-release })
	if err := b.emu.EnsureQueue(b.ctx, &cloudtaskspb.Queue{Name: queueA, RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: 3}}); err != nil {
		t.Fatal(err)
	}
	b.create("x")
	cut, cancel := context.WithCancel(b.ctx)
	cancel()
	wantCode(t, "WaitEmpty that is cut off", b.emu.WaitEmpty(cut, ""), codes.DeadlineExceeded)
	wantCode(t, "WaitEmpty of none", b.emu.WaitEmpty(b.ctx, location+"/queues/none"), codes.NotFound)
	waited := make(chan error)
	go func() { waited <- b.emu.WaitEmpty(b.ctx, queueA) }()
	close(release)
	if err := <-waited; err != nil || len(b.list()) > 0 {
		t.Errorf("after WaitEmpty (%v): %v", err, b.list())
	}

	must(b.tasks.UpdateQueue(b.ctx, &cloudtaskspb.UpdateQueueRequest{Queue: &cloudtaskspb.Queue{Name: queueA}}))(t)
	must(b.tasks.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{Name: location + "/queues/b"}}))(t)
	b.pause()
	b.create("y")
	if err := b.emu.Reset(); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		got, err := b.tasks.ListQueues(b.ctx, &cloudtaskspb.ListQueuesRequest{Parent: location})
		if q := got.GetQueues(); err != nil || len(q) != 1 || q[0].GetState() != cloudtaskspb.Queue_RUNNING || q[0].GetRetryConfig().GetMaxAttempts() != 3 {
			t.Errorf("%s: queues are %v", when, got)
		}
		if len(b.list()) > 0 {
			t.Errorf("%s: tasks are %v", when, b.list())
		}
	}
	check("after Reset")
	b.pause()
	b.create("left")
	go func() { waited <- b.emu.WaitEmpty(b.ctx, "") }()
	stop(b.emu)
	wantCode(t, "WaitEmpty of an emulator that closes", <-waited, codes.Unavailable)
	b.open()
	must(b.tasks.DeleteTask(b.ctx, &cloudtaskspb.DeleteTaskRequest{Name: queueA + "/tasks/left"}))(t)
	must(b.tasks.ResumeQueue(b.ctx, &cloudtaskspb.ResumeQueueRequest{Name: queueA}))(t)
	check("after a restart")
	b.create("x") // the name is free
}
