// Package image_test checks that Dockerfile and .dockerignore do what they
// promise, without building an image.
package image_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The context of the build has exactly the directories that the programs are
// built from: none is missing, and there is no other.
func TestContextIsWhatTheProgramsAreBuiltFrom(t *testing.T) {
	t.Parallel()
	const module = "github.com/ai-worker/ai-worker/"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../cmd/ai-worker", "../../cmd/dev", "../../cmd/cloud-tasks-emulator").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"go.mod", "go.sum"}
	for path := range strings.Lines(string(out)) {
		if inside, ok := strings.CutPrefix(path, module); ok {
			directory, _, _ := strings.Cut(strings.TrimSpace(inside), "/")
			want = append(want, directory+"/")
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)

	var got []string
	denied := false // by the first rule
	for line := range strings.Lines(read(t, "../../.dockerignore")) {
		rule := strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(rule, "!"); ok {
			got = append(got, name)
		}
		denied = denied || rule == "*" && len(got) == 0
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf(".dockerignore lets in (-want +got):\n%s", diff)
	}
	if !denied {
		t.Error(".dockerignore must deny everything first")
	}
}

// The program in the image is the same that `make build` builds.
func TestImageIsBuiltAsMakeBuildsIt(t *testing.T) {
	t.Parallel()
	flags := regexp.MustCompile(`go build (-trimpath -ldflags .-s -w -X main\.version=)\S+ -o \S+ \./cmd/ai-worker`)
	for _, path := range []string{"../../Makefile", "../../Dockerfile"} {
		if text := read(t, path); !flags.MatchString(text) || !strings.Contains(text, "CGO_ENABLED=0") {
			t.Errorf("%s does not build it with the flags %s", path, flags)
		}
	}
}

// With a base that is not pinned, the same sources could become another image.
func TestBasesArePinned(t *testing.T) {
	t.Parallel()
	dockerfile := read(t, "../../Dockerfile")
	pinned := regexp.MustCompile(`(?m)^ARG (\w+_IMAGE)=\S+:\S+@sha256:[0-9a-f]{64}$`).FindAllStringSubmatch(dockerfile, -1)
	stages := map[string]bool{}
	for _, m := range pinned {
		stages["${"+m[1]+"}"] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+) AS (\w+(?:-\w+)*)$`).FindAllStringSubmatch(dockerfile, -1) {
		if !stages[m[1]] {
			t.Errorf("%s is not pinned", m[1])
		}
		stages[m[2]] = true
	}
	if len(pinned) != 2 || !strings.HasSuffix(strings.TrimSpace(dockerfile), `CMD ["serve"]`) {
		t.Error("two bases are to be pinned, and production is to be the last stage")
	}
}
