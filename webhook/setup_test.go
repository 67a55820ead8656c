package webhook_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/ai-worker/ai-worker/webhook"
)

const (
	newSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	oldSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	jobID     = "0199a5a0-0000-7000-8000-000000000000"
)

func secrets(t testing.TB, value string) webhook.Secrets {
	t.Helper()
	s, err := webhook.ParseSecrets("WEBHOOK_SECRET", value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// receive returns a sender that reaches handler at http://localhost, in memory.
func receive(t testing.TB, handler http.HandlerFunc) *webhook.Sender {
	t.Helper()
	connections := make(chan net.Conn)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // only then does a server see that the client left
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler(w, r)
	})}
	go server.Serve(&listener{connections: connections, closed: make(chan struct{})})
	t.Cleanup(func() { server.Close() })
	return dialing(t, func(theirs net.Conn) { connections <- theirs })
}

// dialing returns a sender that hands the other end of each connection to
// accept.
func dialing(t testing.TB, accept func(net.Conn)) *webhook.Sender {
	t.Helper()
	s := webhook.NewSender(secrets(t, newSecret+","+oldSecret), webhook.NewPolicy(true), nil)
	s.Dial(func() (net.Conn, error) {
		ours, theirs := net.Pipe()
		accept(theirs)
		return ours, nil
	})
	return s
}

// listener is a net.Listener of connections that somebody hands in.
type listener struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (*listener) Addr() net.Addr { return &net.TCPAddr{} }

// dns returns a resolver by which every name has the addresses that answer
// returns. Questions may come at the same time.
func dns(answer func() []string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			q, err := readQuestion(theirs)
			if err != nil {
				return
			}
			theirs.Write(answerTo(q, answer()))
		}()
		return ours, nil
	}}
}

func readQuestion(c net.Conn) (m dnsmessage.Message, err error) {
	c.SetDeadline(time.Now().Add(time.Minute))
	var length uint16
	if err := binary.Read(c, binary.BigEndian, &length); err != nil {
		return m, err
	}
	packet := make([]byte, length)
	if _, err := io.ReadFull(c, packet); err != nil {
		return m, err
	}
	return m, m.Unpack(packet)
}

func answerTo(q dnsmessage.Message, addresses []string) []byte {
	q.Response, q.Additionals = true, nil
	for _, text := range addresses {
		addr := netip.MustParseAddr(text)
		header := dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 0}
		switch {
		case addr.Is4() && q.Questions[0].Type == dnsmessage.TypeA:
			q.Answers = append(q.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		case addr.Is6() && q.Questions[0].Type == dnsmessage.TypeAAAA:
			q.Answers = append(q.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	packet, err := q.Pack()
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}
