package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	// idlePerInstance is more than the number of requests that one instance
	// gets at once.
	idlePerInstance = 1024
	headerTimeout   = 10 * time.Second
)

// A Proxy is one address for all instances, which get requests in turn. While
// there is no instance, requests wait, as they do on Cloud Run while an
// instance starts. If its instance dies, a request is answered with 503, as on
// Cloud Run.
type Proxy struct {
	url       string
	server    *http.Server
	transport *http.Transport

	mu       sync.Mutex
	backends []*backend
	next     int
	added    chan struct{} // closed when there is an instance again
}

type backend struct {
	addr    string
	handler http.Handler
}

// NewProxy starts a proxy that has no instances yet.
func NewProxy() (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	p := &Proxy{
		url:       "http://" + ln.Addr().String(),
		transport: &http.Transport{MaxIdleConnsPerHost: idlePerInstance},
		added:     make(chan struct{}),
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: headerTimeout}
	go func() {
		if err := p.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // a listener of ours that fails is a fault of the machine
		}
	}()
	return p, nil
}

// URL returns the one address of all instances.
func (p *Proxy) URL() string { return p.url }

// Add makes the proxy send requests to the instance, too.
func (p *Proxy) Add(i *Instance) {
	target := &url.URL{Scheme: "http", Host: i.Addr()}
	b := &backend{addr: i.Addr(), handler: &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: p.transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusServiceUnavailable)
		},
	}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backends = append(p.backends, b)
	if len(p.backends) == 1 {
		close(p.added)
	}
}

// Remove makes the proxy send no more requests to the instance. Requests under
// way go on.
func (p *Proxy) Remove(i *Instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.backends)
	p.backends = slices.DeleteFunc(p.backends, func(b *backend) bool { return b.addr == i.Addr() })
	if before > 0 && len(p.backends) == 0 {
		p.added = make(chan struct{})
	}
}

// Close cuts every connection.
func (p *Proxy) Close() error {
	p.transport.CloseIdleConnections()
	return p.server.Close()
}

// ServeHTTP sends a request to the next instance.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b := p.pick(r.Context()); b != nil {
		b.handler.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// pick returns the next instance, and waits until there is one. It returns nil
// if ctx ends before that.
func (p *Proxy) pick(ctx context.Context) *backend {
	for {
		p.mu.Lock()
		if len(p.backends) > 0 {
			p.next++
			b := p.backends[p.next%len(p.backends)]
			p.mu.Unlock()
			return b
		}
		added := p.added
		p.mu.Unlock()
		select {
		case <-added:
		case <-ctx.Done():
			return nil
		}
	}
}
