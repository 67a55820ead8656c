package fleet

import (
	"fmt"
	"net"
	"sync"
)

// linkBuffer is how much a Link reads at a time.
const linkBuffer = 32 << 10

// A Link is one instance's way to a server, by TCP. A test can break it while
// other instances still reach the server.
type Link struct {
	target   string
	listener net.Listener
	working  sync.WaitGroup

	mu      sync.Mutex
	refuses bool
	flows   chan struct{} // closed while bytes go through
	paths   map[*pair]struct{}
}

// A pair is one connection through a link.
type pair struct {
	client, server net.Conn
	ended          chan struct{}
	end            func() // ends both sides; it may be called more than once
}

// NewLink starts a link to the server at target, a host:port. It connects to
// the server once a client connects.
func NewLink(target string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	l := &Link{target: target, listener: listener, flows: make(chan struct{}), paths: make(map[*pair]struct{})}
	close(l.flows)
	l.working.Go(l.accept)
	return l, nil
}

// Addr returns the address for the instance, as host:port.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Cut resets all connections, and each new one at once.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuses = true
	for p := range l.paths {
		p.end()
	}
}

// Stall holds back all bytes, in both directions. Connections stay open, and
// new ones are accepted.
func (l *Link) Stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.flows:
		l.flows = make(chan struct{})
	default: // it stalls already
	}
}

// Mend ends Cut and Stall. What was held back arrives.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuses = false
	select {
	case <-l.flows:
	default:
		close(l.flows)
	}
}

// Close ends all connections and takes no new ones.
func (l *Link) Close() error {
	err := l.listener.Close()
	l.Cut()
	l.working.Wait()
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	return nil
}

func (l *Link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.working.Go(func() { l.serve(client) })
	}
}

// serve connects a client to the server until one of them ends that.
func (l *Link) serve(client net.Conn) {
	p := &pair{client: client, ended: make(chan struct{})}
	p.end = sync.OnceFunc(func() {
		close(p.ended)
		reset(p.client)
		if p.server != nil {
			reset(p.server)
		}
	})
	defer p.end()
	var err error
	if p.server, err = net.Dial("tcp", l.target); err != nil || !l.admit(p) { //nolint:noctx // the server is on this machine
		return
	}
	defer l.forget(p)
	l.working.Go(func() { l.carry(p, p.client, p.server) })
	l.carry(p, p.server, p.client)
}

// admit notes a pair, unless the link is cut.
func (l *Link) admit(p *pair) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses {
		return false
	}
	l.paths[p] = struct{}{}
	return true
}

func (l *Link) forget(p *pair) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.paths, p)
}

// carry copies bytes from the one side to the other until the pair ends. Then
// it ends the other direction, too.
func (l *Link) carry(p *pair, to, from net.Conn) {
	defer p.end()
	buffer := make([]byte, linkBuffer)
	for {
		n, err := from.Read(buffer)
		if n > 0 && (!l.awaitFlow(p) || !write(to, buffer[:n])) || err != nil {
			return
		}
	}
}

// awaitFlow waits while the link stalls. It reports whether the pair goes on.
func (l *Link) awaitFlow(p *pair) bool {
	l.mu.Lock()
	flows := l.flows
	l.mu.Unlock()
	select {
	case <-flows:
		return true
	case <-p.ended:
		return false
	}
}

func write(to net.Conn, data []byte) bool {
	_, err := to.Write(data)
	return err == nil
}

// reset closes a connection so that its other end sees an error.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it, the other end sees an orderly close
	}
	_ = c.Close()
}
