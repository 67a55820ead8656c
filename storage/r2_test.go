package storage_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/storage"
)

const (
	bucket    = "pictures"
	accessKey = "AKIDPUBLICPART0123456789abcdef00"
	secretKey = "5ecre7-never-to-be-seen-anywhere"
)

// setup starts an S3 server and returns it with a client of its bucket.
func setup(t testing.TB) (*s3.Server, *storage.R2) {
	t.Helper()
	srv, err := s3.Start(s3.Options{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, storage.NewR2(config(srv.URL()))
}

// answering returns a client of a server that answers with handler.
func answering(t testing.TB, handler http.HandlerFunc) *storage.R2 {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return storage.NewR2(config(srv.URL))
}

func config(endpoint string) storage.Config {
	return storage.Config{
		Endpoint:        endpoint,
		AccessKeyID:     accessKey,
		SecretAccessKey: secretKey,
		Bucket:          bucket,
		MaxBackoff:      time.Millisecond,
	}
}

// picture returns a picture whose bytes follow from seed.
func picture(seed string, size int) job.Picture {
	data := bytes.Repeat([]byte(seed), size/len(seed)+1)[:size]
	sum := sha256.Sum256(data)
	return job.Picture{
		Data: data, ContentType: "image/png", Width: 1344, Height: 768,
		SHA256: hex.EncodeToString(sum[:]), ModelVersion: "gemini-nano-banana-2.1-0926",
	}
}

// fetch gets url as a browser would.
func fetch(t *testing.T, url string) (http.Header, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s\n%s", url, resp.Status, body)
	}
	return resp.Header, body
}
