package generate_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/gemini"
)

// retry returns the failure of an answer after which the request is sent again.
// fail, wait and stop return those of the other remedies.
func retry(code job.Code, retries int, billable bool) job.Failure {
	return job.Failure{Public: job.Error{Code: code}, Remedy: job.RemedyRetry, Retries: retries, Billable: billable}
}

func fail(code job.Code, billable bool) job.Failure {
	return job.Failure{Public: job.Error{Code: code}, Remedy: job.RemedyFail, Billable: billable}
}

func wait(limit job.Limit, after time.Duration) job.Failure {
	return job.Failure{Public: job.Error{Code: job.CodeQuotaExhausted}, Remedy: job.RemedyWait, Limit: limit, RetryAfter: after}
}

func stop() job.Failure {
	return job.Failure{Public: job.Error{Code: job.CodeLaneUnavailable}, Remedy: job.RemedyStop}
}

// TestEveryAnswer gets every answer from a server, through the SDK.
func TestEveryAnswer(t *testing.T) {
	later := retry(job.CodeProviderError, 0, false)
	later.RetryAfter = 7 * time.Second
	tests := map[gemini.Fault]job.Failure{
		gemini.Reset:     retry(job.CodeProviderError, 2, true),
		gemini.EOF:       retry(job.CodeProviderError, 2, true),
		gemini.Truncated: retry(job.CodeProviderError, 2, true),
		gemini.Garbage:   retry(job.CodeProviderError, 2, true),

		"400-key":       stop(),
		"401":           stop(),
		"403-no-key":    stop(),
		"403-leaked":    stop(),
		"403-suspended": stop(),
		"403-disabled":  stop(),
		"403-blocked":   stop(),
		"400-location":  stop(),
		"400-billing":   stop(),
		"402":           stop(),
		"429-prepaid":   stop(),
		"404-model":     stop(),
		"429-zero":      stop(),

		"400-image": retry(job.CodeInvalidRequest, 1, false),
		"400-fetch": retry(job.CodeInvalidRequest, 1, false),
		"400":       fail(job.CodeInvalidRequest, false),
		"400-file":  fail(job.CodeInvalidRequest, false),
		"413":       fail(job.CodeInvalidRequest, false),
		"403-file":  fail(job.CodeInvalidRequest, false),
		"404-file":  fail(job.CodeInvalidRequest, false),

		"408":          retry(job.CodeProviderError, 0, false),
		"499":          retry(job.CodeProviderError, 0, false),
		"500":          retry(job.CodeProviderError, 3, false),
		"502":          retry(job.CodeProviderError, 0, false),
		"503":          retry(job.CodeProviderError, 0, false),
		"503-later":    later,
		"504":          retry(job.CodeProviderTimeout, 2, false),
		gemini.ErrorIn: retry(job.CodeProviderError, 0, false),

		"429-minute":   wait(job.LimitMinute, 34074824224*time.Nanosecond),
		"429-day":      wait(job.LimitDay, 20*time.Hour), // until midnight Pacific, from noon on
		"429-spend":    wait(job.LimitSpend, 0),
		"429-rate":     wait(job.LimitSpend, 0),
		"429-capacity": wait(job.LimitCapacity, 0),

		gemini.Block("SAFETY"):                     fail(job.CodeBlocked, true),
		gemini.Block("PROHIBITED_CONTENT"):         fail(job.CodeBlocked, true),
		gemini.Block("IMAGE_SAFETY"):               fail(job.CodeBlocked, true),
		gemini.Block("NEVER_SEEN"):                 fail(job.CodeBlocked, true),
		gemini.Block("OTHER"):                      retry(job.CodeBlocked, 1, true),
		gemini.Finish("SAFETY"):                    fail(job.CodeBlocked, true),
		gemini.Finish("IMAGE_SAFETY"):              fail(job.CodeBlocked, true),
		gemini.Finish("PROHIBITED_CONTENT"):        fail(job.CodeBlocked, true),
		gemini.Finish("IMAGE_PROHIBITED_CONTENT"):  fail(job.CodeBlocked, true),
		gemini.Finish("BLOCKLIST"):                 fail(job.CodeBlocked, true),
		gemini.Finish("SPII"):                      fail(job.CodeBlocked, true),
		gemini.Finish("LANGUAGE"):                  fail(job.CodeBlocked, true),
		gemini.Finish("RECITATION"):                retry(job.CodeBlocked, 1, true),
		gemini.Finish("IMAGE_RECITATION"):          retry(job.CodeBlocked, 1, true),
		gemini.Finish("MAX_TOKENS"):                fail(job.CodeNoImage, true),
		gemini.Finish("NO_IMAGE"):                  retry(job.CodeNoImage, 2, true),
		gemini.Finish("IMAGE_OTHER"):               retry(job.CodeNoImage, 2, true),
		gemini.Finish("OTHER"):                     retry(job.CodeNoImage, 2, true),
		gemini.Finish("CONTINUATION"):              retry(job.CodeNoImage, 2, true),
		gemini.Finish("FINISH_REASON_UNSPECIFIED"): retry(job.CodeNoImage, 2, true),
		gemini.Finish("NEVER_SEEN"):                retry(job.CodeNoImage, 2, true),
		gemini.NoPicture:                           retry(job.CodeNoImage, 2, true),
		gemini.DraftOnly:                           retry(job.CodeNoImage, 2, true),
		gemini.Nothing:                             retry(job.CodeNoImage, 2, true),
		gemini.Empty:                               retry(job.CodeNoImage, 2, true),
	}
	g, server := setup(t)
	for _, fault := range slices.Sorted(maps.Keys(tests)) {
		t.Run(string(fault), func(t *testing.T) {
			before := server.Stats().Requests
			server.Next(fault)
			err := generateError(t.Context(), g, request())
			wantFailure(t, tests[fault], err)
			if n := server.Stats().Requests - before; n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
	covered := []gemini.Fault{gemini.Hang, gemini.JPEG, gemini.URLSafe} // in other tests
	for _, fault := range gemini.Faults() {
		if _, ok := tests[fault]; !ok && !slices.Contains(covered, fault) {
			t.Errorf("%s is not tested", fault)
		}
	}
}

// TestOddAnswers gets answers that the stand-in does not give.
func TestOddAnswers(t *testing.T) {
	minute := wait(job.LimitMinute, 0)
	after := func(d time.Duration) job.Failure { f := minute; f.RetryAfter = d; return f }
	tests := map[string]struct {
		status int
		header map[string]string
		body   string
		want   job.Failure
	}{
		"error in an array": {
			status: 429, body: `[{"error": {"code": 429, "message": "Quota exceeded for metric: x, limit: 10", "status": "RESOURCE_EXHAUSTED"}}]`,
			want: minute,
		},
		"delay only in the message": {
			status: 429, body: `{"error": {"code": 429, "message": "Quota exceeded for metric: x, limit: 10\nPlease retry in 2.5s."}}`,
			want: after(2500 * time.Millisecond),
		},
		"delay in milliseconds": {
			status: 429, body: `{"error": {"code": 429, "message": "Quota exceeded. Please retry in 850.5ms."}}`,
			want: after(850500 * time.Microsecond),
		},
		"delay only in the header": {
			status: 429, header: map[string]string{"Retry-After": "12"}, body: `{"error": {"code": 429, "message": "Quota exceeded"}}`,
			want: after(12 * time.Second),
		},
		"delay as a date": {
			status: 429, header: map[string]string{"Date": "Mon, 02 Nov 2026 10:00:00 GMT", "Retry-After": "Mon, 02 Nov 2026 10:00:30 GMT"}, body: `{"error": {"code": 429, "message": "Quota exceeded"}}`,
			want: after(30 * time.Second),
		},
		"delay of a year": {
			status: 429, body: `{"error": {"code": 429, "message": "", "details": [{"retryDelay": "31536000s"}]}}`,
			want: after(24 * time.Hour),
		},
		"delay below zero": {
			status: 429, header: map[string]string{"Retry-After": "-5"}, body: `{"error": {"code": 429, "message": "Quota exceeded", "details": [{"retryDelay": "-3s"}]}}`,
			want: minute,
		},
		"a quota of 0 as a number": {
			status: 429, body: `{"error": {"code": 429, "message": "", "details": [{"violations": [{"quotaId": "XPerDay", "quotaValue": 0}]}]}}`,
			want: stop(),
		},
		"limit: 0 in the message": {
			status: 429, body: `{"error": {"code": 429, "message": "Quota exceeded for metric: x, limit: 0, model: y"}}`,
			want: stop(),
		},
		"limit: 0.5 is one": {
			status: 429, body: `{"error": {"code": 429, "message": "Quota exceeded for metric: x, limit: 0.5"}}`,
			want: minute,
		},
		"429 with no body": {status: 429, want: wait(job.LimitCapacity, 0)},
		"429 as text":      {status: 429, body: "slow down", want: wait(job.LimitCapacity, 0)},
		"code of another type": {
			status: 403, body: `{"error": {"code": "403", "message": "The File x", "details": {}}}`,
			want: fail(job.CodeInvalidRequest, false),
		},
		"200 with an exhausted quota in it": {
			status: 200, body: `{"error": {"code": 429, "message": "Quota exceeded", "details": [{"violations": [{"quotaId": "RequestsPerDay"}]}, {"retryDelay": "9s"}]}}`,
			want: wait(job.LimitDay, 9*time.Second),
		},
		"200 with an error without a code": {status: 200, body: `{"error": {"message": "what?"}}`, want: retry(job.CodeNoImage, 2, true)},
		"candidates that are no array":     {status: 200, body: `{"candidates": {"a": 1}}`, want: retry(job.CodeProviderError, 2, true)},
		"candidates of null":               {status: 200, body: `{"candidates": [null]}`, want: retry(job.CodeProviderError, 2, true)},
		"parts of null":                    {status: 200, body: `{"candidates": [{"content": {"parts": [null]}}]}`, want: retry(job.CodeNoImage, 2, true)},
		"a picture that is none":           {status: 200, body: onePicture(`{"data": "aGVsbG8gd29ybGQ="}`), want: retry(job.CodeProviderError, 2, true)},
		"a PNG of its first bytes":         {status: 200, body: onePicture(`{"data": "iVBORw0KGgo="}`), want: retry(job.CodeProviderError, 2, true)},
		"a picture of nothing":             {status: 200, body: onePicture(`{"data": ""}`), want: retry(job.CodeProviderError, 2, true)},
		"broken base64":                    {status: 200, body: onePicture(`{"data": "iVBO*w0KGgo="}`), want: retry(job.CodeProviderError, 2, true)},
		"data that is no string":           {status: 200, body: onePicture(`{"data": 7}`), want: retry(job.CodeProviderError, 2, true)},
		"an unknown 4xx":                   {status: 422, want: fail(job.CodeInvalidRequest, false)},
		"an unknown 5xx":                   {status: 529, want: retry(job.CodeProviderError, 0, false)},
		"an error of a megabyte":           {status: 500, body: strings.Repeat("x "+testKey, 30_000), want: retry(job.CodeProviderError, 3, false)},
		"garbage of a megabyte":            {status: 200, body: strings.Repeat("x "+testKey, 30_000), want: retry(job.CodeProviderError, 2, true)},
		"JSON over the limit":              {status: 200, body: `{"x": "` + strings.Repeat("x", generate.MaxRest) + `"}`, want: retry(job.CodeProviderError, 1, true)},
		"a message of a megabyte":          {status: 503, body: `{"error": {"message": "` + strings.Repeat("x ", 10_000) + `"}}`, want: retry(job.CodeProviderError, 0, false)},
		"an answer to be continued":        {status: 200, body: `{"candidates": [{"finishReason": "CONTINUATION", "continuationToken": "eA=="}], "continuationToken": "eA=="}`, want: retry(job.CodeNoImage, 2, true)},
		"a picture taken back":             {status: 200, body: parts(`{"inlineData": {"data": "`+pixel+`"}}`, `{"inlineData": {"data": "`+pixel+`"}, "inlineData": null}`), want: retry(job.CodeProviderError, 2, true)},
		"a reason with a key in it": {
			status: 200, body: `{"candidates": [{"finishReason": "` + testKey + `", "finishMessage": "` + testKey + `"}]}`,
			want: retry(job.CodeNoImage, 2, true),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			g := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				for k, v := range test.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			wantFailure(t, test.want, generateError(t.Context(), g, request()))
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// TestAQuotaOfADayLastsUntilMidnightPacific, where Gemini does not say.
func TestAQuotaOfADayLastsUntilMidnightPacific(t *testing.T) {
	for name, tt := range map[string]struct {
		at   time.Time
		want time.Duration
	}{
		"in winter":                   {noon, 20 * time.Hour},
		"in summer":                   {time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), 19 * time.Hour},
		"of 23 hours":                 {time.Date(2027, 3, 14, 8, 0, 0, 0, time.UTC), 23 * time.Hour},
		"of 25 hours":                 {time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC), 25 * time.Hour},
		"a second before the new day": {time.Date(2026, 11, 24, 7, 59, 59, 0, time.UTC), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			g := dialAt(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = w.Write([]byte(`{"error": {"code": 429, "details": [{"violations": [{"quotaId": "RequestsPerDay"}]}]}}`))
			}), tt.at)
			wantFailure(t, wait(job.LimitDay, tt.want), generateError(t.Context(), g, request()))
		})
	}
}

// pixel is a whole PNG.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func onePicture(inlineData string) string {
	return `{"candidates": [{"content": {"parts": [{"inlineData": ` + inlineData + `}]}, "finishReason": "STOP"}]}`
}

