package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
)

// idAt returns the id of the n-th job made at a time.
func idAt(at time.Time, n int) string {
	ms := fmt.Sprintf("%012x", at.UnixMilli())
	return fmt.Sprintf("%s-%s-7000-8000-%012x", ms[:8], ms[8:], n)
}

// The list ends with the last job made before a time, and has what is jobs' only.
func TestListHasWhatIsStoredForOldJobs(t *testing.T) {
	_, r2 := setup(t)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	old, next, young := idAt(noon.Add(-time.Hour), 1), idAt(noon.Add(-time.Millisecond), 2), idAt(noon, 0)
	for _, id := range []string{young, next, old, "no-job", "0199A5A0-0000-7000-8000-000000000000", "0199a5a0-0000-4000-8000-000000000000"} {
		if _, err := r2.Put(t.Context(), id, 10, picture("a", 10)); err != nil {
			t.Fatal(err)
		}
		if _, err := r2.PutInput(t.Context(), id, 0, []byte("bytes"), "image/png"); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"doctor/x", "images/" + old + "/thumbnail", "images/" + old, "imagesx/" + old + "/0"} {
		if _, err := r2.PutOnce(t.Context(), key, []byte("bytes")); err != nil {
			t.Fatal(err)
		}
	}
	var got []job.StoredObject
	pages := 0
	for after := ""; after != "" || pages == 0; pages++ {
		page, next, err := r2.List(t.Context(), after, noon)
		if err != nil {
			t.Fatal(err)
		}
		got, after = append(got, page...), next
	}
	want := []job.StoredObject{
		{Key: "images/" + old + "/10", JobID: old}, {Key: "images/" + next + "/10", JobID: next},
		{Key: "inputs/" + old + "/0", JobID: old}, {Key: "inputs/" + next + "/0", JobID: next},
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 2 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
}

// A page of S3 has a thousand keys. Nothing is passed over or listed twice, even if
// what was listed is removed meanwhile.
func TestListGoesOnWhereAPageEnded(t *testing.T) {
	_, r2 := setup(t)
	const objects = 1_700
	at := time.Now()
	for i := range objects {
		if _, err := r2.PutInput(t.Context(), idAt(at, i/2), i%2, []byte("x"), "image/png"); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	var sizes []int
	for after := ""; after != "" || len(sizes) == 0; {
		page, next, err := r2.List(t.Context(), after, at.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range page {
			keys = append(keys, o.Key)
			if i%3 == 0 {
				if err := r2.Remove(t.Context(), o.Key); err != nil {
					t.Fatal(err)
				}
			}
		}
		sizes, after = append(sizes, len(page)), next
	}
	if diff := cmp.Diff([]int{0, 1_000, 700}, sizes); diff != "" {
		t.Errorf("the pages (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(keys) || len(slices.Compact(keys)) != objects {
		t.Errorf("%d keys, sorted %v", len(keys), slices.IsSorted(keys))
	}
}

func TestRemoveJobRemovesWhatTheRowDoesNotName(t *testing.T) {
	_, r2 := setup(t)
	id, other := idAt(time.Now(), 1), idAt(time.Now(), 2)
	for i := range 3 {
		for _, of := range []string{id, other} {
			if _, err := r2.Put(t.Context(), of, i, picture("a", 10)); err != nil {
				t.Fatal(err)
			}
		}
	}
	key, err := r2.PutInput(t.Context(), id, 4, []byte("bytes"), "image/png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r2.PutInput(t.Context(), other, 4, []byte("bytes"), "image/png"); err != nil {
		t.Fatal(err)
	}
	j := job.Job{ID: id, Images: make([]job.Image, 3), Input: job.Input{InputImages: []job.InputImage{{URL: "https://example.com"}, {Key: key}}}}
	if err := r2.RemoveJob(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := r2.RemoveInput(t.Context(), other, 4); err != nil {
		t.Fatal(err)
	}
	var left []string
	for after, first := "", true; first || after != ""; first = false {
		page, next, err := r2.List(t.Context(), after, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			left = append(left, o.Key)
		}
		after = next
	}
	want := []string{"images/" + other + "/0", "images/" + other + "/1", "images/" + other + "/2"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
