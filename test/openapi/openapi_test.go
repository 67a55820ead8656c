// Package openapi_test holds the service against its own OpenAPI document, with
// tools that others made: a client that ogen generates, ajv, and the linter of
// Redocly. It also holds docs/api.md against the service.
package openapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// document returns the OpenAPI document.
func (s *service) document() []byte {
	s.Helper()
	w := httptest.NewRecorder()
	s.routes.ServeHTTP(w, httptest.NewRequestWithContext(s.Context(), http.MethodGet, "/openapi.json", http.NoBody))
	if w.Code != http.StatusOK {
		s.Fatalf("/openapi.json: %d %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// A client in Go that is generated from the document calls every operation, and
// reads what the service answers.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	look(t, "client/client_test.go", "client/go.mod", "client/go.sum", "client/ogen.yml")
	s := newService(t)
	serve := func(routes http.Handler) string {
		srv := httptest.NewServer(routes)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	ids := s.jobs()
	s.fill() // afterwards, since a claim takes what waits
	fixture, err := json.Marshal(map[string]any{
		"URL": serve(s.routes), "Away": serve(newBrokenRoutes(away)), "Keys": keys(), "Jobs": ids,
		"Token": s.token(ids["succeeded"], time.Now().Add(time.Hour)), "Expired": s.token(ids["succeeded"], time.Now().Add(-time.Hour)),
	})
	if err != nil {
		t.Fatal(err)
	}
	runIn(t, "client", nil, "go", "tool", "ogen", "--config", "ogen.yml", "--target", "api", "--package", "api", "--clean",
		write(t, "openapi.json", s.document()))
	runIn(t, "client", []string{"OPENAPI_FIXTURE=" + string(fixture)}, "go", "test", "-count=1", "./...")
}

// Each answer is as the document describes it, and each that it describes can be
// had. An operation that is added needs its exchanges here.
func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	installNode(t)
	s := newService(t)
	var doc struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	if err := json.Unmarshal(s.document(), &doc); err != nil {
		t.Fatal(err)
	}
	var described []string
	for path, operations := range doc.Paths {
		for method, op := range operations {
			for status := range op.Responses {
				described = append(described, method+" "+path+" "+status)
			}
		}
	}
	exchanges := s.exchanges()
	had := make(map[string]bool)
	for _, e := range exchanges {
		had[e.key()] = true
	}
	slices.Sort(described)
	if diff := cmp.Diff(described, slices.Sorted(maps.Keys(had))); diff != "" {
		t.Errorf("the answers that are described (-) and those that there are (+):\n%s", diff)
	}
	recorded, err := json.Marshal(exchanges)
	if err != nil {
		t.Fatal(err)
	}
	runIn(t, ".", nil, "node", "validate.js", write(t, "openapi.json", s.document()), write(t, "exchanges.json", recorded))
}

// A linter finds nothing to warn of.
func TestDocumentIsInOrder(t *testing.T) {
	t.Parallel()
	installNode(t)
	file := write(t, "openapi.json", newService(t).document())
	out := runIn(t, ".", []string{"REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true"},
		"node_modules/.bin/redocly", "lint", "--config", "redocly.yaml", "--format", "json", file)
	var report struct {
		Problems []any
	}
	_, found, _ := strings.Cut(out, "{") // what comes before is for people
	if err := json.NewDecoder(strings.NewReader("{" + found)).Decode(&report); err != nil || len(report.Problems) > 0 {
		t.Errorf("error %v, problems %v", err, report.Problems)
	}
}

// write writes a file for a program to read, and returns its path.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runIn runs a program in a directory and returns what it prints. It must succeed.
func runIn(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir, command.Env = dir, append(os.Environ(), env...)
	var failed strings.Builder
	command.Stderr = &failed
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, out, failed.String())
	}
	return string(out)
}