func TestNothingSent(t *testing.T) {
	tests := map[string]job.Request{
		"no model":                {Prompt: "a fox"},
		"a model that is a path":  {Model: "../x", Prompt: "a fox"},
		"a source without either": {Model: "m", Prompt: "a fox", Sources: []job.Source{{}}},
		"a source with both":      {Model: "m", Prompt: "a fox", Sources: []job.Source{{URL: "https://x.test", Data: []byte("x")}}},
	}
	for name, req := range tests {
		t.Run(name, func(t *testing.T) {
			g, server := setup(t)
			wantFailure(t, fail(job.CodeInvalidRequest, false), generateError(t.Context(), g, req))
			if n := server.Stats().Requests; n != 0 {
				t.Errorf("%d requests, want 0", n)
			}
		})
	}
}

// TestUnreachable: a request that did not reach Gemini was not charged.
func TestUnreachable(t *testing.T) {
	slow := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}}
	for name, cfg := range map[string]generate.Config{
		"refused": {APIKey: testKey, BaseURL: "http://127.0.0.1:1"},
		"slow":    {APIKey: testKey, Transport: slow},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := generate.NewGemini(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			wantFailure(t, retry(job.CodeProviderError, 0, false), generateError(t.Context(), g, request()))
		})
	}
}

