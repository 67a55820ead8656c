package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/server"
)

// h2c returns a client of HTTP/2 without TLS. dial is nil for TCP.
func h2c(dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	p := &http.Protocols{}
	p.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: p, DialContext: dial}
}

// A lender lends its connection to a handler, and takes it back.
type lender struct {
	*httptest.ResponseRecorder

	returned bool
	late     int
}

func (l *lender) SetReadDeadline(time.Time) error {
	if l.returned {
		l.late++
	}
	return nil
}

// net/http uses the writer of a request of HTTP/2 for another one as soon as its
// handler has returned. To touch it later ends the process.
func TestAnsweredRequestsAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 1000 {
			ctx, hangUp := context.WithCancel(t.Context())
			w := &lender{ResponseRecorder: httptest.NewRecorder()}
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", io.MultiReader(strings.NewReader("a")))
			server.LimitBodies(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hangUp() })).ServeHTTP(w, r)
			w.returned = true
			synctest.Wait()
			if w.late > 0 {
				t.Fatal("the connection was touched after the request was answered")
			}
		}
	})
}

// A body that nobody reads costs a caller of HTTP/2 its own stream, and not the
// connection, which is others' too.
func TestUnreadBodiesLeaveTheConnectionToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, end := listen(t)
		dials := 0
		transport := h2c(func(context.Context, string, string) (net.Conn, error) {
			dials++
			client, srv := net.Pipe()
			ln.conns <- srv
			return client, nil
		})
		for range 3 {
			body, stop := io.Pipe() // never ends by itself
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://test/api/generate-images", body)
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			stop.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("answered %d", resp.StatusCode)
			}
		}
		if dials != 1 {
			t.Errorf("%d connections, want 1", dials)
		}
		transport.CloseIdleConnections()
		end()
	})
}

// Bodies have their time over HTTP/2 as well.
func TestSlowBodiesAreCutOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, end := listen(t)
		transport := h2c(func(context.Context, string, string) (net.Conn, error) {
			client, srv := net.Pipe()
			ln.conns <- srv
			return client, nil
		})
		body, stop := io.Pipe()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://test/api/generate-images", body)
		req.Header.Set("Authorization", "Bearer key")
		from := time.Now()
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if took := time.Since(from); resp.StatusCode != http.StatusRequestTimeout || took > 31*time.Second {
			t.Errorf("answered %d after %s", resp.StatusCode, took)
		}
		stop.Close()
		transport.CloseIdleConnections()
		end()
	})
}

// At SIGTERM the connections of HTTP/2 are drained like others. Running requests
// end by themselves, streams at once; and a caller that leaves its connection open
// does not make the end a failure.
func TestRunDrainsHTTP2(t *testing.T) {
	for name, work := range map[string]time.Duration{"idle": 0, "short work": 5 * time.Second, "long work": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, terminate := context.WithCancel(t.Context())
				process, abort := context.WithCancel(t.Context())
				started := make(chan struct{}, 1)
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.ProtoMajor != 2 {
						t.Errorf("HTTP/%d", r.ProtoMajor)
					}
					started <- struct{}{}
					select {
					case <-time.After(work):
					case <-process.Done():
						time.Sleep(1500 * time.Millisecond) // puts its work back
					}
					_, _ = io.WriteString(w, "done")
				})
				ln := newPipeListener()
				ended := make(chan error, 1)
				go func() { ended <- server.Run(ctx, ln, h, abort, slog.New(slog.DiscardHandler)) }()
				transport := h2c(func(context.Context, string, string) (net.Conn, error) {
					client, srv := net.Pipe()
					ln.conns <- srv
					return openConn{client}, nil
				})
				answered := make(chan string, 1)
				go func() {
					req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://test/", http.NoBody)
					resp, err := transport.RoundTrip(req)
					if err != nil {
						answered <- err.Error()
						return
					}
					text, err := io.ReadAll(resp.Body)
					answered <- fmt.Sprint(string(text), err)
				}()
				<-started
				if work == 0 {
					synctest.Wait()
				}
				from := time.Now()
				terminate()
				if text := <-answered; text != "done<nil>" {
					t.Errorf("answered %s", text)
				}
				if err := <-ended; err != nil || time.Since(from) > 9*time.Second {
					t.Errorf("ended after %s: %v", time.Since(from), err)
				}
				abort()
			})
		})
	}
}

// An openConn stays open on this side, as a proxy's may.
type openConn struct{ net.Conn }

func (openConn) Close() error { return nil }
