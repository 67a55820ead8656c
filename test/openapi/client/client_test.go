// Package client_test calls the service by the client that ogen generates from
// its OpenAPI document. test/openapi starts the service, and runs this.
package client_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/test/openapi/client/api"
)

// A fixture is what test/openapi has prepared.
type fixture struct {
	URL  string            // of the service
	Away string            // of a service whose record cannot be reached
	Keys map[string]string // by tenant
	Jobs map[string]string // ids, by status
}

// A key is the API key that a client sends.
type key string

func (k key) ApiKey(context.Context, api.OperationName) (api.ApiKey, error) {
	return api.ApiKey{Token: string(k)}, nil
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
	c, err := api.NewClient(url, key(apiKey))
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
			if waits, started := status == "queued", status != "queued" && status != "canceled"; waits == j.QueuePosition.Null ||
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
