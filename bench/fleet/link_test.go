package fleet_test

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/bench/fleet"
)

// startEcho starts a server that sends back what it gets.
func startEcho(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return ln.Addr().String()
}

// A caller is a connection through a link.
type caller struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func startLink(t *testing.T, target string) *fleet.Link {
	t.Helper()
	l, err := fleet.NewLink(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func dial(t *testing.T, l *fleet.Link) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &caller{t: t, conn: conn, in: bufio.NewReader(conn)}
}

func (c *caller) send(line string) {
	_, _ = io.WriteString(c.conn, line+"\n") // a loss shows when it is received
}

// wantAnswer checks the next line. Without one, it waits for a minute.
func (c *caller) wantAnswer(want string) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := c.in.ReadString('\n'); got != want+"\n" {
		c.t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// wantEnd checks that the connection ends without an answer.
func (c *caller) wantEnd() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	got, err := c.in.ReadString('\n')
	if timeout, ok := err.(net.Error); got != "" || err == nil || ok && timeout.Timeout() { //nolint:errorlint // net returns it as it is
		c.t.Errorf("got %q, %v; want the end of the connection", got, err)
	}
}

// wantRefused checks that a new connection fails, or ends without an answer.
func wantRefused(t *testing.T, l *fleet.Link) {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr())
	if err != nil {
		return
	}
	defer conn.Close()
	c := &caller{t: t, conn: conn, in: bufio.NewReader(conn)}
	c.send("x")
	c.wantEnd()
}

func TestALinkIsCutForItsOwnInstanceOnly(t *testing.T) {
	t.Parallel()
	addr := startEcho(t)
	one, other := startLink(t, addr), startLink(t, addr)
	before, elsewhere := dial(t, one), dial(t, other)
	before.send("a")
	before.wantAnswer("a")

	one.Cut()
	before.wantEnd()
	wantRefused(t, one)
	elsewhere.send("c")
	elsewhere.wantAnswer("c")

	one.Mend()
	after := dial(t, one)
	after.send("d")
	after.wantAnswer("d")
}

func TestAStalledLinkHoldsBackEverything(t *testing.T) {
	t.Parallel()
	l := startLink(t, startEcho(t))
	c := dial(t, l)
	l.Stall()
	l.Stall() // does nothing
	c.send("a")
	_ = c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := c.in.Peek(1); err == nil {
		t.Errorf("a stalled link answers %q", got)
	}
	late := dial(t, l)
	late.send("b")

	l.Mend()
	c.wantAnswer("a")
	late.wantAnswer("b")
}

func TestALinkToNothingRefuses(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	wantRefused(t, startLink(t, addr))
}
