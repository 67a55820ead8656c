package cloudtasks

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
)

// An order is a request as it will be sent, fixed at the moment of its dispatch;
// only its token is made later, because signing takes time.
type order struct {
	method    string
	url       string
	header    http.Header
	body      []byte
	oidc      *cloudtaskspb.OidcToken
	oauth     *cloudtaskspb.OAuthToken
	appEngine bool
}

// newOrder returns the request for the next attempt of t.
func (e *engine) newOrder(t *task) order {
	if t.pb.GetAppEngineHttpRequest() != nil {
		return e.appEngineOrder(t)
	}
	r := t.pb.GetHttpRequest()
	o := order{
		method: r.GetHttpMethod().String(), url: r.GetUrl(), header: make(http.Header), body: t.body,
		oidc: r.GetOidcToken(), oauth: r.GetOauthToken(),
	}
	for name, value := range r.GetHeaders() {
		o.header.Set(name, value)
	}
	o.override(t.queue.pb.GetHttpTarget())
	o.header.Set("User-Agent", httpUserAgent)
	o.describe("X-CloudTasks-", t)
	return o
}

// describe sets the headers that describe the task to the worker (recorded). The
// two about the previous attempt are set only when there was one; the reason is
// empty for HTTP targets.
func (o *order) describe(prefix string, t *task) {
	queue, id, _ := splitTask(t.name())
	path, _ := parseQueue(queue)
	o.header.Set(prefix+"QueueName", path.queue)
	o.header.Set(prefix+"TaskName", id)
	o.header.Set(prefix+"TaskRetryCount", fmt.Sprint(t.pb.GetDispatchCount()-1))
	o.header.Set(prefix+"TaskExecutionCount", fmt.Sprint(t.executed))
	o.header.Set(prefix+"TaskETA", eta(t.due))
	if t.previous != noPrevious {
		o.header.Set(prefix+"TaskPreviousResponse", fmt.Sprint(t.previous))
		o.header.Set(prefix+"TaskRetryReason", t.reason)
	}
}

// eta formats a time as seconds since 1970 with a fraction.
func eta(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/int(time.Microsecond))
}

// counts reports whether an attempt that ended with r shows in TaskExecutionCount.
// Recorded: for HTTP targets 5xx and time-outs do not; for App Engine every answer
// does.
func (o *order) counts(r answer) bool {
	return r.received && (o.appEngine || r.status < 500)
}

// pushesBack reports whether r makes the service slow the queue down (documented):
// 429 and 503 do, but only 503 from App Engine.
func (o *order) pushesBack(r answer) bool {
	return r.received && (r.status == http.StatusServiceUnavailable ||
		r.status == http.StatusTooManyRequests && !o.appEngine)
}

// reason returns the value of X-AppEngine-TaskRetryReason after r (recorded; empty
// for HTTP targets).
func (o *order) reason(r answer) string {
	switch {
	case !o.appEngine:
		return ""
	case r.received:
		return "App Error"
	default:
		return "Instance Unavailable"
	}
}

// newRequest makes the HTTP request of o, with its token.
func (e *engine) newRequest(ctx context.Context, o order) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, o.method, o.url, bytes.NewReader(o.body))
	if err != nil {
		return nil, err
	}
	req.Header = o.header.Clone()
	switch {
	case o.oidc != nil:
		token, err := e.signer.idToken(o.oidc, o.url, wallClock(e.clock).Now())
		if err != nil {
			return nil, fmt.Errorf("sign the ID token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case o.oauth != nil:
		req.Header.Set("Authorization", "Bearer "+accessToken(o.oauth, wallClock(e.clock).Now()))
	}
	return req, nil
}

// reserved reports whether a task may not set a header. The service computes such
// a header or keeps it for itself, and ignores the task's value (documented).
func reserved(name string) bool {
	switch name = strings.ToLower(name); name {
	case "host", "content-length", "user-agent":
		return true
	}
	return strings.HasPrefix(name, "x-cloudtasks-") || strings.HasPrefix(name, "x-google-") ||
		strings.HasPrefix(name, "x-appengine-")
}

// deliveryClient returns the client that sends deliveries. It follows no redirect:
// the documentation says only that one "may be followed", and a 302 was recorded
// as a failed attempt. It adds no Accept-Encoding of its own.
func deliveryClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableCompression = true
		t.MaxIdleConnsPerHost = 64
		transport = t
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
