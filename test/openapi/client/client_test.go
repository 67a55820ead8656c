// Package client_test calls the service by the client that ogen generates from
// its OpenAPI document. test/openapi starts the service, and runs this.
package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ogen-go/ogen/ogenerrors"
	"github.com/ogen-go/ogen/sse"

	"github.com/ai-worker/ai-worker/test/openapi/client/api"
)

// A fixture is what test/openapi has prepared.
type fixture struct {
	URL  string            // of the service
	Away string            // of a service whose record cannot be reached
	Keys map[string]string // by tenant
	Jobs map[string]string // ids, by status
	// Token is a browser token for the job that succeeded, and Expired one that has
	// expired.
	Token, Expired string
}

// A key is the API key that a client sends.
type key string

func (k key) ApiKey(context.Context, api.OperationName) (api.ApiKey, error) {
	return api.ApiKey{Token: string(k)}, nil
}

func (key) BrowserToken(context.Context, api.OperationName) (api.BrowserToken, error) {
	return api.BrowserToken{}, ogenerrors.ErrSkipClientSecurity
}

func (key) BrowserTokenInQuery(context.Context, api.OperationName) (api.BrowserTokenInQuery, error) {
	return api.BrowserTokenInQuery{}, ogenerrors.ErrSkipClientSecurity
}

// A token is the browser token that a client sends in the address.
type token string

func (token) ApiKey(context.Context, api.OperationName) (api.ApiKey, error) {
	return api.ApiKey{}, ogenerrors.ErrSkipClientSecurity
}

func (token) BrowserToken(context.Context, api.OperationName) (api.BrowserToken, error) {
	return api.BrowserToken{}, ogenerrors.ErrSkipClientSecurity
}

func (k token) BrowserTokenInQuery(context.Context, api.OperationName) (api.BrowserTokenInQuery, error) {
	return api.BrowserTokenInQuery{APIKey: string(k)}, nil
}

func setup(t *testing.T) fixture {
	t.Helper()
	var f fixture
	if err := json.Unmarshal([]byte(os.Getenv("OPENAPI_FIXTURE")), &f); err != nil {
		t.Fatalf("OPENAPI_FIXTURE: %v; run the test in test/openapi", err)
	}
	return f
}

func newClient(t *testing.T, url, apiKey string) *api.Client {
	t.Helper()
	return newClientWith(t, url, key(apiKey))
}

