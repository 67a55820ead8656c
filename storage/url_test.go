package storage_test

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/storage"
)

const endpoint = "https://0123456789abcdef.r2.cloudflarestorage.com"

func TestPublicURL(t *testing.T) {
	for _, public := range []string{"https://img.example.com/a", "https://img.example.com/a/"} {
		cfg := config(endpoint)
		cfg.PublicURL = public
		got, err := storage.NewR2(cfg).URL("images/x/0")
		if err != nil || got != "https://img.example.com/a/images/x/0" {
			t.Errorf("with %s: %s, error %v", public, got, err)
		}
	}
}

// presigned is the parts of a presigned URL that matter.
type presigned struct{ Place, Expires, Signed, Parameters string }

func parsePresigned(t *testing.T, link string) presigned {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	return presigned{
		Place:      u.Scheme + "://" + u.Host + u.Path,
		Expires:    query.Get("X-Amz-Expires"),
		Signed:     query.Get("X-Amz-SignedHeaders"),
		Parameters: join(slices.Sorted(maps.Keys(query))),
	}
}

func join(names []string) (s string) {
	for _, name := range names {
		s += name + " "
	}
	return s
}

const presignedParameters = "X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires " +
	"X-Amz-Signature X-Amz-SignedHeaders x-id "

// The URL is valid for seven days, R2's longest, and a GET that uses it needs
// no header but its host.
func TestPresignedURL(t *testing.T) {
	link, err := storage.NewR2(config(endpoint)).URL("images/x/0")
	if err != nil {
		t.Fatal(err)
	}
	want := presigned{
		Place: endpoint + "/pictures/images/x/0", Expires: "604800", Signed: "host", Parameters: presignedParameters,
	}
	if diff := cmp.Diff(want, parsePresigned(t, link)); diff != "" {
		t.Errorf("URL (-want +got):\n%s", diff)
	}
}

func TestFetchPresigned(t *testing.T) {
	_, r2 := setup(t)
	pic := picture("a", 1000)
	if _, err := r2.Put(t.Context(), "x", 0, pic); err != nil {
		t.Fatal(err)
	}
	link, err := r2.URL("images/x/0")
	if err != nil {
		t.Fatal(err)
	}
	header, body := fetch(t, link)
	got := []string{string(body)}
	for _, name := range []string{"Content-Type", "Cache-Control", "Content-Disposition", "Access-Control-Allow-Origin"} {
		got = append(got, header.Get(name))
	}
	want := []string{
		string(pic.Data), "image/png", "public, max-age=31536000, immutable", `inline; filename="x-0.png"`, "*",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// A browser saves a download as a file of the name that it is given, wherever
// pictures are shown from.
func TestDownload(t *testing.T) {
	_, r2 := setup(t)
	pic := picture("a", 1000)
	if _, err := r2.Put(t.Context(), "x", 0, pic); err != nil {
		t.Fatal(err)
	}
	link, err := r2.DownloadURL("images/x/0", "a b.png")
	if err != nil {
		t.Fatal(err)
	}
	header, body := fetch(t, link)
	if got := header.Get("Content-Disposition"); got != `attachment; filename="a b.png"` || string(body) != string(pic.Data) {
		t.Errorf("%d bytes, as %s", len(body), got)
	}
}

// The origin is where pictures are shown from: the public address, or the endpoint.
func TestOrigin(t *testing.T) {
	cfg := config(endpoint)
	for public, want := range map[string]string{"": endpoint, "https://img.example.com/pictures/": "https://img.example.com"} {
		cfg.PublicURL = public
		if got, err := storage.NewR2(cfg).Origin(); err != nil || got != want {
			t.Errorf("with %q: %s, error %v", public, got, err)
		}
	}
}

func TestSourceByReference(t *testing.T) {
	r2 := storage.NewR2(config(endpoint))
	in := job.InputImage{URL: "https://example.com/cat?a=b", ContentType: "image/webp"}
	got, err := r2.Source(t.Context(), in)
	if diff := cmp.Diff(job.Source{URL: in.URL, ContentType: "image/webp"}, got); diff != "" || err != nil {
		t.Errorf("error %v, of a URL (-want +got):\n%s", err, diff)
	}

	got, err = r2.Source(t.Context(), job.InputImage{Key: "inputs/x/0", ContentType: "image/png"})
	if err != nil || got.Data != nil || got.ContentType != "image/png" {
		t.Fatalf("of a key: %+v, error %v", got, err)
	}
	want := presigned{
		Place: endpoint + "/pictures/inputs/x/0", Expires: "3600", Signed: "host", Parameters: presignedParameters,
	}
	if diff := cmp.Diff(want, parsePresigned(t, got.URL)); diff != "" {
		t.Errorf("of a key (-want +got):\n%s", diff)
	}
}

// The model could not reach this endpoint, so the bytes are sent inline.
func TestSourceInline(t *testing.T) {
	_, r2 := setup(t)
	if _, err := r2.PutInput(t.Context(), "x", 0, []byte("bytes"), "image/jpeg"); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[job.InputImage]job.Source{
		{Key: "inputs/x/0"}:                              {Data: []byte("bytes"), ContentType: "image/jpeg"},
		{Key: "inputs/x/0", ContentType: "image/png"}:    {Data: []byte("bytes"), ContentType: "image/png"},
		{URL: "http://a.test/b", ContentType: "image/x"}: {URL: "http://a.test/b", ContentType: "image/x"},
	} {
		got, err := r2.Source(t.Context(), in)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%+v: error %v (-want +got):\n%s", in, err, diff)
		}
	}
	if _, err := r2.Source(t.Context(), job.InputImage{Key: "inputs/x/1"}); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("of no object: error %v", err)
	}
}

