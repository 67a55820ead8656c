package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/snapshot"
)

// A streaming is a service with one job of the tenant "web", and without Redis.
type streaming struct {
	record    *snapshot.Record
	job       job.Job
	handler   http.Handler
	ctx       context.Context // ends when the process is told to
	terminate func()
	left      chan time.Time // when the handler of a stream returned
	log       *bytes.Buffer  // of one request at a time
}

// newStreaming returns one whose API key is "key". What it began must be ended
// with the second result.
func newStreaming(t *testing.T, prompt string) (*streaming, func()) {
	t.Helper()
	client, err := redis.NewClient("redis://127.0.0.1:1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &streaming{left: make(chan time.Time, 10), log: &bytes.Buffer{}}
	s.ctx, s.terminate = context.WithCancel(t.Context())
	s.record = snapshot.NewRecord(memory.New(), client, snapshot.Renderer{
		Now: time.Now, ImageURL: func(key string) (string, error) { return "https://pictures.example.com/" + key, nil },
	}, slog.New(slog.DiscardHandler))
	s.job, _, err = s.record.Create(t.Context(), record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "web", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: time.Hour,
		Lanes: []string{"a"}, Input: job.Input{Prompt: prompt, Model: "m", Count: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{
		Log:     slog.New(slog.NewTextHandler(s.log, nil)),
		Jobs:    &handlers.Jobs{Snapshots: s.record, Record: s.record, Draining: s.ctx, Log: slog.New(slog.DiscardHandler)},
		Origins: []string{"https://app.example.com", "http://localhost:3000"},
	}
	cfg.Keys.Add("web", "key", 1)
	cfg.Keys.Add("other", "other-key", 1)
	routes := server.New(cfg)
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { s.left <- time.Now() }()
		routes.ServeHTTP(w, r)
	})
	return s, func() {
		s.terminate()
		_ = client.Close()
	}
}

// serve runs the service on ln until it is told to end.
func (s *streaming) serve(t *testing.T, ln net.Listener) (ended <-chan error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- server.Run(s.ctx, ln, s.handler, func() {}, slog.New(slog.DiscardHandler)) }()
	return done
}

func (s *streaming) path() string { return "/api/jobs/" + s.job.ID + "/events" }

// open opens a stream over a client's connection, and reads its beginning and its
// first event.
func (s *streaming) open(t *testing.T, client net.Conn, header string) *bufio.Reader {
	t.Helper()
	fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer key\r\n%s\r\n", s.path(), header)
	resp, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", resp, err)
	}
	return bufio.NewReader(resp.Body)
}

// Half an hour of a job that waits: a comment every 15 s, and an end before the
// platform's, after which the caller connects again and misses nothing.
func TestStreamsLastFourteenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := newStreaming(t, "a fox")
		ln := newPipeListener()
		ended := s.serve(t, ln)
		from, last, events, comments, streams := time.Now(), "0", 0, 0, 0
		time.AfterFunc(30*time.Minute, func() { _, _ = s.record.Cancel(context.WithoutCancel(t.Context()), s.job.ID) })
		for last != "2" {
			client, srv := net.Pipe()
			ln.conns <- srv
			r, begun := s.open(t, client, "Last-Event-ID: "+last+"\r\n"), time.Now()
			streams++
			for {
				line, err := r.ReadString('\n')
				if id, ok := strings.CutPrefix(line, "id: "); ok {
					last = strings.TrimSpace(id)
					events++
				} else if strings.HasPrefix(line, ": ") {
					comments++
				}
				if err != nil {
					if took := time.Since(begun); err != io.EOF || took > handlers.MaxStream+time.Second || (took < handlers.MaxStream && last == "1") {
						t.Errorf("ended after %s: %v", took, err)
					}
					break
				}
			}
			client.Close()
			time.Sleep(2 * time.Second) // till the browser connects again
		}
		if took := time.Since(from); streams != 3 || events != 2 || took > 31*time.Minute || comments < 110 || comments > 125 {
			t.Errorf("%d streams with %d events and %d comments in %s", streams, events, comments, took)
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // the subscription ends
	})
}

