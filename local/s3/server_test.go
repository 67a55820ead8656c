package s3_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/local/s3"
)

const bucket = "pictures"

func start(t *testing.T, dir string) *s3.Server {
	t.Helper()
	srv, err := s3.Start(s3.Options{Dir: dir, Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// answer is what a client sees of an answer; the code is S3's error code.
type answer struct {
	Status int
	Body   string
}

// do sends one request about key. Header is a list of names and values.
func do(t *testing.T, srv *s3.Server, method, key, body string, header ...string) (answer, http.Header) {
	t.Helper()
	return doURL(t, method, srv.URL()+"/"+bucket+"/"+key, body, header...)
}

func doURL(t *testing.T, method, url, body string, header ...string) (answer, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if _, rest, ok := bytes.Cut(got, []byte("<Code>")); ok {
		got, _, _ = bytes.Cut(rest, []byte("</Code>"))
	}
	return answer{resp.StatusCode, string(got)}, resp.Header
}

func check(t *testing.T, what string, want, got answer) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestHeadersComeBack(t *testing.T) {
	srv := start(t, "")
	put, _ := do(t, srv, "PUT", "images/x/0", "picture",
		"Content-Type", "image/png", "Cache-Control", "public, immutable", "Content-Disposition", "inline",
		"X-Amz-Meta-Width", "1024", "X-Amz-Date", "", "X-Amz-Content-Sha256", "0a", "Authorization", "AWS4 secret")
	check(t, "PUT", answer{200, ""}, put)
	for method, want := range map[string]answer{"GET": {200, "picture"}, "HEAD": {200, ""}} {
		got, header := do(t, srv, method, "images/x/0", "", "Accept-Encoding", "identity")
		check(t, method, want, got)
		for _, name := range []string{"Date", "Last-Modified", "X-Amz-Id-2", "X-Amz-Request-Id"} {
			if header.Get(name) == "" {
				t.Errorf("%s: no %s", method, name)
			}
			header.Del(name)
		}
		wantHeader := http.Header{
			"Accept-Ranges":                 {"bytes"},
			"Access-Control-Allow-Origin":   {"*"},
			"Access-Control-Expose-Headers": {"*"},
			"Cache-Control":                 {"public, immutable"},
			"Content-Disposition":           {"inline"},
			"Content-Length":                {"7"},
			"Content-Type":                  {"image/png"},
			"Etag":                          {fmt.Sprintf(`"%x"`, md5.Sum([]byte("picture")))},
			"Server":                        {"AmazonS3"},
			"X-Amz-Meta-Width":              {"1024"},
		}
		if diff := cmp.Diff(wantHeader, header); diff != "" {
			t.Errorf("%s (-want +got):\n%s", method, diff)
		}
	}
}

func TestPartsAndConditionsOfReading(t *testing.T) {
	srv := start(t, "")
	_, put := do(t, srv, "PUT", "k", "0123456789")
	tests := []struct {
		name, value string
		want        answer
		contents    string // Content-Range
	}{
		{"Range", "bytes=2-4", answer{206, "234"}, "bytes 2-4/10"},
		{"Range", "bytes=7-", answer{206, "789"}, "bytes 7-9/10"},
		{"Range", "bytes=-2", answer{206, "89"}, "bytes 8-9/10"},
		{"Range", "bytes=7-100", answer{206, "789"}, "bytes 7-9/10"},
		{"Range", "bytes=10-", answer{416, "InvalidRange"}, ""},
		{"If-None-Match", put.Get("Etag"), answer{304, ""}, ""},
		{"If-None-Match", `"another"`, answer{200, "0123456789"}, ""},
	}
	for _, test := range tests {
		got, header := do(t, srv, "GET", "k", "", test.name, test.value)
		check(t, test.name+" "+test.value, test.want, got)
		if header.Get("Content-Range") != test.contents {
			t.Errorf("%s: Content-Range %q", test.value, header.Get("Content-Range"))
		}
	}
}

func TestConditionalPut(t *testing.T) {
	srv := start(t, "")
	tests := []struct {
		header []string
		want   answer
		stored string
	}{
		{[]string{"If-Match", `"0123"`}, answer{412, "PreconditionFailed"}, ""},
		{[]string{"If-None-Match", "*"}, answer{200, ""}, "0"},
		{[]string{"If-None-Match", "*"}, answer{412, "PreconditionFailed"}, "0"},
		{nil, answer{200, ""}, "3"},
	}
	for i, test := range tests {
		got, _ := do(t, srv, "PUT", "k", fmt.Sprint(max(i-1, 0)+i/3), test.header...)
		check(t, fmt.Sprint("PUT ", i), test.want, got)
		want := answer{200, test.stored}
		if test.stored == "" {
			want = answer{404, "NoSuchKey"}
		}
		got, _ = do(t, srv, "GET", "k", "")
		check(t, fmt.Sprint("GET ", i), want, got)
	}
}

func TestOneOfManyConditionalPutsWins(t *testing.T) {
	srv := start(t, "")
	for round := range 30 {
		key := fmt.Sprint("k", round)
		var won []string
		var mu sync.Mutex
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				body := strings.Repeat(fmt.Sprint(i, " "), 1000)
				if got, _ := do(t, srv, "PUT", key, body, "If-None-Match", "*"); got.Status == http.StatusOK {
					mu.Lock()
					defer mu.Unlock()
					won = append(won, body)
				}
			})
		}
		group.Wait()
		if len(won) != 1 {
			t.Fatalf("round %d: %d PUTs succeeded", round, len(won))
		}
		got, _ := do(t, srv, "GET", key, "")
		check(t, "GET", answer{200, won[0]}, got)
	}
}

