package s3_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/local/s3"
)

func TestObjectsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	do(t, first, "PUT", "images/x/0", "picture", "Content-Type", "image/png", "X-Amz-Meta-Width", "1024")
	_, before := do(t, first, "GET", "images/x/0", "")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(t, dir)
	got, after := do(t, second, "GET", "images/x/0", "")
	check(t, "GET", answer{200, "picture"}, got)
	for _, header := range []http.Header{before, after} {
		header.Del("Date")
		header.Del("X-Amz-Id-2")
		header.Del("X-Amz-Request-Id")
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("headers (-before +after):\n%s", diff)
	}
	got, _ = do(t, second, "PUT", "images/x/0", "another", "If-None-Match", "*")
	check(t, "PUT", answer{412, "PreconditionFailed"}, got)
}

func TestNothingSurvivesWithoutADirectory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	srv := start(t, "")
	do(t, srv, "PUT", "k", "1")
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if left := fileNames(t, os.Getenv("TMPDIR")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A file that was cut short, as by a power failure, is not an object, and does
// not stop a new PUT.
func TestAFileCutShortIsNoObject(t *testing.T) {
	for _, keep := range []int64{0, 3, 20, -1} {
		dir := t.TempDir()
		srv := start(t, dir)
		do(t, srv, "PUT", "k", "picture")
		path := filepath.Join(dir, bucket, "k")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if keep < 0 {
			keep += info.Size()
		}
		if err := os.Truncate(path, keep); err != nil {
			t.Fatal(err)
		}
		got, _ := do(t, srv, "GET", "k", "")
		check(t, "GET", answer{404, "NoSuchKey"}, got)
		if diff := cmp.Diff([]string(nil), list(t, srv, "")); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
		got, _ = do(t, srv, "PUT", "k", "again", "If-None-Match", "*")
		check(t, "PUT", answer{200, ""}, got)
	}
}

// A file of another kind that ends like an object's file is not an object
// either.
func TestAStrangeFileIsNoObject(t *testing.T) {
	dir := t.TempDir()
	srv := start(t, dir)
	strange := []byte("picture\xff\xff\xff\xffS3OBJ\x00\x01\n")
	if err := os.WriteFile(filepath.Join(dir, bucket, "k"), strange, 0o600); err != nil {
		t.Fatal(err)
	}
	got, _ := do(t, srv, "GET", "k", "")
	check(t, "GET", answer{404, "NoSuchKey"}, got)
}

// Every key is its own object, and no file is outside the directory.
func TestKeysOfAllKinds(t *testing.T) {
	dir := t.TempDir()
	srv := start(t, dir)
	keys := []string{"a", "a/b", ".", "..", ".draft-1", "../../up", "a+b c", "ü/%2F?", "trailing/"}
	for _, key := range keys {
		got, _ := do(t, srv, "PUT", escaped(key), "of "+key)
		check(t, "PUT "+key, answer{200, ""}, got)
	}
	srv.Close()
	srv = start(t, dir)
	for _, key := range keys {
		got, _ := do(t, srv, "GET", escaped(key), "")
		check(t, "GET "+key, answer{200, "of " + key}, got)
	}
	want := []string{".", "..", "../../up", ".draft-1", "a", "a+b c", "a/b", "trailing/", "ü/%2F?"}
	if diff := cmp.Diff(want, list(t, srv, "")); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if got := fileNames(t, filepath.Join(dir, bucket)); len(got) != len(keys) {
		t.Errorf("files %v", got)
	}
	if got := fileNames(t, dir); len(got) != 1 {
		t.Errorf("beside the bucket: %v", got)
	}
}

func TestList(t *testing.T) {
	srv := start(t, "")
	for _, key := range []string{"images/b/0", "images/a/1", "images/a/0", "inputs/a/0"} {
		do(t, srv, "PUT", key, "1")
	}
	tests := map[string][]string{
		"":                           {"images/a/0", "images/a/1", "images/b/0", "inputs/a/0"},
		"prefix=images/a/":           {"images/a/0", "images/a/1"},
		"prefix=images/&delimiter=/": {"images/a/", "images/b/"},
		"list-type=2&max-keys=1":     {"images/a/0"},
		"list-type=2&max-keys=2&start-after=images/a/0&prefix=images/": {"images/a/1", "images/b/0"},
		"list-type=2&start-after=images/a/7":                           {"images/b/0", "inputs/a/0"},
	}
	for query, want := range tests {
		if diff := cmp.Diff(want, list(t, srv, query)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
}

func TestThereIsOneBucket(t *testing.T) {
	srv := start(t, "")
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		got, _ := doURL(t, method, srv.URL()+"/elsewhere/k", "1")
		check(t, method, answer{404, "NoSuchBucket"}, got)
	}
}

func escaped(key string) string {
	return strings.ReplaceAll(url.PathEscape(key), ".", "%2E") // or the client would tidy ".." away
}

// list returns the keys and common prefixes that the bucket lists.
func list(t *testing.T, srv *s3.Server, query string) []string {
	t.Helper()
	resp, err := http.Get(srv.URL() + "/" + bucket + "?" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Keys     []string `xml:"Contents>Key"`
		Prefixes []string `xml:"CommonPrefixes>Prefix"`
	}
	if err := xml.Unmarshal(body, &page); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return append(page.Keys, page.Prefixes...)
}

func fileNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
