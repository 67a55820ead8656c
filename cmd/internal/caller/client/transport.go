package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	// maxRetries is how often a request is sent again at most.
	maxRetries = 5
	// tryTimeout bounds one try. A body has 30 s, and an answer may be held back
	// for 25.
	tryTimeout = time.Minute
	// sendTimeout bounds a request with all its tries.
	sendTimeout = 2 * time.Minute
	// bucketTimeout bounds an upload or a download with all its tries: a picture of
	// 20 MiB takes 5 minutes at 0.5 Mbit/s.
	bucketTimeout = 10 * time.Minute
)

// errTooLong ends a request that has had its time.
var errTooLong = errors.New("it took too long")

// A call is one request.
type call struct {
	method string
	// path is after the service's address, or the whole address of a request to the
	// bucket, which must not have the API key.
	path    string
	header  map[string]string
	body    []byte
	onRetry func() // is called before the request is sent again; may be nil
}

// isOwn reports whether the request is one of the service's own, and not one of
// the bucket's.
func (what call) isOwn() bool { return strings.HasPrefix(what.path, "/") }

// name returns what an error calls the request. The address of a picture may be a
// secret.
func (what call) name() string {
	if !what.isOwn() {
		return what.method + " of the picture"
	}
	path, _, _ := strings.Cut(what.path, "?")
	return what.method + " " + path
}

// send sends a request until it has an answer that read can use. It fails with an
// *Error, or with the cause of ctx if that ends first.
func (c *Client) send(ctx context.Context, what call, read func(*http.Response) error) error {
	limit, once := sendTimeout, tryTimeout
	if !what.isOwn() {
		limit, once = bucketTimeout, bucketTimeout
	}
	until := time.Now().Add(limit)
	whole, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	for tries := 0; ; tries++ {
		err := c.try(whole, once, what, read)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait := backOff(tries)
		if e, ok := errors.AsType[*Error](err); ok {
			wait += e.RetryAfter
		}
		if !isTransient(err) || tries >= maxRetries || time.Now().Add(wait).After(until) ||
			(c.isGuess && tries == 0 && NothingListens(err)) {
			return err
		}
		c.onRetry(wait, err)
		if err := sleep(whole, wait); err != nil {
			return err
		}
		if what.onRetry != nil {
			what.onRetry()
		}
	}
}

// NothingListens reports whether a request failed because nothing listens where
// the service should be.
func NothingListens(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// try sends a request once, and has its answer read.
func (c *Client) try(ctx context.Context, limit time.Duration, what call, read func(*http.Response) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	answer, err := c.open(ctx, what)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := read(answer); err != nil {
		return c.broken(what, cmpCause(ctx, err))
	}
	return nil
}

// open sends a request once, and returns the answer if that is no refusal.
func (c *Client) open(ctx context.Context, what call) (*http.Response, error) {
	address := what.path
	if what.isOwn() {
		address = c.base + what.path
	}
	var body io.Reader
	if what.body != nil {
		body = bytes.NewReader(what.body)
	}
	req, err := http.NewRequestWithContext(ctx, what.method, address, body)
	if err != nil {
		return nil, c.broken(what, err)
	}
	for name, value := range what.header {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", "ai-worker-cli")
	if what.isOwn() && c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(what, cmpCause(ctx, err))
	}
	if answer.StatusCode/100 == 2 || answer.StatusCode == http.StatusNotModified {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, c.refusal(what, answer)
}

// cmpCause returns why ctx ended, or err if it has not.
func cmpCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// reason returns err without the address that net/http puts in front, which may
// be a secret.
func reason(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

const (
	firstBackOff = 500 * time.Millisecond
	mostBackOff  = 8 * time.Second
)

// backOff returns after how long to try again: any time up to a bound that doubles
// with each try.
func backOff(tries int) time.Duration {
	return rand.N(min(mostBackOff, firstBackOff<<tries))
}

// sleep waits, and fails with the cause of ctx if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