func TestPutReplacesMetadata(t *testing.T) {
	srv := start(t, "")
	do(t, srv, "PUT", "k", "1", "X-Amz-Meta-Old", "1", "Content-Type", "image/png")
	do(t, srv, "PUT", "k", "2", "X-Amz-Meta-New", "2", "Content-Type", "image/webp")
	_, header := do(t, srv, "HEAD", "k", "")
	got := []string{header.Get("X-Amz-Meta-Old"), header.Get("X-Amz-Meta-New"), header.Get("Content-Type")}
	if diff := cmp.Diff([]string{"", "2", "image/webp"}, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestPutChecksTheBody(t *testing.T) {
	srv := start(t, "")
	sum := md5.Sum([]byte("right"))
	digest := base64.StdEncoding.EncodeToString(sum[:])
	got, _ := do(t, srv, "PUT", "k", "wrong", "Content-MD5", digest)
	check(t, "wrong digest", answer{400, "BadDigest"}, got)
	got, _ = do(t, srv, "GET", "k", "")
	check(t, "GET", answer{404, "NoSuchKey"}, got)
	got, _ = do(t, srv, "PUT", "k", "right", "Content-MD5", digest)
	check(t, "right digest", answer{200, ""}, got)
}

func TestDelete(t *testing.T) {
	srv := start(t, "")
	do(t, srv, "PUT", "k", "1")
	for range 2 {
		got, _ := do(t, srv, "DELETE", "k", "")
		check(t, "DELETE", answer{204, ""}, got)
	}
	got, _ := do(t, srv, "GET", "k", "")
	check(t, "GET", answer{404, "NoSuchKey"}, got)
}

func TestPreflight(t *testing.T) {
	srv := start(t, "")
	got, header := do(t, srv, "OPTIONS", "k", "", "Origin", "http://localhost:3000", "Access-Control-Request-Method", "GET")
	check(t, "OPTIONS", answer{204, ""}, got)
	want := []string{"*", "GET, HEAD, PUT", "*"}
	gotHeaders := []string{
		header.Get("Access-Control-Allow-Origin"),
		header.Get("Access-Control-Allow-Methods"),
		header.Get("Access-Control-Allow-Headers"),
	}
	if diff := cmp.Diff(want, gotHeaders); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

// Whoever does not name the access key reads, writes and lists nothing.
func TestAccessKey(t *testing.T) {
	srv, err := s3.Start(s3.Options{Bucket: bucket, AccessKeyID: "key"})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	const signed = "AWS4-HMAC-SHA256 Credential=key/20261126/auto/s3/aws4_request, SignedHeaders=host, Signature=0a"
	denied := answer{403, "AccessDenied"}
	for _, test := range []struct {
		method, key, authorization string
		want                       answer
	}{
		{"PUT", "k", "", denied},
		{"PUT", "k", strings.Replace(signed, "key", "another", 1), denied},
		{"PUT", "k", signed, answer{200, ""}},
		{"GET", "", "", denied},
		{"GET", "k", "", denied},
		{"GET", "k?X-Amz-Credential=another%2F20261126%2Fauto%2Fs3%2Faws4_request", "", denied},
		{"GET", "k?X-Amz-Credential=key%2F20261126%2Fauto%2Fs3%2Faws4_request", "", answer{200, "1"}},
		{"GET", "k", signed, answer{200, "1"}},
		{"DELETE", "k", "", denied},
		{"OPTIONS", "k", "", answer{204, ""}},
	} {
		got, _ := do(t, srv, test.method, test.key, "1", "Authorization", test.authorization)
		check(t, test.method+" "+test.key+" "+test.authorization, test.want, got)
	}
}

func TestStartRefuses(t *testing.T) {
	taken := start(t, "")
	for name, opts := range map[string]s3.Options{
		"no bucket":           {},
		"a bucket elsewhere":  {Bucket: "../up"},
		"an address in use":   {Bucket: bucket, Addr: strings.TrimPrefix(taken.URL(), "http://")},
		"a file as directory": {Bucket: bucket, Dir: os.Args[0]},
	} {
		if srv, err := s3.Start(opts); err == nil {
			srv.Close()
			t.Errorf("%s: started", name)
		}
	}
}
