package storage_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
)

const jobID = "0199c0de-7a11-7000-8000-00000000cafe"

func TestPutThenStat(t *testing.T) {
	tests := map[string]func(*job.Picture){
		"whole":                    func(*job.Picture) {},
		"another type":             func(p *job.Picture) { p.ContentType = "image/webp" },
		"no model version":         func(p *job.Picture) { p.ModelVersion = "" },
		"model version in a path":  func(p *job.Picture) { p.ModelVersion = "models/nano 100%" },
		"model version, not ASCII": func(p *job.Picture) { p.ModelVersion = "ナノバナナ\r\nX-Evil: 1" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			_, r2 := setup(t)
			pic := picture("a", 1000)
			change(&pic)
			key := "images/" + jobID + "/3"
			stored, err := r2.Put(t.Context(), jobID, 3, pic)
			if err != nil {
				t.Fatal(err)
			}
			found, _, ok, err := r2.Stat(t.Context(), jobID, 3)
			if err != nil || !ok {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]job.Object{pic.Object(key), pic.Object(key)}, []job.Object{stored, found}); diff != "" {
				t.Errorf("put and found (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPutKeepsAnEndlessModelVersionOut(t *testing.T) {
	_, r2 := setup(t)
	pic := picture("a", 10)
	pic.ModelVersion = strings.Repeat("version ", 10_000)
	if _, err := r2.Put(t.Context(), "x", 0, pic); err != nil {
		t.Fatal(err)
	}
	found, _, _, err := r2.Stat(t.Context(), "x", 0)
	if err != nil || found.ModelVersion != pic.ModelVersion[:512] {
		t.Errorf("found version %q, error %v", found.ModelVersion, err)
	}
}

// A PUT on the wire is one that R2 accepts: no checksum from the SDK, no
// chunks, and no Expect: 100-continue before the body.
func TestPutOnTheWire(t *testing.T) {
	pic := picture("wire", 3<<20)
	var got http.Header
	r2 := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != string(pic.Data) {
			t.Errorf("body of %d bytes, error %v", len(body), err)
		}
		got = r.Header.Clone()
		got.Set("Request", fmt.Sprint(r.Method, " ", r.URL, " ", r.ContentLength, r.TransferEncoding))
	})
	if _, err := r2.Put(t.Context(), jobID, 3, pic); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "User-Agent", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request"} {
		if got.Get(name) == "" {
			t.Errorf("no %s", name)
		}
		got.Del(name)
	}
	want := http.Header{
		"Request":                  {"PUT /pictures/images/" + jobID + "/3?x-id=PutObject 3145728 []"},
		"Accept-Encoding":          {"identity"},
		"Cache-Control":            {"public, max-age=31536000, immutable"},
		"Content-Disposition":      {`inline; filename="` + jobID + `-3.png"`},
		"Content-Length":           {"3145728"},
		"Content-Md5":              {"NT5eckTN1hXEabz3figF2A=="},
		"Content-Type":             {"image/png"},
		"If-None-Match":            {"*"},
		"X-Amz-Content-Sha256":     {pic.SHA256},
		"X-Amz-Meta-Height":        {"768"},
		"X-Amz-Meta-Model-Version": {"gemini-nano-banana-2.1-0926"},
		"X-Amz-Meta-Sha256":        {pic.SHA256},
		"X-Amz-Meta-Width":         {"1344"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

// The picture's hash is signed as given; it is not computed again.
func TestPutSignsTheKnownHash(t *testing.T) {
	var signed string
	r2 := answering(t, func(_ http.ResponseWriter, r *http.Request) { signed = r.Header.Get("X-Amz-Content-Sha256") })
	pic := picture("a", 10)
	pic.SHA256 = strings.Repeat("0a", 32)
	if _, err := r2.Put(t.Context(), "x", 0, pic); err != nil {
		t.Fatal(err)
	}
	if signed != pic.SHA256 {
		t.Errorf("signed %s", signed)
	}
}

func TestPutFindsTheKeyTaken(t *testing.T) {
	_, r2 := setup(t)
	first, second := picture("first", 900), picture("second", 800)
	var got []job.Object
	for _, pic := range []job.Picture{first, first, second} {
		obj, err := r2.Put(t.Context(), "x", 0, pic)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, obj)
	}
	want := first.Object("images/x/0")
	if diff := cmp.Diff([]job.Object{want, want, want}, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	link, err := r2.URL("images/x/0")
	if err != nil {
		t.Fatal(err)
	}
	if _, body := fetch(t, link); string(body) != string(first.Data) {
		t.Errorf("the first picture was replaced by %.20q", body)
	}
}

// However many deliveries of one image store at once, all get the same picture
// back.
func TestPutAtOnce(t *testing.T) {
	_, r2 := setup(t)
	got := make([]job.Object, 16)
	var group sync.WaitGroup
	for i := range got {
		group.Go(func() {
			var err error
			if got[i], err = r2.Put(t.Context(), "x", 0, picture(fmt.Sprint(i, "."), 5000)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range got {
		if diff := cmp.Diff(got[0], got[i]); diff != "" {
			t.Errorf("delivery %d differs from the first (-want +got):\n%s", i, diff)
		}
	}
}

// An upload reads the picture without copying it.
func TestPutCopiesNothing(t *testing.T) {
	r2 := answering(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	pic := picture("a", 16<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := r2.Put(t.Context(), "x", 0, pic); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 {
		t.Errorf("allocated %d bytes for a picture of %d", allocated, len(pic.Data))
	}
}

func TestPutInput(t *testing.T) {
	_, r2 := setup(t)
	for range 2 { // as when the request is sent again
		key, err := r2.PutInput(t.Context(), jobID, 4, []byte("bytes"), "image/jpeg")
		if err != nil || key != "inputs/"+jobID+"/4" {
			t.Fatalf("key %q, error %v", key, err)
		}
	}
	link, err := r2.URL("inputs/" + jobID + "/4")
	if err != nil {
		t.Fatal(err)
	}
	header, body := fetch(t, link)
	got := []string{string(body), header.Get("Content-Type"), header.Get("Content-Disposition")}
	if diff := cmp.Diff([]string{"bytes", "image/jpeg", "attachment"}, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func BenchmarkPut(b *testing.B) {
	r2 := answering(b, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	pic := picture("picture", 1_500_000)
	b.SetBytes(int64(len(pic.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r2.Put(b.Context(), "x", 0, pic); err != nil {
			b.Fatal(err)
		}
	}
}
