package generate

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

const (
	// maxErrorBody bounds what is read of the body of an error, in bytes.
	// Google's are a few KB.
	maxErrorBody = 64 << 10
	// readSize is how much of an answer is read at once, in bytes.
	readSize = 32 << 10
)

// errSecondRequest keeps the promise of one request for each call, even if a
// later version of the SDK wants to send more.
var errSecondRequest = errors.New("the SDK wanted to send a second request in one call")

// newBaseTransport returns http.DefaultTransport with shorter time limits for
// connecting: an answer may take minutes, getting a connection must not.
func newBaseTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 5 * time.Second
	t.MaxIdleConnsPerHost = 64 // all calls of a lane go to one host
	// Without pings, every call multiplexed onto a dead connection would hang
	// until its own deadline.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second}
	// gzip would save a quarter of a base64 picture's bytes. Incoming bytes
	// cost nothing, and gzip takes several times the CPU of everything else.
	t.DisableCompression = true
	return t
}

// A transport takes the pictures out of answers while they stream. The SDK
// would copy them five times; this way it only sees the rest.
type transport struct {
	base   http.RoundTripper
	pieces piecePool // shared by the calls of a lane
}

// answerKey is the key of a call's *answer in its context.
type answerKey struct{}

// in returns ctx with a as the answer of the one request that is sent with it.
func (a *answer) in(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, answerKey{}, a)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { a.connWanted = true },
		GotConn: func(httptrace.GotConnInfo) { a.connGot = true },
	})
}

// RoundTrip sends req and notes what came back on the answer in its context.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a, ok := req.Context().Value(answerKey{}).(*answer)
	if !ok {
		return t.base.RoundTrip(req)
	}
	if a.sent {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper must, and nothing can be done about a failure
		}
		return nil, errSecondRequest
	}
	a.sent = true
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		a.err = err
		return nil, err
	}
	a.status, a.header = resp.StatusCode, resp.Header
	if a.ok() {
		a.tokens.pictures.pieces = &t.pieces
		resp.Body = &pictureless{src: resp.Body, left: resp.ContentLength, answer: a}
	} else {
		resp.Body = &errorBodyReader{Closer: resp.Body, Reader: io.TeeReader(io.LimitReader(resp.Body, maxErrorBody), &a.errorBody)}
	}
	resp.ContentLength = -1
	return resp, nil
}

// An errorBodyReader hands on the body of an error and keeps a copy.
type errorBodyReader struct {
	io.Reader
	io.Closer
}

// A pictureless is the body of an answer without its pictures.
type pictureless struct {
	src    io.ReadCloser
	left   int64 // bytes that src still holds; below zero when not known
	buf    []byte
	off    int   // how much of the answer's rest was handed on
	err    error // what ends the body once the rest is handed on
	answer *answer
}

// Read reads from the answer until it has something for the SDK.
func (b *pictureless) Read(p []byte) (int, error) {
	for b.err == nil && b.off == len(b.answer.tokens.rest) {
		b.fill()
	}
	n := copy(p, b.answer.tokens.rest[b.off:])
	b.off += n
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

func (b *pictureless) fill() {
	if b.buf == nil {
		b.buf = make([]byte, readSize)
	}
	n, err := b.src.Read(b.buf)
	b.left -= int64(n)
	b.answer.tokens.pictures.left = b.left
	if feedErr := b.answer.tokens.feed(b.buf[:n]); feedErr != nil {
		err = feedErr
	}
	b.err = err
	if err != nil && !errors.Is(err, io.EOF) {
		b.answer.err = err
	}
}

// Close closes the answer. If the answer was read to its end before, the next
// call can use the connection.
func (b *pictureless) Close() error { return b.src.Close() }

// A piecePool lends the pieces that a picture of unknown size is received in.
type piecePool struct{ pool sync.Pool }

func (p *piecePool) get() []byte {
	if piece, ok := p.pool.Get().(*[pieceSize]byte); ok {
		return piece[:0]
	}
	return new([pieceSize]byte)[:0]
}

func (p *piecePool) put(piece []byte) {
	p.pool.Put((*[pieceSize]byte)(piece[:pieceSize]))
}