func TestSourceInlineHasALimit(t *testing.T) {
	const limit = 20 << 20
	for size, fits := range map[int]bool{limit: true, limit + 1: false} {
		r2 := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(size))
			w.Write(make([]byte, size))
		})
		got, err := r2.Source(t.Context(), job.InputImage{Key: "inputs/x/0"})
		if (err == nil) != fits {
			t.Errorf("%d bytes: got %d, error %v", size, len(got.Data), err)
		}
	}
}

// An object that is cut short on its way is an error, not half a picture.
func TestSourceInlineIsWhole(t *testing.T) {
	r2 := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("half"))
	})
	if got, err := r2.Source(t.Context(), job.InputImage{Key: "inputs/x/0"}); err == nil {
		t.Errorf("got %q", got.Data)
	}
}

// A job's snapshot makes a URL for each of its pictures at every change.
func BenchmarkURL(b *testing.B) {
	r2 := storage.NewR2(config(endpoint))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r2.URL("images/x/0"); err != nil {
			b.Fatal(err)
		}
	}
}

// All of a day get one URL, so that browsers and caches keep what is there. On
// another day it is another one, which is valid for as long.
func TestPresignedURLsAreTheSameForADay(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	cfg := config(endpoint)
	cfg.Now = func() time.Time { return now }
	r2 := storage.NewR2(cfg)
	seen := make(map[string]time.Time)
	for _, at := range []time.Duration{0, 12 * time.Hour, 24*time.Hour - 1, 24 * time.Hour, 30 * time.Hour} {
		now = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC).Add(at)
		link, err := r2.URL("images/x/0")
		if err != nil {
			t.Fatal(err)
		}
		seen[link] = r2.URLsExpire()
		if left := r2.URLsExpire().Sub(now); left <= 6*24*time.Hour || left > 7*24*time.Hour {
			t.Errorf("at %s a URL is valid for %s more, want 6 to 7 days", now, left)
		}
	}
	if len(seen) != 2 {
		t.Errorf("on two days there are %d URLs: %v", len(seen), seen)
	}
	cfg.PublicURL = "https://img.example.com"
	if at := storage.NewR2(cfg).URLsExpire(); !at.IsZero() {
		t.Errorf("public URLs expire at %s", at)
	}
}
