package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/webhook"
)

const url = "http://localhost:3000/hooks?key=1"

// send makes one try, which must come to an outcome.
func send(t *testing.T, s *webhook.Sender) webhook.Outcome {
	t.Helper()
	o, err := s.Send(t.Context(), url, "msg_1", []byte(`{"type":"job.succeeded"}`))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A receiver gets what Standard Webhooks asks for, and can verify it with the
// official library and either secret.
func TestSendSigns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []*http.Request
		var bodies [][]byte
		s := receive(t, func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got, bodies = append(got, r), append(bodies, body)
		})
		send(t, s)
		first := time.Now()
		time.Sleep(75 * time.Hour)
		send(t, s)

		for i, at := range []time.Time{first, time.Now()} {
			r := got[i]
			want := http.Header{
				"Content-Type": {"application/json"}, "Content-Length": {"24"}, "User-Agent": {"ai-worker-webhook/1"}, "Connection": {"close"},
				"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)},
			}
			ignore := cmpopts.IgnoreMapEntries(func(name string, _ []string) bool { return name == "Webhook-Signature" })
			if diff := cmp.Diff(want, r.Header, ignore); diff != "" {
				t.Errorf("header of try %d (-want +got):\n%s", i+1, diff)
			}
			if r.Method != http.MethodPost || r.RequestURI != "/hooks?key=1" || r.Host != "localhost:3000" {
				t.Errorf("%s %s of %s", r.Method, r.RequestURI, r.Host)
			}
			signatures := strings.Split(r.Header.Get("Webhook-Signature"), " ")
			if len(signatures) != 2 {
				t.Fatalf("%d signatures, want one by each secret", len(signatures))
			}
			for j, secret := range []string{newSecret, oldSecret} {
				r.Header.Set("Webhook-Signature", signatures[j])
				verify(t, secret, bodies[i], r.Header, at)
			}
		}
	})
}

// verify checks a webhook as a receiver does at a time.
func verify(t *testing.T, secret string, body []byte, h http.Header, at time.Time) {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if sent, _ := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64); sent != at.Unix() {
		t.Errorf("sent at %d, want %d", sent, at.Unix())
	}
	if err := w.VerifyIgnoringTimestamp(body, h); err != nil {
		t.Errorf("with secret %.10s…: %v", secret, err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	again := func(status int, after time.Duration, f job.WebhookFailure, message string) webhook.Outcome {
		return webhook.Outcome{Result: webhook.ResultAgain, RetryAfter: after, Try: job.WebhookTry{Status: status, Failure: f, Message: message}}
	}
	delivered := func(status int) webhook.Outcome {
		return webhook.Outcome{Result: webhook.ResultDelivered, Try: job.WebhookTry{Status: status}}
	}
	status := func(code int, after time.Duration) webhook.Outcome {
		return again(code, after, job.WebhookStatus, fmt.Sprintf("The receiver answered %d, and not 2xx.", code))
	}
	redirect := func(code int) webhook.Outcome {
		return again(code, 0, job.WebhookRedirect,
			fmt.Sprintf("The receiver answered %d, a redirect. None is followed: give the address to which it leads.", code))
	}
	metadata := http.Header{"Location": {"http://169.254.169.254/computeMetadata/v1/"}}
	for _, c := range []struct {
		code   int
		header http.Header
		want   webhook.Outcome
	}{
		{200, nil, delivered(200)},
		{204, nil, delivered(204)},
		{299, http.Header{"Retry-After": {"60"}}, delivered(299)},
		{301, metadata, redirect(301)},
		{302, metadata, redirect(302)},
		{307, metadata, redirect(307)},
		{308, metadata, redirect(308)},
		{400, nil, status(400, 0)},
		{404, nil, status(404, 0)},
		{410, http.Header{"Retry-After": {"60"}}, webhook.Outcome{Result: webhook.ResultGone, Try: job.WebhookTry{
			Status: 410, Failure: job.WebhookStatus, Message: "The receiver answered 410: it is told of this job no more.",
		}}},
		{429, http.Header{"Retry-After": {"3600"}}, status(429, time.Hour)},
		{429, http.Header{"Retry-After": {"Sat, 01 Jan 2000 02:00:00 GMT"}}, status(429, 2*time.Hour)}, // synctest begins at midnight
		{503, http.Header{"Retry-After": {"Fri, 31 Dec 1999 02:00:00 GMT"}}, status(503, 0)},
		{503, http.Header{"Retry-After": {"Sat, 01 Jan 2028 00:00:00 GMT"}}, status(503, 24*time.Hour)},
		{503, http.Header{"Retry-After": {"86401"}}, status(503, 24*time.Hour)},
		{503, http.Header{"Retry-After": {"99999999999999999999999"}}, status(503, 24*time.Hour)},
		{503, http.Header{"Retry-After": {"-5"}}, status(503, 0)},
		{503, http.Header{"Retry-After": {"soon"}}, status(503, 0)},
		{500, nil, status(500, 0)},
		{599, nil, status(599, 0)},
	} {
		synctest.Test(t, func(t *testing.T) {
			var requests atomic.Int32
			s := receive(t, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				maps.Copy(w.Header(), c.header)
				w.WriteHeader(c.code)
			})
			c.want.Try.StartedAt = time.Now().UTC()
			if diff := cmp.Diff(c.want, send(t, s)); diff != "" {
				t.Errorf("%d %v (-want +got):\n%s", c.code, c.header, diff)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d: %d requests, want one", c.code, n)
			}
		})
	}
}

