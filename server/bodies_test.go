package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/worker"
)

// slowDeliverer takes ten minutes for each delivery, if that is not ended
// before.
type slowDeliverer struct{}

func (slowDeliverer) Deliver(ctx context.Context, _ job.Task) (worker.Verdict, error) {
	select {
	case <-time.After(10 * time.Minute):
		return worker.VerdictDone, nil
	case <-ctx.Done():
		return worker.VerdictAgain, ctx.Err()
	}
}

// listen runs a service with one API key, "key", and deliveries that take ten
// minutes. The test must end it.
func listen(t *testing.T) (ln *pipeListener, end func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	oidc, err := server.NewOIDC(validator{payload(nil)}, server.OIDCConfig{Audience: audience, ServiceAccount: account}, log)
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{
		Log: log, OIDC: oidc, Tasks: &handlers.Tasks{Worker: slowDeliverer{}, Process: t.Context(), Log: log},
		Jobs: newJobs(t.Context(), &journal{created: make(chan string, 1), enqueued: make(chan job.Task, 1)}, 0, log),
	}
	cfg.Keys.Add("web", "key", 1)
	ctx, terminate := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	ln = newPipeListener()
	go func() { ended <- server.Run(ctx, ln, server.New(cfg), func() {}, log) }()
	return ln, func() {
		terminate()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// An outcome is what a caller sees of a request, and after how long.
type outcome struct {
	status   int
	answered time.Duration
	closed   time.Duration // when the connection was
	header   http.Header
	text     string
}

// request sends a head and then pieces of a body, one a second, and reads the
// answer till the connection is closed. An outcome without a status is a failure
// of the test.
func (l *pipeListener) request(t *testing.T, head string, pieces ...string) outcome {
	t.Helper()
	from := time.Now()
	client, srv := net.Pipe()
	sent := make(chan struct{})
	defer func() { client.Close(); <-sent }()
	l.conns <- srv
	go func() {
		defer close(sent)
		_, err := io.WriteString(client, crlf(head))
		for i := 0; err == nil && i < len(pieces); i++ {
			time.Sleep(time.Second)
			_, err = io.WriteString(client, pieces[i])
		}
	}()
	o, err := outcomeOf(client, from)
	if err != nil {
		t.Errorf("%s: %v", head, err)
	}
	return o
}

// outcomeOf reads an answer till the connection is closed, for an hour at most.
func outcomeOf(client net.Conn, from time.Time) (o outcome, err error) {
	if err := client.SetDeadline(from.Add(time.Hour)); err != nil {
		return o, err
	}
	r := bufio.NewReader(client)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return o, fmt.Errorf("no answer: %w", err)
	}
	o = outcome{status: resp.StatusCode, answered: time.Since(from), header: resp.Header}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return o, err
	}
	_, err = io.Copy(io.Discard, r)
	o.text, o.closed = string(text), time.Since(from)
	return o, err
}

// crlf returns the head of a request as it goes over the wire.
func crlf(head string) string { return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" }

const (
	withKey   = "\nAuthorization: Bearer key"
	withToken = "\nAuthorization: Bearer signed"
	aTask     = `{"job_id":"0199a5a0-0000-7000-8000-000000000000","index":1,"dispatch":2}`
)

// A caller who sends slowly must not hold a connection.
func TestSlowBodiesAreCut(t *testing.T) {
	for name, tt := range map[string]struct {
		head             string
		status           int
		answered, closed time.Duration // at most
	}{
		"no key":      {"POST /api/generate-images HTTP/1.1", 401, 0, time.Second},
		"no path":     {"POST /nowhere HTTP/1.1", 404, 0, time.Second},
		"long path":   {"POST /" + strings.Repeat("a", 9000) + " HTTP/1.1", 404, 0, time.Second},
		"no method":   {"PUT /health HTTP/1.1", 405, 0, time.Second},
		"not for it":  {"GET /health HTTP/1.1", 200, 0, time.Second},
		"no token":    {"POST /tasks/generate HTTP/1.1", 401, 0, time.Second},
		"key":         {"POST /api/generate-images HTTP/1.1" + withKey, 408, 30 * time.Second, 31 * time.Second},
		"no such job": {"POST /api/jobs/x/cancel HTTP/1.1" + withKey, 404, 0, time.Second},
		// It must come again: a task that cannot be read is dropped.
		"delivery": {"POST /tasks/generate HTTP/1.1" + withToken, 408, 30 * time.Second, 31 * time.Second},
	} {
		for _, length := range []string{"Content-Length: 200000", "Transfer-Encoding: chunked"} {
			t.Run(name+" "+length, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ln, end := listen(t)
					defer end()
					piece := " "
					if strings.HasPrefix(length, "T") {
						piece = "1\r\n \r\n"
					}
					pieces := strings.Split(strings.Repeat(piece+"|", 200), "|")
					got := ln.request(t, tt.head+"\nHost: test\n"+length, pieces...)
					if got.status != tt.status || got.answered > tt.answered || got.closed > tt.closed {
						t.Errorf("got %+v, want %+v", got, tt)
					}
					if got.status == http.StatusRequestTimeout && !strings.Contains(got.text, "again") {
						t.Errorf("says not what to do: %s", got.text)
					}
				})
			})
		}
	}
}

// What a caller waits for may take longer than a body may.
func TestReadBodiesCutNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		head, body string
		status     int
		answered   time.Duration
	}{
		"wait":     {"POST /api/generate-images HTTP/1.1\nPrefer: wait=60" + withKey, aFox, 202, 62 * time.Second},
		"delivery": {"POST /tasks/generate HTTP/1.1" + withToken, aTask, 200, 10*time.Minute + 2*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln, end := listen(t)
				defer end()
				head := fmt.Sprintf("%s\nHost: test\nConnection: close\nContent-Type: application/json\nContent-Length: %d", tt.head, len(tt.body))
				got := ln.request(t, head, tt.body[:1], tt.body[1:])
				if got.status != tt.status || got.answered != tt.answered {
					t.Errorf("got %+v, want %d after %s", got, tt.status, tt.answered)
				}
			})
		})
	}
}

// A connection serves the next request after a body that was read.
func TestReadBodiesKeepTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, end := listen(t)
		defer end()
		client, srv := net.Pipe()
		defer client.Close()
		ln.conns <- srv
		r := bufio.NewReader(client)
		for range 2 {
			fmt.Fprintf(client, "POST /api/generate-images HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer key\r\nContent-Length: 2\r\n\r\n{}")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("answered %d, %v", resp.StatusCode, err)
			}
			time.Sleep(time.Minute) // longer than a body may take
		}
	})
}