func newClientWith(t *testing.T, url string, security api.SecuritySource) *api.Client {
	t.Helper()
	c, err := api.NewClient(url, security)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// as returns an answer that must be a T.
func as[T any](t *testing.T) func(any, error) T {
	return func(answer any, err error) T {
		t.Helper()
		got, ok := answer.(T)
		if err != nil || !ok {
			t.Fatalf("got %T %+v with error %v, want a %T", answer, answer, err, got)
		}
		return got
	}
}

func TestJobsOfEveryStatus(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	for status, id := range f.Jobs {
		t.Run(status, func(t *testing.T) {
			got := as[*api.GetJobOKHeaders](t)(c.GetJob(t.Context(), api.GetJobParams{ID: id}))
			j := got.Response
			if string(j.Status) != status || j.ID.String() != id || !strings.HasPrefix(got.ETag, `W/"`) {
				t.Errorf("job %s is %s, with ETag %q", j.ID, j.Status, got.ETag)
			}
			if failed := status == "failed" || status == "partial"; failed == j.Error.Null {
				t.Errorf("its error is %+v", j.Error)
			}
			if ended := status != "queued" && status != "processing"; ended == j.CompletedAt.Null {
				t.Errorf("it ended at %+v", j.CompletedAt)
			}
			// The other picture of the job that is processing waits, for its next attempt.
			waits, started := status == "queued" || status == "processing", status != "queued" && status != "canceled"
			if waits == j.QueuePosition.Null ||
				started == j.StartedAt.Null {
				t.Errorf("it started at %+v, and its position is %+v", j.StartedAt, j.QueuePosition)
			}
		})
	}
}

func TestGenerateCancelAndWait(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	request := &api.GenerateRequest{
		Prompt: "a fox", Count: api.NewOptInt64(2), Seed: api.NewOptInt32(-7), Priority: api.NewOptGenerateRequestPriority("low"),
		Metadata: api.NewOptGenerateRequestMetadata(api.GenerateRequestMetadata{"order": []byte("7")}),
	}
	params := api.GenerateImagesParams{IdempotencyKey: api.NewOptString("once"), Prefer: api.NewOptString("wait=0")}
	accepted := as[*api.GenerateImagesAccepted](t)(c.GenerateImages(t.Context(), request, params))
	j := accepted.Response
	if accepted.Location != "/api/jobs/"+j.ID.String() || accepted.PreferenceApplied.Value != "wait=0" ||
		j.Input.Seed.Value != -7 || string(j.Metadata["order"]) != "7" || j.Priority != "low" || len(j.Images) != 2 {
		t.Errorf("got %+v", accepted)
	}
	canceled := as[*api.CancelJobOKHeaders](t)(c.CancelJob(t.Context(), api.CancelJobParams{ID: j.ID.String()}))
	if p := canceled.Response.Progress; p.Canceled != 2 || p.Total != 2 {
		t.Errorf("after the cancellation: %+v", p)
	}
	params.Prefer = api.NewOptString("wait=1")
	created := as[*api.GenerateImagesCreated](t)(c.GenerateImages(t.Context(), request, params))
	if created.Response.ID != j.ID || created.Response.Status != "canceled" {
		t.Errorf("the same request again: %+v", created.Response)
	}
}

func TestUnchangedJobsAreNotSentAgain(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	params := api.GetJobParams{ID: f.Jobs["succeeded"]}
	params.IfNoneMatch = api.NewOptString(as[*api.GetJobOKHeaders](t)(c.GetJob(t.Context(), params)).ETag)
	if got := as[*api.GetJobNotModified](t)(c.GetJob(t.Context(), params)); got.ETag != params.IfNoneMatch.Value {
		t.Errorf("got %+v", got)
	}
}

func TestProblems(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	request := &api.GenerateRequest{Prompt: " ", ExpiresIn: api.NewOptInt64(int64(time.Hour.Seconds()))}
	unprocessable := as[*api.GenerateImagesUnprocessableEntity](t)(c.GenerateImages(t.Context(), request, api.GenerateImagesParams{}))
	if len(unprocessable.Errors) != 1 || unprocessable.Errors[0].Location.Value != "body.prompt" || unprocessable.Status != 422 {
		t.Errorf("got %+v", unprocessable)
	}
	as[*api.GetJobNotFound](t)(c.GetJob(t.Context(), api.GetJobParams{ID: "nonsense"}))
	as[*api.CancelJobNotFound](t)(c.CancelJob(t.Context(), api.CancelJobParams{ID: "nonsense"}))
	unknown := newClient(t, f.URL, "unknown")
	unauthorized := as[*api.ProblemHeaders](t)(unknown.GetJob(t.Context(), api.GetJobParams{ID: f.Jobs["queued"]}))
	if unauthorized.WWWAuthenticate == "" || unauthorized.Response.Status != 401 {
		t.Errorf("got %+v", unauthorized)
	}
	full := newClient(t, f.URL, f.Keys["full"])
	tooMany := as[*api.GenerateImagesTooManyRequests](t)(
		full.GenerateImages(t.Context(), &api.GenerateRequest{Prompt: "a fox"}, api.GenerateImagesParams{}))
	if tooMany.RetryAfter != 1 || tooMany.Response.Status != 429 || !strings.Contains(tooMany.Response.Detail, "MAX_WAITING_PICTURES") {
		t.Errorf("got %+v", tooMany)
	}
	away := newClient(t, f.Away, f.Keys["web"])
	unavailable := as[*api.GenerateImagesServiceUnavailable](t)(
		away.GenerateImages(t.Context(), &api.GenerateRequest{Prompt: "a fox"}, api.GenerateImagesParams{}))
	if unavailable.RetryAfter < 1 || unavailable.Response.Detail == "" {
		t.Errorf("got %+v", unavailable)
	}
}

func TestList(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	list := func(params api.ListJobsParams) api.JobList {
		t.Helper()
		return as[*api.JobListHeaders](t)(c.ListJobs(t.Context(), params)).Response
	}
	params := api.ListJobsParams{Limit: api.NewOptInt64(4), CreatedBefore: api.NewOptDateTime(time.Now().Add(time.Hour))}
	seen := make(map[string]bool)
	for more := true; more; {
		page := list(params)
		for _, j := range page.Jobs {
			if seen[j.ID.String()] {
				t.Errorf("job %s is on two pages", j.ID)
			}
			seen[j.ID.String()] = true
		}
		params.Cursor, more = api.NewOptString(page.NextCursor.Value), !page.NextCursor.Null
	}
	for status, id := range f.Jobs {
		if !seen[id] {
			t.Errorf("the %s job is on no page", status)
		}
	}
	params = api.ListJobsParams{
		Status: []api.ListJobsStatusItem{"partial", "failed"}, Q: api.NewOptString("FOX"),
		Metadata:     api.NewOptListJobsMetadata(api.ListJobsMetadata{"metadata.shop": "eu & us"}),
		CreatedAfter: api.NewOptDateTime(time.Now().Add(-time.Hour)),
	}
	if page := list(params); len(page.Jobs) != 2 || page.Jobs[0].ID.String() != f.Jobs["partial"] || page.Jobs[1].ID.String() != f.Jobs["failed"] {
		t.Errorf("partial and failed jobs: %+v", page.Jobs)
	}
	params.Metadata.Value["metadata.shop"] = "us"
	if page := list(params); len(page.Jobs) != 0 {
		t.Errorf("of other metadata: %+v", page.Jobs)
	}
	params.Cursor = api.NewOptString("nonsense")
	refused := as[*api.ListJobsUnprocessableEntity](t)(c.ListJobs(t.Context(), params))
	if len(refused.Errors) != 1 || refused.Errors[0].Location.Value != "query.cursor" {
		t.Errorf("a bad cursor: %+v", refused)
	}
}

func TestRetryAndDelete(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	params := api.RetryJobParams{ID: f.Jobs["canceled"], IdempotencyKey: api.NewOptString("again")}
	again := as[*api.RetryJobAcceptedHeaders](t)(c.RetryJob(t.Context(), params))
	j := again.Response
	if again.Location != "/api/jobs/"+j.ID.String() || j.RetryOf.Value.String() != f.Jobs["canceled"] || j.Input.Count != 2 {
		t.Errorf("got %+v", again)
	}
	as[*api.RetryJobConflict](t)(c.RetryJob(t.Context(), api.RetryJobParams{ID: f.Jobs["succeeded"]}))
	open := api.DeleteJobParams{ID: j.ID.String()}
	if p := as[*api.DeleteJobConflict](t)(c.DeleteJob(t.Context(), open)); !strings.Contains(p.Detail, "/cancel") {
		t.Errorf("got %+v", p)
	}
	as[*api.CancelJobOKHeaders](t)(c.CancelJob(t.Context(), api.CancelJobParams{ID: open.ID}))
	as[*api.DeleteJobNoContent](t)(c.DeleteJob(t.Context(), open))
	as[*api.DeleteJobNotFound](t)(c.DeleteJob(t.Context(), open))
}

// A picture is uploaded straight into the bucket, and a job then has it.
func TestUpload(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	u := as[*api.CreateUploadCreatedHeaders](t)(c.CreateUpload(t.Context(),
		&api.UploadRequest{ContentType: "image/png", Bytes: int64(picture.Len())})).Response
	generate := &api.GenerateRequest{Prompt: "a fox", InputImages: []string{u.ID.String()}}
	as[*api.GenerateImagesUnprocessableEntity](t)(c.GenerateImages(t.Context(), generate, api.GenerateImagesParams{}))
	put, err := http.NewRequestWithContext(t.Context(), string(u.Method), u.URL.String(), &picture)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range u.Headers {
		put.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(put)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the bucket answers %s", answer.Status)
	}
	j := as[*api.GenerateImagesAccepted](t)(c.GenerateImages(t.Context(), generate, api.GenerateImagesParams{})).Response
	if len(j.Input.InputImages) != 1 {
		t.Errorf("the job has %v", j.Input.InputImages)
	}
}

func TestEvents(t *testing.T) {
	f := setup(t)
	c := newClientWith(t, f.URL, token(f.Token))
	params := api.GetJobEventsParams{ID: f.Jobs["succeeded"]}
	stream := as[*api.GetJobEventsOKHeaders](t)(c.GetJobEvents(t.Context(), params)).Response
	e, err := sse.NewDecoder(stream.Data, 0, 0, "", nil).Decode()
	if err != nil {
		t.Fatal(err)
	}
	var j api.JobResource
	if err := json.Unmarshal([]byte(e.Data), &j); err != nil || e.Type != "job" || e.ID != strconv.FormatInt(j.Version, 10) ||
		j.ID.String() != params.ID || j.Status != "succeeded" {
		t.Errorf("got %+v, %v", e, err)
	}
	params.HeaderLastEventID = api.NewOptString(e.ID)
	as[*api.GetJobEventsNoContent](t)(c.GetJobEvents(t.Context(), params))
	params.ID = "nonsense"
	as[*api.GetJobEventsNotFound](t)(newClient(t, f.URL, f.Keys["web"]).GetJobEvents(t.Context(), params))
}

func TestBrowserTokens(t *testing.T) {
	f := setup(t)
	params := api.GetJobParams{ID: f.Jobs["succeeded"]}
	good := newClientWith(t, f.URL, token(f.Token))
	if got := as[*api.GetJobOKHeaders](t)(good.GetJob(t.Context(), params)); got.ReferrerPolicy.Value != "no-referrer" {
		t.Errorf("got %+v", got)
	}
	for code, c := range map[string]*api.Client{
		"token_expired": newClientWith(t, f.URL, token(f.Expired)), "token_invalid": newClientWith(t, f.URL, token("a.b.c")),
	} {
		if got := as[*api.ProblemHeaders](t)(c.GetJob(t.Context(), params)); got.Response.Code.Value != code || got.Response.Status != 401 {
			t.Errorf("got %+v, want %s", got, code)
		}
	}
}