// brokenTransport fails every request with its error.
type brokenTransport struct{ err error }

func (b brokenTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, b.err }

// TestTransportTimeout: a timeout of the transport counts as a deadline.
func TestTransportTimeout(t *testing.T) {
	g, err := generate.NewGemini(t.Context(), generate.Config{APIKey: testKey, Transport: brokenTransport{os.ErrDeadlineExceeded}})
	if err != nil {
		t.Fatal(err)
	}
	wantFailure(t, retry(job.CodeProviderTimeout, 2, true), generateError(t.Context(), g, request()))
}

// TestWords checks what the log and the job's owner are told.
func TestWords(t *testing.T) {
	tests := map[gemini.Fault]struct{ public, log string }{
		gemini.Finish("IMAGE_SAFETY"): {
			public: "blocked: The provider's content policy refuses the prompt or the picture. Change the prompt or the input images. The provider's reason: IMAGE_SAFETY.",
			log:    "blocked: no picture, finishReason IMAGE_SAFETY The image could not be shown. Reason: IMAGE_SAFETY.",
		},
		"403-suspended": {
			public: "lane_unavailable: The service is not accepted by the provider at the moment. The operator has to act; the job waits.",
			log:    "lane_unavailable: HTTP 403 PERMISSION_DENIED Permission denied: Consumer 'api_key:[redacted]' has been suspended. CONSUMER_SUSPENDED",
		},
		gemini.Garbage: {
			public: "provider_error: The provider's answer was lost or could not be read. Try again.",
			log:    "provider_error: the answer cannot be decoded: invalid character 'o' after object key:value pair",
		},
	}
	g, server := setup(t)
	for fault, want := range tests {
		server.Next(fault)
		f := func() *job.Failure {
			target := &job.Failure{}
			_ = errors.As(generateError(t.Context(), g, request()), &target)
			return target
		}()
		if diff := cmp.Diff([]string{want.public, want.log}, []string{f.Public.Error(), f.Error()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", fault, diff)
		}
	}
}

// TestSignedURL: a signature in the provider's words is a secret.
func TestSignedURL(t *testing.T) {
	g := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error": {"code": 400, "message": "Cannot fetch https://x.test/a.png?X-Amz-Signature=abc123 nor AQ.Ab8RN6-x_y.z"}}`))
	}))
	err := generateError(t.Context(), g, request())
	if want := "invalid_request: HTTP 400 Cannot fetch https://x.test/a.png?[redacted] nor [redacted]"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
