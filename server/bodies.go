package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// bodyTimeout bounds how long a request's body may take, from the end of
	// its headers.
	bodyTimeout = 30 * time.Second
	// unreadTimeout bounds how long the rest of a body may take that nobody
	// reads. It is not 0, because a connection that is closed while its caller
	// still sends may lose the answer.
	unreadTimeout = time.Second
)

// limitBodies gives every body a time limit of its own, which ends once the body
// is read: what a caller waits for may take longer. The reading of a body also
// ends with the request's context. A request that is answered before its body is
// read costs its caller the connection.
func limitBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		b := &body{ReadCloser: r.Body, conn: http.NewResponseController(w)}
		b.endBy(time.Now().Add(bodyTimeout))
		stop := context.AfterFunc(r.Context(), func() { b.endBy(time.Now()) })
		defer stop()
		defer b.leave()
		a := &answer{ResponseWriter: w, body: b, http1: r.ProtoMajor == 1}
		defer a.begin()
		r = r.WithContext(r.Context()) // net/http goes by the body of its own request
		r.Body = b
		next.ServeHTTP(a, r)
	})
}

// A body is a request's body, whose reading fails from its deadline on.
type body struct {
	io.ReadCloser
	conn *http.ResponseController

	mu       sync.Mutex
	deadline time.Time
	read     bool // to its end; then the connection has no deadline
}

// Read reads, and lifts the deadline at the end of the body. Otherwise it would
// end the request's context, since net/http goes on reading to see whether the
// caller hangs up.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.read = true
		_ = b.conn.SetReadDeadline(time.Time{}) // no connection, no deadline
	}
	return n, err
}

// Close leaves it to net/http to close the body: that reads what is left, and
// takes as long as the caller likes.
func (b *body) Close() error { return nil }

// leave makes sure that the deadline is not moved any more. The connection is
// net/http's again once its request is answered.
func (b *body) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read = true
}

// endBy moves the deadline to t, unless it is earlier already or the body is
// read. It reports whether the body is not read yet.
func (b *body) endBy(t time.Time) (unread bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read {
		return false
	}
	if b.deadline.IsZero() || t.Before(b.deadline) {
		b.deadline = t
		_ = b.conn.SetReadDeadline(t) // no connection, no body
	}
	return true
}

// An answer is the answer to a request with a body.
type answer struct {
	http.ResponseWriter
	body  *body
	http1 bool
	begun bool
}

// begin makes the connection end after the answer if the body is not read.
// Otherwise net/http would first read the rest, to use the connection again. In
// HTTP/2 a connection is many callers', and the body's stream ends by itself.
func (a *answer) begin() {
	if !a.begun && a.body.endBy(time.Now().Add(unreadTimeout)) && a.http1 {
		a.Header().Set("Connection", "close")
	}
	a.begun = true
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	if code >= http.StatusOK { // before that it is not the answer yet
		a.begin()
	}
	a.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// SetReadDeadline implements what http.ResponseController looks for. A handler
// may shorten its body's time, and not lengthen it.
func (a *answer) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		a.body.endBy(t)
	}
	return nil
}

// Unwrap lets http.ResponseController find what else the connection can do.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
