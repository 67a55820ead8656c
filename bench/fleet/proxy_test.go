package fleet_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/bench/fleet"
)

// server is a program that logs as the service does, answers with its process
// number, and never answers /hang.
const server = `package main

import ("fmt"; "net"; "net/http"; "os")

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil { panic(err) }
	fmt.Printf("{\"message\":\"serving\",\"address\":%q}\n", ln.Addr())
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getpid()) })
	http.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("{\"message\":\"hanging\"}")
		<-r.Context().Done()
	})
	panic(http.Serve(ln, nil))
}
`

func start(t *testing.T, path string, log *lines) *fleet.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	i, err := fleet.Start(ctx, fleet.Program{Path: path, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Kill)
	return i
}

// lines sends each printed text to a channel.
type lines struct{ printed chan string }

func (l *lines) Write(p []byte) (int, error) {
	l.printed <- string(p)
	return len(p), nil
}

func TestProxySharesOutAndOutlivesInstances(t *testing.T) {
	t.Parallel()
	path := build(t)
	p, err := fleet.NewProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })

	// Without an instance, requests wait for one.
	answered := make(chan int, 1)
	go func() { answered <- status(t, p.URL()) }()
	log := &lines{printed: make(chan string, 16)}
	first, second := start(t, path, log), start(t, path, log)
	p.Add(first)
	if got := <-answered; got != http.StatusOK {
		t.Errorf("a request that waited was answered %d", got)
	}
	p.Add(second)
	for range 4 {
		if got := status(t, p.URL()); got != http.StatusOK {
			t.Errorf("answered %d", got)
		}
	}
	if u, err := first.Usage(); err == nil && u.PeakRSS == 0 {
		t.Error("an instance that needs no memory")
	}

	// If its instance dies, a request is answered with 503. The next ones are
	// served.
	p.Remove(second)
	go func() { answered <- status(t, p.URL()+"/hang") }()
	for text := range log.printed {
		if text == "{\"message\":\"hanging\"}\n" {
			break
		}
	}
	first.Kill()
	if got := <-answered; got != http.StatusServiceUnavailable {
		t.Errorf("a request whose instance died was answered %d", got)
	}
	p.Remove(first)
	p.Add(second)
	if got := status(t, p.URL()); got != http.StatusOK {
		t.Errorf("answered %d", got)
	}
}

func TestStartTellsWhyAProgramEnded(t *testing.T) {
	t.Parallel()
	_, err := fleet.Start(t.Context(), fleet.Program{Path: "/bin/sh", Args: []string{"-c", "echo no such setting; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "no such setting") {
		t.Errorf("got %v", err)
	}
}

func status(t *testing.T, url string) int {
	resp, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(server), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}