// A caller that does not read loses its stream, and nothing waits for it.
func TestStreamsOfCallersThatDoNotReadEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := newStreaming(t, strings.Repeat("fox ", 5000))
		ln := newPipeListener()
		ended := s.serve(t, ln)
		client, srv := net.Pipe()
		defer client.Close()
		ln.conns <- srv
		from := time.Now()
		fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer key\r\n\r\n", s.path())
		if took := (<-s.left).Sub(from); took > 10*time.Second {
			t.Errorf("ended after %s", took)
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
	})
}

// After SIGTERM a stream ends at once, with whole events, and with a word to
// connect again.
func TestStreamsEndWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := newStreaming(t, "a fox")
		ln := newPipeListener()
		ended := s.serve(t, ln)
		client, srv := net.Pipe()
		defer client.Close()
		ln.conns <- srv
		r := s.open(t, client, "")
		read := make(chan string)
		go func() {
			text, err := io.ReadAll(r)
			read <- fmt.Sprint(string(text[len(text)-min(len(text), 60):]), err)
		}()
		time.Sleep(time.Minute)
		from := time.Now()
		s.terminate()
		if text := <-read; !strings.HasSuffix(text, "\n\n: this instance ends; connect again\n\n<nil>") {
			t.Errorf("ends with %q", text)
		}
		if err := <-ended; err != nil || time.Since(from) > time.Second {
			t.Errorf("drained after %s: %v", time.Since(from), err)
		}
		end()
		time.Sleep(time.Minute)
	})
}

// A caller that goes away frees its stream, by HTTP/2 and behind a proxy that
// speaks HTTP/1.1.
func TestDroppedCallersFreeTheirStream(t *testing.T) {
	for name, tt := range map[string]struct {
		transport *http.Transport
		proxied   bool
	}{
		"h2c":                      {transport: h2c(nil)},
		"HTTP/1.1 behind a proxy":  {transport: &http.Transport{}, proxied: true},
		"h2c from a proxy, as Run": {transport: h2c(nil), proxied: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, end := newStreaming(t, "a fox")
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := s.serve(t, ln)
			base, client := "http://"+ln.Addr().String(), &http.Client{Transport: tt.transport}
			if tt.proxied {
				target, _ := url.Parse(base)
				proxy := httputil.NewSingleHostReverseProxy(target)
				proxy.Transport = tt.transport
				front := httptest.NewServer(proxy)
				defer front.Close()
				base, client = front.URL, front.Client()
			}
			ctx, drop := context.WithCancel(t.Context())
			defer drop()
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, base+s.path(), http.NoBody)
			req.Header.Set("Authorization", "Bearer key")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if want := map[bool]int{true: 1, false: 2}[tt.proxied]; resp.ProtoMajor != want {
				t.Errorf("HTTP/%d, want HTTP/%d", resp.ProtoMajor, want)
			}
			if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			select {
			case <-s.left:
				t.Fatal("the stream ended by itself")
			default:
			}
			drop()
			<-s.left
			tt.transport.CloseIdleConnections()
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// A deaf conn stops to hear, as that of a machine that vanished does.
type deafConn struct {
	net.Conn

	mu   sync.Mutex
	deaf bool
}

func (c *deafConn) turnDeaf() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaf = true
}

func (c *deafConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		c.mu.Lock()
		deaf := c.deaf
		c.mu.Unlock()
		if err != nil || !deaf {
			return n, err
		}
	}
}

// A proxy that vanishes without a word frees its streams too.
func TestVanishedProxiesFreeTheirStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := newStreaming(t, "a fox")
		ln := newPipeListener()
		ended := s.serve(t, ln)
		var conn *deafConn
		transport := h2c(func(context.Context, string, string) (net.Conn, error) {
			client, srv := net.Pipe()
			ln.conns <- srv
			conn = &deafConn{Conn: client}
			return conn, nil
		})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://test"+s.path(), http.NoBody)
		req.Header.Set("Authorization", "Bearer key")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		from := time.Now()
		conn.turnDeaf()
		if took := (<-s.left).Sub(from); took > 2*time.Minute {
			t.Errorf("ended after %s", took)
		}
		conn.Close()
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
	})
}
