package handlers_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

func TestGenerateRecordsAJob(t *testing.T) {
	b := setup(t)
	a := b.generate(`{"prompt":"a fox","count":2,"image_size":"1K","aspect_ratio":"16:9","seed":7,
		"metadata":{"b":1,"a":[1.0]},"expires_in":3600,"max_cost_usd":0.5}`)
	j := a.job(t)
	if a.code != http.StatusAccepted || a.header.Get("Location") != "/api/jobs/"+j.ID {
		t.Errorf("got %d with Location %q", a.code, a.header.Get("Location"))
	}
	if got := j.ExpiresAt.Sub(j.CreatedAt); got != time.Hour {
		t.Errorf("the job expires after %s, want 1h", got)
	}
	want := fmt.Sprintf(`{"id":%q,"status":"queued","version":1,"tenant":"web","priority":"normal",`+
		`"input":{"prompt":"a fox","model":"banana","count":2,"aspect_ratio":"16:9","image_size":"1K","seed":7,"max_cost_usd":0.5},`+
		`"images":[{"index":0,"status":"queued","url":null,"attempts":0,"error":null,"waiting_for":"turn","retry_at":null},`+
		`{"index":1,"status":"queued","url":null,"attempts":0,"error":null,"waiting_for":"turn","retry_at":null}],"output":[],"error":null,`+
		`"progress":{"total":2,"queued":2,"processing":0,"succeeded":0,"failed":0,"canceled":0},`+
		`"metrics":{"queue_seconds":null,"run_seconds":null},"cost_usd":0,"metadata":{"b":1,"a":[1.0]},`+
		`"created_at":%q,"started_at":null,"completed_at":null,"expires_at":%q,`+
		`"queue_position":0,"estimated_start_at":"2026-11-23T12:00:00Z",`+
		`"urls":{"get":"https://api.example.com/api/jobs/%[1]s","cancel":"https://api.example.com/api/jobs/%[1]s/cancel",`+
		`"retry":"https://api.example.com/api/jobs/%[1]s/retry"},"retry_of":null,"url_expires_at":null}`,
		j.ID, j.CreatedAt.Format(time.RFC3339Nano), j.ExpiresAt.Format(time.RFC3339Nano))
	if diff := cmp.Diff(want, a.body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got := b.do(http.MethodGet, "/api/jobs/"+j.ID, ""); got.body != a.body || got.code != http.StatusOK {
		t.Errorf("GET answers %d %s, want what POST did", got.code, got.body)
	}
}

func TestGenerateRefuses(t *testing.T) {
	b := setup(t)
	uri := func(data []byte) string { return "data:image/png;base64," + base64.StdEncoding.EncodeToString(data) }
	png := uri(newPNG(t))
	for name, tt := range map[string]struct {
		body      string
		locations []string
	}{
		"no prompt":               {`{}`, []string{"body"}},
		"empty prompt":            {`{"prompt":""}`, []string{"body.prompt"}},
		"blank prompt":            {`{"prompt":" \n"}`, []string{"body.prompt"}},
		"NUL in the prompt":       {`{"prompt":"a\u0000b"}`, []string{"body.prompt"}},
		"no object":               {`[]`, []string{"body"}},
		"unknown field":           {`{"prompt":"a","n":2}`, []string{"body.n"}},
		"several at once":         {`{"prompt":"","count":17,"image_size":"3K"}`, []string{"body.count", "body.image_size", "body.prompt"}},
		"count 0":                 {`{"prompt":"a","count":0}`, []string{"body.count"}},
		"unknown model":           {`{"prompt":"a","model":"durian"}`, []string{"body.model"}},
		"size the model has not":  {`{"prompt":"a","image_size":"4K"}`, []string{"body.image_size"}},
		"ratio the model has not": {`{"prompt":"a","aspect_ratio":"21:9"}`, []string{"body.aspect_ratio"}},
		"metadata no object":      {`{"prompt":"a","metadata":[1]}`, []string{"body.metadata"}},
		"metadata too large":      {`{"prompt":"a","metadata":{"a":"` + strings.Repeat("x", 4096) + `"}}`, []string{"body.metadata"}},
		"plain http input":        {`{"prompt":"a","input_images":["http://example.com/a.png"]}`, []string{"body.input_images[0]"}},
		"input with a password":   {`{"prompt":"a","input_images":["https://u:p@example.com/a.png"]}`, []string{"body.input_images[0]"}},
		"input not base64":        {`{"prompt":"a","input_images":["data:image/png;base64,%%"]}`, []string{"body.input_images[0]"}},
		"input no picture":        {`{"prompt":"a","input_images":["data:image/png;base64,aGVsbG8="]}`, []string{"body.input_images[0]"}},
		"input of a signature":    {fmt.Sprintf(`{"prompt":"a","input_images":[%q]}`, uri([]byte("\x89PNG\r\n\x1a\n"))), []string{"body.input_images[0]"}},
		"input of a JPEG's start": {fmt.Sprintf(`{"prompt":"a","input_images":[%q]}`, uri([]byte("\xff\xd8\xff\xe0"))), []string{"body.input_images[0]"}},
		"input of a WebP's start": {fmt.Sprintf(`{"prompt":"a","input_images":[%q]}`, uri([]byte("RIFF\x10\x00\x00\x00WEBPVP8 "))), []string{"body.input_images[0]"}},
		"too many inputs":         {fmt.Sprintf(`{"prompt":"a","input_images":[%q,%q,%q]}`, png, png, png), []string{"body.input_images"}},
		"seed that overflows":     {`{"prompt":"a","seed":2147483647,"count":2}`, []string{"body.seed"}},
		"seed that is too large":  {`{"prompt":"a","seed":2147483648}`, []string{"body.seed"}},
		"seed that is no integer": {`{"prompt":"a","seed":1.5}`, []string{"body.seed"}},
		"count with a point":      {`{"prompt":"a","count":2.0}`, []string{"body.count"}},
		"count that is too large": {`{"prompt":"a","count":1e30}`, []string{"body.count"}},
		"expires far too late":    {`{"prompt":"a","expires_in":1e300}`, []string{"body.expires_in"}},
		"a bound of nothing":      {`{"prompt":"a","max_cost_usd":0}`, []string{"body.max_cost_usd"}},
		"a bound below the price": {`{"prompt":"a","count":3,"max_cost_usd":0.101}`, []string{"body.max_cost_usd"}},
		"a bound without a price": {`{"prompt":"a","model":"cherry","max_cost_usd":5}`, []string{"body.max_cost_usd"}},
		"a dry run of the same":   {`{"prompt":"a","count":3,"max_cost_usd":0.101,"dry_run":true}`, []string{"body.max_cost_usd"}},
		"a dry run of no picture": {`{"prompt":"a","input_images":["data:image/png;base64,aGVsbG8="],"dry_run":true}`, []string{"body.input_images[0]"}},
		"expires too soon":        {`{"prompt":"a","expires_in":59}`, []string{"body.expires_in"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.generate(tt.body).problem(t, http.StatusUnprocessableEntity)
			var got []string
			for _, f := range p.Errors {
				got = append(got, f.Location)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.locations, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s%+v", diff, p)
			}
		})
	}
}

// newPNG returns a picture of one pixel.
func newPNG(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGenerateTakesPictures(t *testing.T) {
	b := setup(t)
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, image.NewGray(image.Rect(0, 0, 1, 1)), nil); err != nil {
		t.Fatal(err)
	}
	// The smallest lossless WebP there is.
	webp, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"png": newPNG(t), "jpeg": jpg.Bytes(), "webp": webp} {
		a := b.generate(`{"prompt":"a","input_images":["data:;base64,` + base64.StdEncoding.EncodeToString(data) + `"]}`)
		if a.code != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
	}
}

