package caller_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/cmd/internal/caller"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
)

// The page has the exit codes that the help has.
func TestPageHasTheExitCodes(t *testing.T) {
	page, err := os.ReadFile("../../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := func(pattern, text string) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		return all
	}
	if diff := cmp.Diff(codes(`(?m)^  (\d+) `, caller.ExitCodes), codes(`(?m)^\| (\d+) \|`, string(page))); diff != "" {
		t.Errorf("docs/cli.md has (-want +got):\n%s", diff)
	}
}

func TestExitCode(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"nothing wrong":       {nil, 0},
		"any error":           {errors.New("disk full"), caller.ExitFailed},
		"no such job":         {fmt.Errorf("x: %w", &client.Error{Call: "GET /api/jobs/1", Status: 404}), caller.ExitNotFound},
		"another server":      {&client.Error{Call: "POST /api/generate-images", Status: 404}, caller.ExitFailed},
		"a list without jobs": {&client.Error{Call: "GET /api/jobs", Status: 404}, caller.ExitFailed},
		"an answer lost":      {&client.Error{Call: "GET /api/jobs/1"}, caller.ExitFailed},
	} {
		if got := caller.ExitCode(tt.err); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
