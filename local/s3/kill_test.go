package s3_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/local/s3"
)

// servedDir, in the environment, makes this test binary a server on that
// directory, which the test kills.
const servedDir = "S3_TEST_SERVED_DIR"

// TestServer runs that server. Without servedDir it tests nothing.
func TestServer(t *testing.T) {
	dir := os.Getenv(servedDir)
	if dir == "" {
		t.Skip("started by TestKilled only")
	}
	srv, err := s3.Start(s3.Options{Dir: dir, Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(srv.URL())
	select {}
}

// A process that is killed in the middle of a PUT keeps every object that it
// had stored whole, and leaves nothing of the unfinished one.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	child, url := startChild(t, dir)
	put(t, url+"/"+bucket+"/stored", strings.NewReader("stored"))

	body, feed := io.Pipe()
	lost := make(chan error, 1)
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/"+bucket+"/lost", body)
		req.ContentLength = 1 << 30
		_, err := http.DefaultClient.Do(req)
		lost <- err
	}()
	fmt.Fprint(feed, strings.Repeat("half", 1<<18))
	for len(fileNames(t, filepath.Join(dir, bucket))) < 2 { // until the child began to write it
		fmt.Fprint(feed, "more")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	feed.Close() // the client waits for its own reading to end
	if err := <-lost; err == nil {
		t.Error("the PUT that was cut succeeded")
	}

	srv := start(t, dir)
	got, _ := do(t, srv, "GET", "stored", "")
	check(t, "GET stored", answer{200, "stored"}, got)
	got, _ = do(t, srv, "GET", "lost", "")
	check(t, "GET lost", answer{404, "NoSuchKey"}, got)
	if diff := cmp.Diff([]string{"stored"}, fileNames(t, filepath.Join(dir, bucket))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func startChild(t *testing.T, dir string) (child *exec.Cmd, url string) {
	t.Helper()
	child = exec.Command(os.Args[0], "-test.run=^TestServer$")
	child.Env = append(os.Environ(), servedDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		child.Process.Kill()
		child.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return child, strings.TrimSpace(line)
}

func put(t *testing.T, url string, body io.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("PUT %s: %s", url, resp.Status)
	}
}