func TestGenerateRefusesLargeBodies(t *testing.T) {
	b := setup(t)
	b.generate(`{"prompt":"`+strings.Repeat("x", 12<<20)+`"}`).problem(t, http.StatusRequestEntityTooLarge)
}

// The wrong value may be a whole picture, which an error must not send back.
func TestProblemsDoNotRepeatLargeValues(t *testing.T) {
	b := setup(t)
	a := b.generate(`{"prompt":"a","seed":"` + strings.Repeat("x", 1<<20) + `"}`)
	a.problem(t, http.StatusUnprocessableEntity)
	if len(a.body) > 1000 {
		t.Errorf("the problem has %d bytes", len(a.body))
	}
}

func TestGenerateIsIdempotentByKey(t *testing.T) {
	b := setup(t)
	first := b.generate(`{"prompt":"a"}`, "Idempotency-Key", "k")
	again := b.generate(`{"prompt":"a"}`, "Idempotency-Key", "k")
	if again.code != http.StatusAccepted || again.job(t).ID != first.job(t).ID {
		t.Errorf("the same request again: %d %s", again.code, again.body)
	}
	b.do(http.MethodPost, "/api/jobs/"+first.job(t).ID+"/cancel", "")
	if ended := b.generate(`{"prompt":"a"}`, "Idempotency-Key", "k"); ended.code != http.StatusAccepted {
		t.Errorf("the same request again, after the job's end: %d", ended.code)
	}
	if ended := b.generate(`{"prompt":"a"}`, "Idempotency-Key", "k", "Prefer", "wait=1"); ended.code != http.StatusCreated {
		t.Errorf("and with Prefer: wait: %d", ended.code)
	}
	b.generate(`{"prompt":"b"}`, "Idempotency-Key", "k").problem(t, http.StatusUnprocessableEntity)
	other := b.generate(`{"prompt":"a"}`, "Idempotency-Key", "k", "Authorization", "Bearer "+otherKey)
	if other.job(t).ID == first.job(t).ID {
		t.Error("another tenant's request with the same key got this tenant's job")
	}
}

