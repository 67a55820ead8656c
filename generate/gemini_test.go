package generate_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/gemini"
)

// testKey looks like a real key, so that redaction has something to do.
const testKey = "AIzaSyTestTestTestTestTestTestTest-123"

// setup returns a Gemini of the package under test and the server it talks to.
func setup(t *testing.T) (*generate.Gemini, *gemini.Server) {
	t.Helper()
	server, err := gemini.New(gemini.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, server), server
}

// dial returns a Gemini that talks to handler.
func dial(t *testing.T, handler http.Handler) *generate.Gemini {
	t.Helper()
	return dialAt(t, handler, noon)
}

// noon is 4 in the morning, Pacific standard time.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// dialAt returns a Gemini that talks to handler. Its clock always says now.
func dialAt(t *testing.T, handler http.Handler, now time.Time) *generate.Gemini {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	g, err := generate.NewGemini(t.Context(), generate.Config{
		APIKey: testKey, BaseURL: server.URL, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func request() job.Request {
	return job.Request{Model: "gemini-nano-banana-2.1", Prompt: "a fox", ImageSize: "512"}
}

func TestPicture(t *testing.T) {
	tests := map[string]struct {
		request job.Request
		fault   gemini.Fault
		want    job.Picture
	}{
		"png": {
			request: request(),
			want:    job.Picture{ContentType: "image/png", Width: 512, Height: 512, ModelVersion: "gemini-nano-banana-2.1"},
		},
		"jpeg, whatever was asked for": {
			request: request(), fault: gemini.JPEG,
			want: job.Picture{ContentType: "image/jpeg", Width: 512, Height: 512, ModelVersion: "gemini-nano-banana-2.1"},
		},
		"URL-safe base64": {
			request: request(), fault: gemini.URLSafe,
			want: job.Picture{ContentType: "image/png", Width: 512, Height: 512, ModelVersion: "gemini-nano-banana-2.1"},
		},
		"after a draft": {
			request: job.Request{Model: "gemini-3-pro-image", Prompt: "a fox", AspectRatio: "16:9", ImageSize: "1K"},
			want:    job.Picture{ContentType: "image/png", Width: 1376, Height: 768, ModelVersion: "gemini-3-pro-image"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g, server := setup(t)
			server.Next(test.fault)
			got, err := g.Generate(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(job.Picture{}, "Data", "SHA256", "Answer")); diff != "" {
				t.Errorf("picture (-want +got):\n%s", diff)
			}
			if sum := sha256.Sum256(got.Data); got.SHA256 != hex.EncodeToString(sum[:]) {
				t.Error("the sum is not that of the bytes")
			}
			if _, _, err := image.Decode(bytes.NewReader(got.Data)); err != nil {
				t.Errorf("the picture is damaged: %v", err)
			}
			if n := server.Stats().Requests; n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// TestRequest compares the whole body that is sent.
func TestRequest(t *testing.T) {
	seed := int32(7)
	tests := map[string]struct {
		request job.Request
		want    string
	}{
		"as little as possible": {
			request: job.Request{Model: "m", Prompt: "a fox"},
			want: `{"contents": [{"role": "user", "parts": [{"text": "a fox"}]}],
				"generationConfig": {"responseModalities": ["IMAGE"]}}`,
		},
		"everything": {
			request: job.Request{
				Model: "m", Prompt: "a fox", AspectRatio: "16:9", ImageSize: "2K", Seed: &seed,
				Sources: []job.Source{
					{URL: "https://x.test/a.png", ContentType: "image/png"},
					{URL: "https://x.test/b"},
					{Data: []byte("\x89PNG\r\n\x1a\n")},
				},
			},
			want: `{"contents": [{"role": "user", "parts": [{"text": "a fox"},
					{"fileData": {"fileUri": "https://x.test/a.png", "mimeType": "image/png"}},
					{"fileData": {"fileUri": "https://x.test/b"}},
					{"inlineData": {"data": "iVBORw0KGgo=", "mimeType": "image/png"}}]}],
				"generationConfig": {"responseModalities": ["IMAGE"], "seed": 7,
					"imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got any
			g := dial(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1beta/models/m:generateContent" || r.Header.Get("X-Goog-Api-Key") != testKey {
					t.Errorf("%s with key %q", r.URL.Path, r.Header.Get("X-Goog-Api-Key"))
				}
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
					t.Error(err)
				}
			}))
			if _, err := g.Generate(t.Context(), test.request); err == nil {
				t.Error("an empty answer made a picture")
			}
			var want any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewGeminiRefuses(t *testing.T) {
	for name, cfg := range map[string]generate.Config{
		"no key":              {},
		"a key with newline":  {APIKey: testKey + "\n"},
		"a base URL without":  {APIKey: testKey, BaseURL: "localhost:1234"},
		"a base URL of files": {APIKey: testKey, BaseURL: "file:///etc"},
	} {
		_, err := generate.NewGemini(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "AIza") {
			t.Errorf("%s: the error tells the key", name)
		}
	}
}

// TestEnvironment: neither the key nor the host of a lane may come from the
// SDK's environment variables.
func TestEnvironment(t *testing.T) {
	t.Setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
	t.Setenv("GOOGLE_API_KEY", "another")
	t.Setenv("GOOGLE_CLOUD_PROJECT", "p")
	g, server := setup(t)
	if _, err := g.Generate(t.Context(), request()); err != nil {
		t.Fatal(err)
	}
	if n := server.Stats().Requests; n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestCanceled(t *testing.T) {
	g, server := setup(t)
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	server.Script(func(gemini.Request) gemini.Fault {
		cancel(cause)
		return gemini.Hang
	})
	_, err := g.Generate(ctx, request())
	var failure *job.Failure
	if !errors.Is(err, cause) || errors.As(err, &failure) {
		t.Errorf("got %v, want the cause and no Failure", err)
	}
	if _, err := g.Generate(ctx, request()); !errors.Is(err, cause) {
		t.Errorf("canceled before: got %v", err)
	}
	if n := server.Stats().Requests; n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestDeadline(t *testing.T) {
	g, server := setup(t)
	server.Script(func(gemini.Request) gemini.Fault { return gemini.Hang })
	want := job.Failure{
		Public:   job.Error{Code: job.CodeProviderTimeout},
		Remedy:   job.RemedyRetry,
		Retries:  2,
		Billable: true,
	}
	ctx, err := pastDeadline(t, func(ctx context.Context) error { return generateError(ctx, g, request()) },
		func(err error) bool { // whether it got to the server in time
			failure, _ := errors.AsType[*job.Failure](err)
			return failure != nil && failure.Billable
		})
	wantFailure(t, want, err)
	want.Billable = false // nothing is sent past the deadline
	f := generateError(ctx, g, request())
	wantFailure(t, want, f)
	if !errors.Is(f, context.DeadlineExceeded) {
		t.Error("the Failure hides that the deadline passed")
	}
}

// pastDeadline calls call with a context whose deadline passes meanwhile, and
// returns both. The deadline comes ever later, until it has come too late for
// what is meant to happen before.
func pastDeadline(t *testing.T, call func(context.Context) error, inTime func(error) bool) (context.Context, error) {
	t.Helper()
	for timeout := 50 * time.Millisecond; ; timeout *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		t.Cleanup(cancel)
		if err := call(ctx); inTime(err) || timeout > 10*time.Second {
			return ctx, err
		}
	}
}

// TestNoRedirect: a followed redirect would be a second request.
func TestNoRedirect(t *testing.T) {
	var requests atomic.Int32
	g := dial(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}))
	err := generateError(t.Context(), g, request())
	wantFailure(t, retry(job.CodeProviderError, 0, false), err)
	if !strings.Contains(err.Error(), "HTTP 307") {
		t.Errorf("the redirect was followed: %v", err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestConnectionReuse: an answer is read to its end, even if it is an error, so
// that the next call can use the same connection.
func TestConnectionReuse(t *testing.T) {
	server, err := gemini.New(gemini.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int32
	ts := httptest.NewUnstartedServer(server)
	ts.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	ts.Start()
	defer ts.Close()
	g, err := generate.NewGemini(t.Context(), generate.Config{APIKey: testKey, BaseURL: ts.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []gemini.Fault{gemini.Ok, "503", "429-minute", gemini.Garbage, gemini.Nothing, "404-model", gemini.Ok} {
		server.Next(fault)
		_, _ = g.Generate(t.Context(), request())
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// TestWire: a picture comes through whatever HTTP does to the answer.
func TestWire(t *testing.T) {
	const pictureBytes = 400_000 // many reads, and more than one piece
	server, err := gemini.New(gemini.Options{PictureBytes: pictureBytes})
	if err != nil {
		t.Fatal(err)
	}
	zipped := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Error("gzip is not asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			t.Error(err)
		}
		server.ServeHTTP(&zipWriter{w, z}, r)
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	})
	identity := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("gzip is asked for")
		}
		server.ServeHTTP(w, r)
	})
	measured := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, r)
		w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
		_, _ = w.Write(rec.Body.Bytes())
	})
	for name, test := range map[string]struct {
		handler   http.Handler
		transport http.RoundTripper
		http2     bool
	}{
		"gzip":               {handler: zipped, transport: &http.Transport{}},
		"the lane's own":     {handler: identity},
		"HTTP/2":             {handler: server, http2: true},
		"with its length":    {handler: measured},
		"HTTP/2 with length": {handler: measured, http2: true},
	} {
		t.Run(name, func(t *testing.T) {
			ts := httptest.NewUnstartedServer(test.handler)
			defer ts.Close()
			if ts.EnableHTTP2 = test.http2; test.http2 {
				ts.StartTLS()
				test.transport = ts.Client().Transport
			} else {
				ts.Start()
			}
			g, err := generate.NewGemini(t.Context(), generate.Config{APIKey: testKey, BaseURL: ts.URL, Transport: test.transport})
			if err != nil {
				t.Fatal(err)
			}
			pic, err := g.Generate(t.Context(), request())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasSuffix(pic.Data, []byte("IEND\xaeB`\x82")) || len(pic.Data) != pictureBytes {
				t.Errorf("%d bytes, want a PNG of %d", len(pic.Data), pictureBytes)
			}
			server.Next(gemini.Truncated)
			wantFailure(t, retry(job.CodeProviderError, 2, true), generateError(t.Context(), g, request()))
		})
	}
}

// A zipWriter compresses an answer.
type zipWriter struct {
	http.ResponseWriter
	zip io.Writer
}

func (w *zipWriter) Write(p []byte) (int, error) { return w.zip.Write(p) }

// TestConcurrent: answers of calls at the same time do not mix.
func TestConcurrent(t *testing.T) {
	g, _ := setup(t)
	sums := make(chan string)
	const calls = 6
	for i := range calls {
		go func() {
			req := request()
			req.Seed = new(int32)
			*req.Seed = int32(i % 3)
			pic, err := g.Generate(context.Background(), req)
			if err != nil {
				t.Error(err)
			}
			sums <- fmt.Sprint(i%3, pic.SHA256)
		}()
	}
	seen := map[string]int{}
	for range calls {
		seen[<-sums]++
	}
	if len(seen) != 3 {
		t.Errorf("%d pictures of 3 seeds: %v", len(seen), seen)
	}
}

// generateError returns the error of a call, or nil if it had none.
func generateError(ctx context.Context, g *generate.Gemini, req job.Request) error {
	_, err := g.Generate(ctx, req)
	return err
}

// wantFailure compares all of a Failure except its cause and its message. It
// only checks that the message holds no secret.
func wantFailure(t *testing.T, want job.Failure, err error) {
	t.Helper()
	var got *job.Failure
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want a Failure", err)
	}
	ignore := cmp.Options{cmpopts.IgnoreFields(job.Failure{}, "Cause", "Answer"), cmpopts.IgnoreFields(job.Error{}, "Message")}
	if diff := cmp.Diff(want, *got, ignore); diff != "" {
		t.Errorf("failure (-want +got):\n%s\ncause: %v", diff, got.Cause)
	}
	for _, text := range []string{got.Error(), got.Public.Error(), fmt.Sprintf("%+v", got.Cause)} {
		if strings.Contains(text, testKey) || strings.Contains(text, "AIza") {
			t.Errorf("the error tells the key: %s", text)
		}
		if len(text) > 600 {
			t.Errorf("the error is %d bytes long", len(text))
		}
	}
	if m := got.Public.Message; m == "" || !strings.HasSuffix(m, ".") || strings.Contains(m, "://") {
		t.Errorf("public message %q", m)
	}
}