// What a receiver says is kept for its owner to read, as text that can do no
// harm where it is kept and shown.
func TestAnswersAreKeptAsText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2000)
	for body, want := range map[string]string{
		"no such job":                   "no such job",
		" \r\n\tline 1\nline 2\n":       "line 1 line 2",
		"a\x00b\x1b[31mc\u202ed\u2028e": "a\ufffdb\ufffd[31mc\ufffdd e",
		"\xff\xfe":                      "\ufffd",
		long:                            strings.Repeat("é", 512),
		"x" + long:                      "x" + strings.Repeat("é", 511),
		strings.Repeat("\xffa", 2000):   strings.Repeat("\ufffda", 256),
		"":                              "",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := receive(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusInternalServerError)
				io.WriteString(w, body)
			})
			if got := send(t, s).Try.Answer; got != want {
				t.Errorf("%.20q is kept as %q, want %q", body, got, want)
			}
		})
	}
}

// A receiver holds a delivery for 15 s at most, whatever it is slow with, and 2 s
// after its status.
func TestSlowReceivers(t *testing.T) {
	t.Parallel()
	never := func(r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    job.WebhookTry
		result  webhook.Result
	}{
		"no answer": {
			handler: func(_ http.ResponseWriter, r *http.Request) { never(r) }, result: webhook.ResultAgain,
			want: job.WebhookTry{Duration: 15 * time.Second, Failure: job.WebhookTimeout, Message: "The receiver did not answer within 15s."},
		},
		"informational answers without end": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					pause(r, time.Second)
					w.WriteHeader(http.StatusEarlyHints)
				}
			}, result: webhook.ResultAgain,
			want: job.WebhookTry{Duration: 15 * time.Second, Failure: job.WebhookTimeout, Message: "The receiver did not answer within 15s."},
		},
		"a body that does not come": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				never(r)
			}, result: webhook.ResultDelivered,
			want: job.WebhookTry{Duration: 2 * time.Second, Status: 200},
		},
		"a body that comes slowly": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					io.WriteString(w, "x")
					w.(http.Flusher).Flush()
					pause(r, 600*time.Millisecond)
				}
			}, result: webhook.ResultDelivered,
			want: job.WebhookTry{Duration: 2 * time.Second, Status: 200, Answer: "xxxx"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.want.StartedAt = time.Now().UTC()
				got := send(t, receive(t, c.handler))
				if diff := cmp.Diff(webhook.Outcome{Result: c.result, Try: c.want}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// pause waits for d, or until the client leaves.
func pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// Of an answer without end, only its beginning is read. The connection ends
// then, so that the rest does not arrive either.
func TestEndlessAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		written := make(chan int, 1)
		s := receive(t, func(w http.ResponseWriter, _ *http.Request) {
			sum := 0
			for {
				n, err := w.Write(bytes.Repeat([]byte("x"), 1024))
				if sum += n; err != nil {
					break
				}
			}
			written <- sum
		})
		o := send(t, s)
		if o.Result != webhook.ResultDelivered || o.Try.Answer != strings.Repeat("x", 1024) || o.Try.Duration != 0 {
			t.Errorf("%+v", o)
		}
		if n := <-written; n > 64<<10 {
			t.Errorf("%d bytes were sent", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		written := make(chan int, 1)
		o := send(t, dialing(t, func(c net.Conn) {
			go func() {
				defer c.Close()
				go io.Copy(io.Discard, c)
				io.WriteString(c, "HTTP/1.1 200 OK\r\n")
				n := 0
				for ; ; n++ {
					if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", n, strings.Repeat("x", 1024)); err != nil {
						break
					}
				}
				written <- n
			}()
		}))
		if n := <-written; n > 64 {
			t.Errorf("%d KiB of a header were read", n)
		}
		if o.Result != webhook.ResultAgain || o.Try.Failure != job.WebhookBadAnswer || o.Try.Duration != 0 {
			t.Errorf("with a header without end: %+v", o)
		}
	})
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"nothing":             "",
		"another protocol":    "SSH-2.0-OpenSSH_9.6\r\n",
		"half a header":       "HTTP/1.1 200 OK\r\nContent-",
		"two content-lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				want := webhook.Outcome{Result: webhook.ResultAgain, Try: job.WebhookTry{
					StartedAt: time.Now().UTC(), Failure: job.WebhookBadAnswer,
					Message: "The receiver ended the connection, or did not answer in HTTP.",
				}}
				got := send(t, dialing(t, func(c net.Conn) {
					go func() {
						defer c.Close()
						http.ReadRequest(bufio.NewReader(c))
						io.WriteString(c, answer)
					}()
				}))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Half of an answer's body is as good as all of it: the status counts.
func TestABrokenBodyIsAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := send(t, receive(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "ok")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}))
		if got.Result != webhook.ResultDelivered || got.Try.Answer != "ok" {
			t.Errorf("%+v", got)
		}
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	safe, plain := httptest.NewTLSServer(handler), httptest.NewServer(handler)
	t.Cleanup(safe.Close)
	t.Cleanup(plain.Close)
	closed := httptest.NewServer(handler)
	closed.Close()

	sender := webhook.NewSender(secrets(t, newSecret), webhook.NewPolicy(true), nil)
	trusting := webhook.NewSender(secrets(t, newSecret), webhook.NewPolicy(true), nil)
	trusting.Trust(safe.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)
	for name, c := range map[string]struct {
		sender  *webhook.Sender
		url     string
		failure job.WebhookFailure
		message string
	}{
		"a good certificate":    {trusting, safe.URL, "", ""},
		"one of nobody's":       {sender, safe.URL, job.WebhookBadTLS, "unknown authority"},
		"one of another's name": {trusting, "https://localhost:" + safe.URL[strings.LastIndex(safe.URL, ":")+1:], job.WebhookBadTLS, "not localhost"},
		"no TLS":                {sender, strings.Replace(plain.URL, "http:", "https:", 1), job.WebhookBadTLS, "does not look like a TLS handshake"},
		"nobody there":          {sender, closed.URL, job.WebhookUnreachable, "No connection to the receiver."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := c.sender.Send(t.Context(), c.url, "msg_1", []byte("{}"))
			if err != nil || o.Try.Failure != c.failure || !strings.Contains(o.Try.Message, c.message) {
				t.Errorf("%+v, %v, want %q with %q", o, err, c.failure, c.message)
			}
		})
	}
}

func TestAHostWithoutAddress(t *testing.T) {
	t.Parallel()
	s := webhook.NewSender(secrets(t, newSecret), webhook.NewPolicy(false), dns(func() []string { return nil }))
	o, err := s.Send(t.Context(), "https://receiver.example.com/hooks", "msg_1", []byte("{}"))
	if err != nil || o.Result != webhook.ResultAgain || o.Try.Failure != job.WebhookNoAddress {
		t.Errorf("%+v, %v", o, err)
	}
}

// A process that ends cuts a try short. That is no outcome, and nobody's fault.
func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ending := errors.New("the process ends")
		ctx, end := context.WithCancelCause(t.Context())
		s := receive(t, func(_ http.ResponseWriter, r *http.Request) {
			end(ending)
			<-r.Context().Done()
		})
		if o, err := s.Send(ctx, url, "msg_1", []byte("{}")); !errors.Is(err, ending) {
			t.Errorf("%+v, %v", o, err)
		}
	})
}
