package storage_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
)

func TestStatOfNothing(t *testing.T) {
	_, r2 := setup(t)
	if _, _, found, err := r2.Stat(t.Context(), "x", 0); found || err != nil {
		t.Errorf("found: %v, error %v", found, err)
	}
}

// An object that lost its metadata, as when a bucket was copied, is found.
func TestStatOfABareObject(t *testing.T) {
	r2 := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Content-Length", "7")
		w.Header().Set("X-Amz-Meta-Width", "wide")
	})
	got, _, _, err := r2.Stat(t.Context(), "x", 0)
	want := job.Object{Key: "images/x/0", ContentType: "image/png", Bytes: 7}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

// Reading a finished picture's description does not read the picture.
func TestStatIsHEAD(t *testing.T) {
	var method string
	r2 := answering(t, func(_ http.ResponseWriter, r *http.Request) { method = r.Method })
	if _, _, _, err := r2.Stat(t.Context(), "x", 0); err != nil || method != http.MethodHead {
		t.Errorf("%s, error %v", method, err)
	}
}

// The worker that drew a picture may have died before it told what that cost.
func TestStatTellsWhatThePictureCost(t *testing.T) {
	_, r2 := setup(t)
	pic := picture("a fox", 100)
	pic.Answer = job.Answer{Tokens: &job.Tokens{Prompt: 400, Text: 1, Thought: 600, Image: 1120, Total: 2121}, CostMicros: 38_708, FinishReason: "STOP"}
	if _, err := r2.Put(t.Context(), "x", 0, pic); err != nil {
		t.Fatal(err)
	}
	_, got, found, err := r2.Stat(t.Context(), "x", 0)
	want := job.Answer{Tokens: pic.Answer.Tokens, CostMicros: 38_708}
	if diff := cmp.Diff(want, got); diff != "" || !found || err != nil {
		t.Errorf("found: %v, error %v (-want +got):\n%s", found, err, diff)
	}
}
