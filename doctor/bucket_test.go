package doctor_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/storage"
)

const bucketName = "pictures"

// A bucketTest is an S3 server and the settings of its client.
type bucketTest struct {
	server *s3.Server
	cfg    storage.Config
}

func setupBucket(t *testing.T) *bucketTest {
	t.Helper()
	srv, err := s3.Start(s3.Options{Bucket: bucketName})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return &bucketTest{server: srv, cfg: storage.Config{
		Endpoint: srv.URL(), AccessKeyID: "an-access-key-id", SecretAccessKey: "a-secret-access-key",
		Bucket: bucketName, MaxBackoff: time.Millisecond,
	}}
}

func (b *bucketTest) examine(t *testing.T) []doctor.Finding {
	t.Helper()
	return examine(t, doctor.Pictures{
		Bucket: storage.NewR2(b.cfg), Name: b.cfg.Bucket, PublicURL: b.cfg.PublicURL, HTTP: http.DefaultClient,
	}.Check())
}

// startProxy starts a server that changes requests and passes them on to the
// bucket, and returns its URL.
func (b *bucketTest) startProxy(t *testing.T, path string, change func(*http.Request)) string {
	t.Helper()
	target, err := url.Parse(b.server.URL() + path)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		change(r.Out)
	}})
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestBucket(t *testing.T) {
	t.Parallel()
	b := setupBucket(t)
	var left, seen []string
	b.server.Fail(func(r *http.Request) s3.Fault {
		seen = append(seen, r.Method)
		if r.Method == http.MethodPut {
			left = append(left, r.URL.Path)
		}
		return s3.Fault{}
	})
	expect(t, b.examine(t), want{doctor.OK, "", "bucket pictures: written once, read, shown at presigned URLs, deleted", ""})
	if got := strings.Join(seen, " "); got != "PUT GET PUT GET DELETE" {
		t.Errorf("it sent %s", got)
	}
	b.server.Fail(nil)
	r2 := storage.NewR2(b.cfg)
	for _, path := range left {
		key := strings.TrimPrefix(path, "/"+bucketName+"/")
		if data, err := r2.Read(t.Context(), key); err == nil || !strings.HasPrefix(key, "doctor/") {
			t.Errorf("it left %q in %s", data, key)
		}
	}
}

func TestBucketThatIsPublic(t *testing.T) {
	t.Parallel()
	b := setupBucket(t)
	b.cfg.PublicURL = b.startProxy(t, "/"+bucketName, func(*http.Request) {})
	expect(t, b.examine(t), want{doctor.OK, "", "shown at " + strings.TrimPrefix(b.cfg.PublicURL, "http://"), ""})
}

func TestBucketThatIsMissing(t *testing.T) {
	t.Parallel()
	b := setupBucket(t)
	b.cfg.Bucket = "paintings"
	expect(t, b.examine(t), want{doctor.Failed, "", "bucket paintings cannot be written: the account has no such bucket", "wrangler r2 bucket create paintings"})
}

func TestBucketThatIsRefused(t *testing.T) {
	t.Parallel()
	for code, tt := range map[string]struct {
		status int
		want   want
	}{
		"InvalidAccessKeyId":    {403, want{doctor.Failed, "", "R2_ACCESS_KEY_ID is no access key", "R2_ACCESS_KEY_ID"}},
		"SignatureDoesNotMatch": {403, want{doctor.Failed, "", "R2_SECRET_ACCESS_KEY does not belong", "R2_SECRET_ACCESS_KEY"}},
		"Unauthorized":          {401, want{doctor.Failed, "", "are not valid in the account", "API Tokens"}},
		"AccessDenied":          {403, want{doctor.Failed, "", "the token may not do that", "Object Read & Write"}},
		"NotEntitled":           {403, want{doctor.Failed, "", "no R2 subscription", "Turn R2 on"}},
		"InvalidBucketName":     {400, want{doctor.Failed, "", "no bucket can have that name", "R2_BUCKET"}},
		"RequestTimeTooSkewed":  {403, want{doctor.Failed, "", "clocks of this machine and of R2", "timedatectl"}},
		"NotImplemented":        {501, want{doctor.Failed, "", "NotImplemented", "R2_ENDPOINT"}},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b := setupBucket(t)
			b.server.Fail(func(*http.Request) s3.Fault { return s3.Fault{Status: tt.status, Code: code} })
			expect(t, b.examine(t), tt.want)
		})
	}
}

