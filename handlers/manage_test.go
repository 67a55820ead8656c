package handlers_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
)

func TestRetry(t *testing.T) {
	b := setup(t)
	first := b.generate(`{"prompt":"a","count":2,"metadata":{"user":"u1"}}`).job(t)
	path := "/api/jobs/" + first.ID
	if p := b.do(http.MethodPost, path+"/retry", "").problem(t, http.StatusConflict); !strings.Contains(p.Detail, "not ended") {
		t.Errorf("an open job: %+v", p)
	}
	b.do(http.MethodPost, path+"/cancel", "")
	before := b.do(http.MethodGet, path, "").body

	a := b.do(http.MethodPost, path+"/retry", "")
	again := a.job(t)
	if a.code != http.StatusAccepted || a.header.Get("Location") != "/api/jobs/"+again.ID || again.ID == first.ID {
		t.Fatalf("got %d, %s with Location %q", a.code, again.ID, a.header.Get("Location"))
	}
	if again.RetryOf == nil || *again.RetryOf != first.ID || again.Input.Count != 2 || string(again.Metadata) != `{"user":"u1"}` {
		t.Errorf("the retry is %s", a.body)
	}
	if same := b.do(http.MethodPost, path+"/retry", "").job(t); same.ID != again.ID {
		t.Errorf("asked again, the retry is %s, want %s", same.ID, again.ID)
	}
	if diff := cmp.Diff(before, b.do(http.MethodGet, path, "").body); diff != "" {
		t.Errorf("the job that ended has changed:\n%s", diff)
	}
	b.do(http.MethodPost, path+"/retry", "", "Authorization", "Bearer "+otherKey).problem(t, http.StatusNotFound)
}

func TestRetryKnowsItsIdempotencyKey(t *testing.T) {
	b := setup(t)
	path := "/api/jobs/" + b.generate(`{"prompt":"a"}`).job(t).ID
	b.do(http.MethodPost, path+"/cancel", "")
	first := b.do(http.MethodPost, path+"/retry", "", "Idempotency-Key", "k").job(t).ID
	b.do(http.MethodPost, "/api/jobs/"+first+"/cancel", "")
	if got := b.do(http.MethodPost, path+"/retry", "", "Idempotency-Key", "k").job(t).ID; got != first {
		t.Errorf("repeated, the request made %s, want %s", got, first)
	}
	if got := b.do(http.MethodPost, path+"/retry", "", "Idempotency-Key", "l").job(t).ID; got == first {
		t.Error("another key got the retry that has ended")
	}
	b.generate(`{"prompt":"a"}`, "Idempotency-Key", "k").problem(t, http.StatusUnprocessableEntity)
}

// A job that is being removed has lost its pictures before the record forgets it.
func TestRetryOfAJobWhoseInputsAreGone(t *testing.T) {
	b := setup(t)
	path := "/api/jobs/" + b.generate(`{"prompt":"a","input_images":["data:image/png;base64,`+base64.StdEncoding.EncodeToString(newPNG(t))+`"]}`).job(t).ID
	b.do(http.MethodPost, path+"/cancel", "")
	b.inputs.Err = &job.NoUploadError{ID: "inputs/x/0", Why: "It is not stored any more."}
	if p := b.do(http.MethodPost, path+"/retry", "").problem(t, http.StatusConflict); !strings.Contains(p.Detail, "not stored any more") {
		t.Errorf("the problem is %+v", p)
	}
}

func TestDelete(t *testing.T) {
	b := setup(t)
	path := "/api/jobs/" + b.generate(`{"prompt":"a"}`).job(t).ID
	if p := b.do(http.MethodDelete, path, "").problem(t, http.StatusConflict); !strings.Contains(p.Detail, path+"/cancel") {
		t.Errorf("an open job: %+v", p)
	}
	b.do(http.MethodPost, path+"/cancel", "")
	b.do(http.MethodDelete, path, "", "Authorization", "Bearer "+otherKey).problem(t, http.StatusNotFound)
	if a := b.do(http.MethodDelete, path, ""); a.code != http.StatusNoContent || a.body != "" {
		t.Errorf("got %d %s", a.code, a.body)
	}
	b.do(http.MethodGet, path, "").problem(t, http.StatusNotFound)
	b.do(http.MethodDelete, path, "").problem(t, http.StatusNotFound)
}

// A process that ends right after it removed a row leaves the job's snapshot. The
// repeated request removes that.
func TestDeleteEndsARemovalThatWasCutShort(t *testing.T) {
	b := setup(t)
	j := b.generate(`{"prompt":"a"}`).job(t)
	path := "/api/jobs/" + j.ID
	b.do(http.MethodPost, path+"/cancel", "")
	if err := b.kept.Delete(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if a := b.do(http.MethodDelete, path, ""); a.code != http.StatusNoContent {
		t.Errorf("got %d %s", a.code, a.body)
	}
	b.do(http.MethodGet, path, "").problem(t, http.StatusNotFound)
}

func TestUploads(t *testing.T) {
	b := setup(t)
	a := b.do(http.MethodPost, "/api/uploads", `{"content_type":"image/png","bytes":1234}`, "Content-Type", "application/json")
	var u handlers.UploadResource
	decode(t, a.body, &u)
	if a.code != http.StatusCreated || u.Method != http.MethodPut || u.Headers["Content-Type"] != "image/png" ||
		!strings.HasPrefix(u.URL, "https://s3.example.com/b/uploads/"+u.ID) || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %s", a.code, a.body)
	}
	j := b.generate(`{"prompt":"a","input_images":["` + u.ID + `"]}`)
	if got := j.job(t).Input.InputImages; j.code != http.StatusAccepted || len(got) != 1 || !strings.HasPrefix(got[0], "https://pictures.example.com/") {
		t.Errorf("a job with the upload: %d %s", j.code, j.body)
	}
	for _, id := range []string{"f1a2183e-65d9-7777-afb8-2fa15fb70e21", strings.ToUpper(u.ID)} { // unknown; not as it was given
		p := b.generate(`{"prompt":"a","input_images":["https://example.com/a.png","`+id+`"]}`).problem(t, http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Location != "body.input_images[1]" {
			t.Errorf("%s: %+v", id, p)
		}
	}
	for _, body := range []string{
		`{"content_type":"image/gif","bytes":1}`, `{"content_type":"image/png","bytes":0}`, `{"content_type":"image/png","bytes":20971521}`,
		`{"content_type":"image/png"}`, `{}`, `{"content_type":"image/png","bytes":1,"Bytes":2}`,
	} {
		b.do(http.MethodPost, "/api/uploads", body, "Content-Type", "application/json").problem(t, http.StatusUnprocessableEntity)
	}
}