func TestKeysLetInTheirOwnTenant(t *testing.T) {
	b := setup(t)
	path := "/api/jobs/" + b.generate(`{"prompt":"a"}`).job(t).ID
	for _, header := range []string{"", "Bearer", "Bearer nonsense", "Basic " + webKey, "Bearer " + webKey + "x"} {
		b.do(http.MethodGet, path, "", "Authorization", header).problem(t, http.StatusUnauthorized)
	}
	b.do(http.MethodGet, path, "", "Authorization", "Bearer "+otherKey).problem(t, http.StatusNotFound)
	if got := b.do(http.MethodGet, path, "", "Authorization", "bearer "+webKey); got.code != http.StatusOK {
		t.Errorf("the tenant itself: %d", got.code)
	}
}

func TestGetUnknownJobs(t *testing.T) {
	b := setup(t)
	for _, id := range []string{uuid.NewString(), "nonsense", "%27%3B"} {
		b.do(http.MethodGet, "/api/jobs/"+id, "").problem(t, http.StatusNotFound)
	}
}

func TestGetKnowsWhatTheCallerHas(t *testing.T) {
	b := setup(t)
	id := b.generate(`{"prompt":"a"}`).job(t).ID
	path := "/api/jobs/" + id
	etag := b.do(http.MethodGet, path, "").header.Get("ETag")
	if got := b.do(http.MethodGet, path, "", "If-None-Match", etag); got.code != http.StatusNotModified || got.body != "" {
		t.Errorf("unchanged: %d %q, want 304 without a body", got.code, got.body)
	}
	b.claim(job.Task{JobID: id, Dispatch: 1})
	if got := b.do(http.MethodGet, path, "", "If-None-Match", etag); got.code != http.StatusOK {
		t.Errorf("changed: %d, want 200", got.code)
	}
}

