package openapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/test/need"
)

// An example is a command of the page and what it answers.
type example struct {
	line    int
	setting string // of the comment before it
	command string
	answer  string
}

// An example on the page is a comment, a command, and the answer. The comment is
// for the test: which job $JOB is, by its status; away, if the record cannot be
// reached; full, if the caller has as many pictures waiting as may; and then, if
// the example goes on where the one before it ended, with the members of that
// one's answer in variables such as $ID.
var exampleText = regexp.MustCompile("(?ms)^<!-- example:([^>]*)-->\n```sh\n(.*?)\n```\n+```http\n(.*?)\n```$")

// examples returns the examples of the page.
func examples(t *testing.T) []example {
	t.Helper()
	text := readPage(t)
	var all []example
	for _, m := range exampleText.FindAllStringSubmatchIndex(text, -1) {
		all = append(all, example{
			line:    strings.Count(text[:m[0]], "\n") + 1,
			setting: strings.TrimSpace(text[m[2]:m[3]]), command: text[m[4]:m[5]], answer: text[m[6]:m[7]],
		})
	}
	if n := strings.Count(text, "\n```http\n"); n == 0 || n != len(all) {
		t.Fatalf("%s has %d answers, and %d of them belong to an example", page, n, len(all))
	}
	return all
}

// Each example of the page answers as it says there. Ids and times may differ, and
// so may fractions. What … stands for may be anything, and … as the name of a
// member stands for other members.
func TestExamplesAnswerAsThePageSays(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			need.Missing(t, "needs "+program+" in PATH")
		}
	}
	for _, chain := range chains(examples(t)) {
		t.Run(fmt.Sprintf("line %d", chain[0].line), func(t *testing.T) {
			t.Parallel()
			s := newShell(t, chain[0].setting)
			for _, e := range chain {
				for _, fault := range compare(e.answer, s.run(e.command)) {
					t.Errorf("api.md:%d: %s", e.line, fault)
				}
			}
		})
	}
}

// chains returns the examples, each with those that go on where it ended.
func chains(all []example) [][]example {
	var chains [][]example
	for _, e := range all {
		if e.setting == "then" {
			chains[len(chains)-1] = append(chains[len(chains)-1], e)
			continue
		}
		chains = append(chains, []example{e})
	}
	return chains
}

// A shell runs the commands of examples against a service of its own.
type shell struct {
	*testing.T

	dir string
	env []string
}

// newShell starts a service for an example.
func newShell(t *testing.T, setting string) *shell {
	t.Helper()
	s := newService(t)
	ids := s.jobs()
	routes, key := s.routes, keys()["web"]
	switch setting {
	case "away":
		routes = newBrokenRoutes(away)
	case "full":
		s.fill()
		key = keys()["full"]
	}
	srv := httptest.NewServer(routes)
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fox.png"), picture.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return &shell{T: t, dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "API=" + srv.URL, "KEY=" + key, "JOB=" + ids[setting],
		"TOKEN=" + s.token(ids["succeeded"], time.Now().Add(time.Hour)), "OLD_TOKEN=" + s.token(ids["succeeded"], time.Now().Add(-time.Hour)),
	}}
}

// continued is what a server may say before it answers a request with a body.
var continued = regexp.MustCompile(`^HTTP/1.1 100 Continue\n\n`)

// run runs a command and returns what it prints. The members of its answer become
// variables.
func (s *shell) run(command string) string {
	s.Helper()
	run := exec.CommandContext(s.Context(), "sh", "-c", command)
	run.Dir, run.Env = s.dir, s.env
	out, err := run.CombinedOutput()
	if err != nil {
		s.Fatalf("%s: %v\n%s", command, err, out)
	}
	got := continued.ReplaceAllString(strings.ReplaceAll(string(out), "\r\n", "\n"), "")
	_, body, _ := strings.Cut(got, "\n\n")
	var members map[string]any
	if json.Unmarshal([]byte(body), &members) == nil {
		for name, value := range members {
			if text, ok := value.(string); ok {
				s.env = append(s.env, strings.ToUpper(name)+"="+text)
			}
		}
	}
	return got
}

// compare returns what is wrong with an answer that should be like another.
func compare(want, got string) []string {
	wantHead, wantBody, _ := strings.Cut(want, "\n\n")
	gotHead, gotBody, _ := strings.Cut(got, "\n\n")
	wantLines, gotLines := strings.Split(wantHead, "\n"), strings.Split(gotHead, "\n")
	var faults []string
	if wantLines[0] != gotLines[0] {
		return []string{fmt.Sprintf("answered %s, want %s", got, wantLines[0])}
	}
	sent := make(http.Header)
	for _, line := range gotLines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		sent.Add(name, value)
	}
	for _, line := range wantLines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if !like(value, sent.Get(name)) {
			faults = append(faults, fmt.Sprintf("header %s is %q, want %q", name, sent.Get(name), value))
		}
	}
	var wantJSON, gotJSON any
	if json.Unmarshal([]byte(wantBody), &wantJSON) != nil {
		if !like(strings.TrimSpace(wantBody), strings.TrimSpace(gotBody)) {
			faults = append(faults, fmt.Sprintf("the body is %q", gotBody))
		}
		return faults
	}
	if err := json.Unmarshal([]byte(gotBody), &gotJSON); err != nil {
		return append(faults, fmt.Sprintf("%v in %q", err, gotBody))
	}
	return append(faults, differences("body", wantJSON, gotJSON)...)
}

// differences returns how a value of JSON is not like another.
func differences(at string, want, got any) []string {
	var faults []string
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			break
		}
		_, more := want["…"]
		for name, value := range want {
			member, there := object[name]
			switch {
			case name == "…":
			case !there:
				faults = append(faults, at+"."+name+" is missing")
			default:
				faults = append(faults, differences(at+"."+name, value, member)...)
			}
		}
		for name, value := range object {
			if _, told := want[name]; !told && !more {
				faults = append(faults, fmt.Sprintf("%s.%s is not told: %v", at, name, value))
			}
		}
		return faults
	case []any:
		list, ok := got.([]any)
		more := len(want) > 0 && want[len(want)-1] == "…"
		if more {
			want = want[:len(want)-1]
		}
		if !ok || len(list) < len(want) || len(list) > len(want) && !more {
			break
		}
		for i, value := range want {
			faults = append(faults, differences(fmt.Sprintf("%s[%d]", at, i), value, list[i])...)
		}
		return faults
	case string:
		if text, ok := got.(string); ok && like(want, text) {
			return nil
		}
	case float64:
		if number, ok := got.(float64); ok && (number == want || want != math.Trunc(want)) {
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s is %v, want %v", at, got, want)}
}

// like reports whether a text is like another: both are ids, or times, or the same
// but for what … stands for.
func like(want, got string) bool {
	if uuid.Validate(want) == nil {
		return uuid.Validate(got) == nil
	}
	if _, err := time.Parse(time.RFC3339, want); err == nil {
		_, err := time.Parse(time.RFC3339, got)
		return err == nil
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", `(?s:.*)`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}