func TestBucketOutOfReach(t *testing.T) {
	t.Parallel()
	b := setupBucket(t)
	b.cfg.Endpoint = "http://" + nobody(t)
	expect(t, b.examine(t), want{doctor.Failed, "", "connection refused", "R2_ENDPOINT"})
}

// The token allows only a part of the work.
func TestBucketThatLetsSomeThingsBeDone(t *testing.T) {
	t.Parallel()
	denied := s3.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	var again atomic.Int32
	for name, tt := range map[string]struct {
		denied func(*http.Request) bool
		wants  []want
	}{
		"no reading": {
			func(r *http.Request) bool { return r.Method == http.MethodGet },
			[]want{
				{doctor.Failed, "", "cannot be read: the token may not", "Object Read & Write"},
				{doctor.Failed, "", "a presigned URL of bucket pictures is answered with 403", "clock"},
			},
		},
		"no deleting": {
			func(r *http.Request) bool { return r.Method == http.MethodDelete },
			[]want{{doctor.Failed, "", "cannot be deleted from: the token may not do that; doctor/", "Object Read & Write"}},
		},
		"no second writing": {
			func(r *http.Request) bool { return r.Method == http.MethodPut && again.Add(1) == 2 },
			[]want{{doctor.Failed, "", "cannot be written again: the token may not", "Object Read & Write"}},
		},
		"no presigned URLs": {
			func(r *http.Request) bool { return r.URL.Query().Has("X-Amz-Signature") },
			[]want{{doctor.Failed, "", "a presigned URL of bucket pictures is answered with 403", "clock"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupBucket(t)
			b.server.Fail(func(r *http.Request) s3.Fault {
				if tt.denied(r) {
					return denied
				}
				return s3.Fault{}
			})
			expect(t, b.examine(t), tt.wants...)
		})
	}
}

func TestBucketThatCanBeOverwritten(t *testing.T) {
	t.Parallel()
	b := setupBucket(t)
	b.cfg.Endpoint = b.startProxy(t, "", func(r *http.Request) { r.Header.Del("If-None-Match") })
	expect(t, b.examine(t),
		want{doctor.Failed, "", "lets a picture be overwritten", "If-None-Match"},
		// It was overwritten, and so the URL shows something else.
		want{doctor.Failed, "", "a presigned URL", ""})
}

func TestBucketWhosePublicURLIsWrong(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(other.Close)
	empty := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(empty.Close)
	for name, tt := range map[string]struct {
		url  string
		want want
	}{
		"another site": {other.URL, want{doctor.Failed, "", "shows something else", "wrangler r2 bucket domain add pictures"}},
		"nothing":      {empty.URL, want{doctor.Failed, "", "R2_PUBLIC_URL answers 404", "R2_PUBLIC_URL"}},
		"nobody":       {"http://" + nobody(t), want{doctor.Failed, "", "cannot be fetched from", "R2_PUBLIC_URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupBucket(t)
			b.cfg.PublicURL = tt.url
			expect(t, b.examine(t), tt.want)
		})
	}
}

// offline is a client that reaches nobody.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }

func TestBucketWhosePicturesCannotBeFetched(t *testing.T) {
	t.Parallel()
	b := setupBucket(t)
	got := examine(t, doctor.Pictures{
		Bucket: storage.NewR2(b.cfg), Name: bucketName, HTTP: &http.Client{Transport: offline{}},
	}.Check())
	expect(t, got, want{doctor.Failed, "", "a presigned URL of bucket pictures cannot be fetched: no route", "R2_ENDPOINT"})
}

// forgetful is a bucket that returns other data than was stored.
type forgetful struct{ doctor.Bucket }

func (forgetful) Read(context.Context, string) ([]byte, error) { return []byte("what?"), nil }

func TestBucketThatGivesBackSomethingElse(t *testing.T) {
	t.Parallel()
	b := setupBucket(t)
	got := examine(t, doctor.Pictures{
		Bucket: forgetful{storage.NewR2(b.cfg)}, Name: bucketName, HTTP: http.DefaultClient,
	}.Check())
	expect(t, got, want{doctor.Failed, "", "something else than was written", "R2_ENDPOINT"})
}