// claim claims the only image of the job.
func (b *bundle) claim(task job.Task) record.Claim {
	b.t.Helper()
	c, err := b.record.Claim(b.t.Context(), record.ClaimRequest{Model: "banana", Task: task, Lease: lease})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func TestWaiting(t *testing.T) {
	b := setup(t)
	id := b.generate(`{"prompt":"a"}`).job(t).ID
	if got := b.do(http.MethodGet, "/api/jobs/"+id, "", "Prefer", "wait=0").header.Get("Preference-Applied"); got != "wait=0" {
		t.Errorf("Preference-Applied %q, want wait=0", got)
	}
	early := b.do(http.MethodGet, "/api/jobs/"+id, "", "Prefer", "respond-async, wait=1")
	if got := early.job(t).Status; got != "queued" || early.header.Get("Preference-Applied") != "wait=1" {
		t.Errorf("after the wait: status %q, %q", got, early.header.Get("Preference-Applied"))
	}
	c := b.claim(job.Task{JobID: id, Dispatch: 1})
	done := make(chan answer, 1)
	go func() { done <- b.do(http.MethodGet, "/api/jobs/"+id, "", "Prefer", "wait=30") }()
	c.Report.Bill.CostMicros = 38_700
	_, err := b.record.Succeed(t.Context(), c, record.Success{
		Object: job.Object{
			Key: "images/a/0", ContentType: "image/png", Width: 2, Height: 1, Bytes: 3, SHA256: "abc", ModelVersion: "banana-001",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	j := (<-done).job(t)
	if diff := cmp.Diff([]string{"https://pictures.example.com/images/a/0"}, j.Output); diff != "" || j.Status != "succeeded" {
		t.Errorf("status %q, output (-want +got):\n%s", j.Status, diff)
	}
	if j.CostUSD == nil || *j.CostUSD != 0.0387 {
		t.Errorf("cost_usd %v, want 0.0387", j.CostUSD)
	}
}

func TestFailedJobsSayWhy(t *testing.T) {
	b := setup(t)
	id := b.generate(`{"prompt":"a"}`).job(t).ID
	c := b.claim(job.Task{JobID: id, Dispatch: 1})
	if _, err := b.record.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked, Message: "Refused."}); err != nil {
		t.Fatal(err)
	}
	j := b.do(http.MethodGet, "/api/jobs/"+id, "").job(t)
	if j.Status != "failed" || j.Error == nil || j.Error.Code != "blocked" || j.Error.Message != "Refused." {
		t.Errorf("got %q, %+v", j.Status, j.Error)
	}
}

// With 60 requests a minute, the job behind 3 pictures starts in 3 seconds.
func TestQueuedJobsSayWhenTheyStart(t *testing.T) {
	b := setup(t)
	b.generate(`{"prompt":"a","count":3}`)
	j := b.generate(`{"prompt":"b"}`).job(t)
	if j.QueuePosition == nil || *j.QueuePosition != 3 || !j.EstimatedStartAt.Equal(now.Add(3*time.Second)) {
		t.Errorf("position %v, start at %v", j.QueuePosition, j.EstimatedStartAt)
	}
	low := b.generate(`{"prompt":"c","priority":"low"}`).job(t)
	if low.QueuePosition == nil || *low.QueuePosition != 4 || low.Priority != "low" {
		t.Errorf("position of a low one %v, want 4", low.QueuePosition)
	}
}

func TestCancel(t *testing.T) {
	b := setup(t)
	path := "/api/jobs/" + b.generate(`{"prompt":"a","count":2}`).job(t).ID
	b.do(http.MethodPost, path+"/cancel", "", "Authorization", "Bearer "+otherKey).problem(t, http.StatusNotFound)
	for range 2 { // the second time it has ended
		a := b.do(http.MethodPost, path+"/cancel", "")
		if j := a.job(t); a.code != http.StatusOK || j.Status != "canceled" || j.Progress.Canceled != 2 || j.Version != 2 {
			t.Errorf("got %d %s", a.code, a.body)
		}
	}
	if j := b.do(http.MethodGet, path, "").job(t); j.Status != "canceled" {
		t.Errorf("afterwards it is %s", j.Status)
	}
	b.do(http.MethodPost, "/api/jobs/"+uuid.NewString()+"/cancel", "").problem(t, http.StatusNotFound)
}

func TestLaneHealth(t *testing.T) {
	b := setup(t)
	b.generate(`{"prompt":"a","count":2}`)
	reason := job.Error{Code: job.CodeLaneUnavailable, Message: "The key is bad."}
	err := b.record.Pause(t.Context(), []string{"c"}, record.Pause{For: time.Hour, Broken: true, Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	a := b.do(http.MethodGet, "/health/lanes", "", "Authorization", "")
	var got struct {
		Lanes []struct {
			Name, Status string
			Waiting      int
			Reason       *struct{ Code string }
			Since, Until *time.Time
		}
	}
	decode(t, a.body, &got)
	if len(got.Lanes) != 2 || a.code != http.StatusOK {
		t.Fatalf("%d %s", a.code, a.body)
	}
	if up := got.Lanes[0]; up.Name != "a" || up.Status != "up" || up.Waiting != 2 || up.Reason != nil || up.Until != nil {
		t.Errorf("the lane that is up: %s", a.body)
	}
	if broken := got.Lanes[1]; broken.Status != "broken" || broken.Reason.Code != "lane_unavailable" ||
		broken.Until.Sub(*broken.Since) != time.Hour {
		t.Errorf("the broken lane: %s", a.body)
	}
}

func TestOpenAPIDescribesTheAPI(t *testing.T) {
	b := setup(t)
	a := b.do(http.MethodGet, "/openapi.json", "", "Authorization", "")
	var doc struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
	}
	decode(t, a.body, &doc)
	var got []string
	for _, op := range []struct{ path, method string }{{"/api/generate-images", "post"}, {"/api/jobs/{id}", "get"}, {"/api/jobs/{id}/events", "get"}} {
		if doc.Paths[op.path][op.method] != nil {
			got = append(got, op.path)
		}
	}
	if len(got) != 3 || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %q with %v", doc.OpenAPI, got)
	}
}

func TestOtherPaths(t *testing.T) {
	b := setup(t)
	if got := b.do(http.MethodGet, "/health", "", "Authorization", ""); got.code != http.StatusOK ||
		strings.TrimSpace(got.body) != `{"status":"healthy"}` || got.header.Get("X-Version") != "test" {
		t.Errorf("/health: %d %q of version %q", got.code, got.body, got.header.Get("X-Version"))
	}
	b.do(http.MethodGet, "/nowhere", "").problem(t, http.StatusNotFound)
	b.do(http.MethodPut, "/health", "").problem(t, http.StatusMethodNotAllowed)
	// This process takes jobs only.
	b.do(http.MethodPost, "/tasks/generate", "{}").problem(t, http.StatusNotFound)
}

func BenchmarkGetJob(bench *testing.B) {
	b := setup(bench)
	id := b.generate(`{"prompt":"a","count":4}`).job(bench).ID
	bench.ResetTimer()
	for bench.Loop() {
		if a := b.do(http.MethodGet, "/api/jobs/"+id, ""); a.code != http.StatusOK {
			bench.Fatal(a.body)
		}
	}
}
