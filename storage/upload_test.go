package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/storage"
)

// putUpload puts bytes where a ticket says, and returns the answer's status.
func putUpload(t *testing.T, ticket job.UploadTicket, data []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, ticket.URL, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range ticket.Header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func isNoUpload(err error) bool {
	_, ok := errors.AsType[*job.NoUploadError](err)
	return ok
}

func somePNG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUploadsAreSignedWithSizeAndType(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	cfg := config(endpoint)
	cfg.Now = func() time.Time { return now }
	ticket, err := storage.NewR2(cfg).SignUpload("web", "image/png", 1234)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(ticket.URL)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{u.Query().Get("X-Amz-SignedHeaders"), u.Query().Get("X-Amz-Expires"), ticket.ExpiresAt.String()}
	want := []string{"content-length;content-type;host", "900", now.Add(15 * time.Minute).String()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the ticket (-want +got):\n%s", diff)
	}
}

func TestTakeUpload(t *testing.T) {
	_, r2 := setup(t)
	data := somePNG(t)
	ticket, err := r2.SignUpload("web", "image/jpeg", int64(len(data))) // the caller is wrong about the type
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r2.TakeUpload(t.Context(), "web", ticket.ID, "x", 0); !isNoUpload(err) {
		t.Errorf("took what was not put: %v", err)
	}
	if err := r2.CheckUpload(t.Context(), "web", ticket.ID); !isNoUpload(err) {
		t.Errorf("found what was not put: %v", err)
	}
	if status := putUpload(t, ticket, data); status != http.StatusOK {
		t.Fatalf("PUT: %d", status)
	}
	if err := r2.CheckUpload(t.Context(), "web", ticket.ID); err != nil {
		t.Errorf("not found: %v", err)
	}
	got, err := r2.TakeUpload(t.Context(), "web", ticket.ID, "x", 3)
	if want := (job.InputImage{Key: "inputs/x/3", ContentType: "image/png"}); got != want || err != nil {
		t.Fatalf("took %+v, error %v, want %+v", got, err, want)
	}
	src, err := r2.Source(t.Context(), got)
	if !bytes.Equal(src.Data, data) || err != nil {
		t.Errorf("the model gets %d bytes, error %v, want %d", len(src.Data), err, len(data))
	}
	if _, err := r2.TakeUpload(t.Context(), "other", ticket.ID, "x", 0); !isNoUpload(err) {
		t.Errorf("another tenant took it: %v", err)
	}
}

func TestTakeUploadOfNoPicture(t *testing.T) {
	_, r2 := setup(t)
	ticket, err := r2.SignUpload("web", "image/png", 5)
	if err != nil {
		t.Fatal(err)
	}
	putUpload(t, ticket, []byte("hello"))
	if _, err := r2.TakeUpload(t.Context(), "web", ticket.ID, "x", 0); !isNoUpload(err) {
		t.Errorf("took a text: %v", err)
	}
	if err := r2.CheckUpload(t.Context(), "web", ticket.ID); !isNoUpload(err) {
		t.Errorf("found a text: %v", err)
	}
}

func TestCopyInput(t *testing.T) {
	_, r2 := setup(t)
	key, err := r2.PutInput(t.Context(), "x", 0, []byte("bytes"), "image/jpeg")
	if err != nil {
		t.Fatal(err)
	}
	got, err := r2.CopyInput(t.Context(), key, "image/jpeg", "y", 1)
	if want := (job.InputImage{Key: "inputs/y/1", ContentType: "image/jpeg"}); got != want || err != nil {
		t.Errorf("copied %+v, error %v, want %+v", got, err, want)
	}
	if err := r2.Remove(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	src, err := r2.Source(t.Context(), got)
	if string(src.Data) != "bytes" || err != nil {
		t.Errorf("the copy has %q, error %v", src.Data, err)
	}
	if _, err := r2.CopyInput(t.Context(), key, "image/jpeg", "y", 1); !isNoUpload(err) {
		t.Errorf("copied what is gone: %v", err)
	}
}

func TestRemoveUploads(t *testing.T) {
	_, r2 := setup(t)
	data := somePNG(t)
	for range 3 {
		ticket, err := r2.SignUpload("web", "image/png", int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		putUpload(t, ticket, data)
	}
	got := fmt.Sprint(removed(t, r2, -time.Hour), removed(t, r2, time.Hour), removed(t, r2, time.Hour))
	if got != "0 3 0" {
		t.Errorf("removed %s, want those that are old, once", got)
	}
}

// One upload that cannot be removed keeps no other back, today or any day.
func TestRemoveUploadsGoesOnPastOneThatStays(t *testing.T) {
	server, r2 := setup(t)
	data := somePNG(t)
	var first string
	for range 3 {
		ticket, err := r2.SignUpload("web", "image/png", int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		putUpload(t, ticket, data)
		if first == "" {
			first = ticket.ID
		}
	}
	server.Fail(func(r *http.Request) s3.Fault {
		if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, first) {
			return s3.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return s3.Fault{}
	})
	if n, more, err := r2.RemoveUploads(t.Context(), time.Now().Add(time.Hour)); n != 2 || more || err == nil {
		t.Errorf("removed %d, more %t, error %v; want two and an error", n, more, err)
	}
	server.Fail(nil)
	if got := removed(t, r2, time.Hour); got != 1 {
		t.Errorf("removed %d the next day, want the one that stayed", got)
	}
}

// removed removes the uploads that were signed before so long after now.
func removed(t *testing.T, r2 *storage.R2, after time.Duration) int {
	t.Helper()
	n, more, err := r2.RemoveUploads(t.Context(), time.Now().Add(after))
	if err != nil || more {
		t.Errorf("more %t, error %v", more, err)
	}
	return n
}

// What is stored is what was looked at, although the caller may put another
// picture to the same URL at any time.
func TestTakeUploadOfWhatIsReplacedMeanwhile(t *testing.T) {
	server, r2 := setup(t)
	data := somePNG(t)
	ticket, err := r2.SignUpload("web", "image/png", int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	putUpload(t, ticket, data)
	replaced := false
	server.Fail(func(r *http.Request) s3.Fault {
		if r.Header.Get("X-Amz-Copy-Source") != "" && !replaced {
			replaced = true
			putUpload(t, ticket, bytes.Repeat([]byte("<"), len(data)))
		}
		return s3.Fault{}
	})
	if img, err := r2.TakeUpload(t.Context(), "web", ticket.ID, "x", 0); !replaced || !isNoUpload(err) {
		t.Errorf("took %+v, error %v", img, err)
	}
}
