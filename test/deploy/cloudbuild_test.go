package deploy_test

import (
	"os"
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

// found returns what the first group of a pattern matches in text, each match
// once.
func found(pattern, text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Cloud Build refuses a build with a substitution that is not declared or not
// used.
func TestCloudBuildSubstitutions(t *testing.T) {
	t.Parallel()
	_, config, _ := strings.Cut(read(t, "../../cloudbuild.yaml"), "\nsubstitutions:\n")
	declarations, rest, _ := strings.Cut(config, "\n\n")
	declared, used := found(`(?m)^  (_[A-Z_]+):`, declarations), found(`\$\{?(_[A-Z_]+)`, rest)
	if diff := cmp.Diff(declared, used); diff != "" || len(declared) == 0 {
		t.Errorf("declared and used (-declared +used):\n%s", diff)
	}
}

// The deploy step passes every setting on to the script.
func TestCloudBuildPassesEverySetting(t *testing.T) {
	t.Parallel()
	_, step, _ := strings.Cut(read(t, "../../cloudbuild.yaml"), "- id: deploy\n")
	passed := found(`(?m)^ +- ([A-Z_]+)=`, step)
	for _, setting := range found(`(?m)^([A-Z_]+)=\$\{[A-Z_]+:-`, read(t, "../../scripts/deploy.sh")) {
		if !slices.Contains(passed, setting) {
			t.Errorf("%s is not passed", setting)
		}
	}
}

// The tests run with the Go that the image is built with.
func TestCloudBuildTestsWithTheGoOfTheImage(t *testing.T) {
	t.Parallel()
	image := found(`(?m)^ARG GO_IMAGE=(golang:\S+@sha256:[0-9a-f]{64})$`, read(t, "../../Dockerfile"))
	if diff := cmp.Diff(image, found(`name: (golang:\S+)`, read(t, "../../cloudbuild.yaml"))); diff != "" || len(image) != 1 {
		t.Errorf("images of Go (-Dockerfile +cloudbuild.yaml):\n%s", diff)
	}
}
