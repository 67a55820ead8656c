package server

import (
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// maxStreams is how many requests a connection of HTTP/2 may have at once:
	// as many as Cloud Run ever sends to one instance, so that the service's own
	// concurrency is the limit. The default would refuse those past 250.
	maxStreams = 1000
	// pingAfter is after how long without a frame the server asks whether the
	// other end is still there, and pingTimeout how long that may take. Both are
	// long: on Cloud Run, an instance without requests gets next to no CPU, and
	// must not take its own sleep for the other end's. Streams of a proxy that
	// vanished without a word end after a minute.
	pingAfter   = 30 * time.Second
	pingTimeout = 30 * time.Second
)

// protocols returns HTTP/1.1 and HTTP/2, both without TLS. Cloud Run and other
// proxies speak HTTP/2 with prior knowledge. By HTTP/2 alone Cloud Run passes on
// that a caller has gone.
func protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
}

// inFlight counts the requests that run. net/http waits for the connections of
// HTTP/2 to close, for a second after their last request, which may be too long.
type inFlight struct {
	next http.Handler
	n    atomic.Int64
}

// ServeHTTP implements http.Handler.
func (f *inFlight) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.n.Add(1)
	defer f.n.Add(-1)
	f.next.ServeHTTP(w, r)
}
