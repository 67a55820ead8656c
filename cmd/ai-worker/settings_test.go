package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/config"
)

// noSettings look like settings but are none.
var noSettings = []string{
	"AI_WORKER_KEY", "AI_WORKER_URL", // of those who call the service
	"SERVICE_DISABLED", "SIGNATURE_REMOVED_BY_GOOGLE", // Google's words
	"THE_PROJECT_OF_THE_KEY", "THIS_ACCOUNT", // for the reader to fill in
}

// Every setting that doctor or a command names is declared, so that nobody is
// told to mend a setting that does not exist.
func TestSettingsThatAreNamedAreDeclared(t *testing.T) {
	var declared []string
	for _, s := range config.Settings() {
		declared = append(declared, s.Name)
	}
	var named []string
	for _, dir := range []string{".", "../dev", "../internal/service", "../../doctor"} {
		named = append(named, settingsNamedIn(t, dir)...)
	}
	if len(named) == 0 {
		t.Fatal("nothing is named: is the right code read?")
	}
	for _, name := range named {
		if !slices.Contains(declared, name) && !slices.Contains(noSettings, name) {
			t.Errorf("%s is named, and not declared", name)
		}
	}
	for _, name := range noSettings {
		if !slices.Contains(named, name) {
			t.Errorf("%s is not named any more", name)
		}
	}
}

// settingsNamedIn returns the words in a package's code that look like
// settings, and everything that a check needs.
func settingsNamedIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)
	needs := regexp.MustCompile(`(?:Needs: +\[]string|needs)[{(].*[})]`)
	quoted := regexp.MustCompile(`"([A-Z][A-Z0-9_]*)"`)
	var named []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named = append(named, word.FindAllString(string(text), -1)...)
		for _, line := range needs.FindAllString(string(text), -1) {
			for _, m := range quoted.FindAllStringSubmatch(line, -1) {
				named = append(named, m[1])
			}
		}
	}
	slices.Sort(named)
	return slices.Compact(named)
}
