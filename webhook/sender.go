package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

const (
	// sendTimeout is how long a receiver may take for one try. Standard
	// Webhooks recommends 15 to 30 s; Svix and fal give 15 s.
	sendTimeout = 15 * time.Second
	// bodyTimeout is how long it may take for the body of its answer once the
	// status is there. Nothing depends on that body.
	bodyTimeout = 2 * time.Second
	// maxHeader is the most bytes that the header of an answer has.
	maxHeader = 16 << 10
	userAgent = "ai-worker-webhook/1"
)

// Result says what the end of a try means for its webhook.
type Result int

const (
	// ResultDelivered means that the receiver answered 2xx.
	ResultDelivered Result = iota
	// ResultGone means that it answered 410: it is to be told of the job no
	// more.
	ResultGone
	// ResultAgain means that another try may succeed.
	ResultAgain
	// ResultFailed means that no other try can.
	ResultFailed
)

// An Outcome is the end of a try.
type Outcome struct {
	Result Result
	// RetryAfter is how long the receiver asks to be left alone, if Result is
	// ResultAgain: 0 if it does not, at most 24 hours.
	RetryAfter time.Duration
	Try        job.WebhookTry // without its number
}

// Sender makes tries. It is safe for concurrent use.
type Sender struct {
	policy    Policy
	secrets   Secrets
	transport *http.Transport
}

// NewSender returns a sender that signs with the secrets and calls whom the
// policy allows. resolver finds the addresses of receivers; nil is the one of
// this machine.
func NewSender(secrets Secrets, policy Policy, resolver *net.Resolver) *Sender {
	return &Sender{policy: policy, secrets: secrets, transport: newTransport(policy.dialer(resolver))}
}

// newTransport returns a transport that goes through no proxy, which would
// connect in its place and check no address. It uses a connection for one try
// only: no receiver keeps one open here, and none that died fails a later try.
func newTransport(dialer *net.Dialer) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		DisableKeepAlives:      true,
		DisableCompression:     true, // a small answer could unpack to a large one
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

// Send makes one try: it signs the body and sends it to the URL, with id as
// webhook-id. It takes 15 s at most, and follows no redirect. It fails only if
// ctx ends before the try does; whether the receiver was told is not known
// then.
func (s *Sender) Send(ctx context.Context, url, id string, body []byte) (Outcome, error) {
	start := time.Now()
	o := s.send(ctx, start, url, id, body)
	if err := context.Cause(ctx); err != nil && o.Try.Status == 0 {
		return Outcome{}, err
	}
	o.Try.StartedAt, o.Try.Duration = start.UTC(), time.Since(start)
	return o, nil
}

func (s *Sender) send(ctx context.Context, now time.Time, url, id string, body []byte) Outcome {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	trace, badTLS := traceTLS()
	req, o, ok := s.newRequest(httptrace.WithClientTrace(ctx, trace), now, url, id, body)
	if !ok {
		return o
	}
	// A transport follows no redirects; an http.Client would.
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return unanswered(ctx, err, badTLS())
	}
	defer resp.Body.Close()
	defer time.AfterFunc(bodyTimeout, cancel).Stop()
	return answered(resp, now)
}

// newRequest returns the request of a try. It reports false, with the try's
// outcome, if the URL is refused or the body cannot be signed.
func (s *Sender) newRequest(ctx context.Context, now time.Time, url, id string, body []byte) (*http.Request, Outcome, bool) {
	u, err := s.policy.parse(url)
	if err != nil {
		return nil, failed(ResultFailed, job.WebhookRefusedURL, "The webhook's URL is refused: webhook "+err.Error()+"."), false
	}
	signature, err := s.secrets.sign(id, now, body)
	if err != nil {
		return nil, internal(), false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, internal(), false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Webhook-Signature", signature)
	return req, Outcome{}, true
}

// traceTLS returns a trace of a request, and a function that returns the error
// with which its TLS handshake failed, if it did. The handshake's errors have no
// type of their own.
func traceTLS() (*httptrace.ClientTrace, func() error) {
	var failure atomic.Value
	trace := &httptrace.ClientTrace{TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
		if err != nil {
			failure.Store(&err)
		}
	}}
	return trace, func() error {
		if err, ok := failure.Load().(*error); ok {
			return *err
		}
		return nil
	}
}
