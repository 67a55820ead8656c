package config_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/config"
)

var update = flag.Bool("update", false, "write the README's table of settings")

func TestDeclarationsAreWhole(t *testing.T) {
	names := make(map[string]config.Setting)
	for _, s := range config.Settings() {
		if _, twice := names[s.Name]; twice || !regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`).MatchString(s.Name) {
			t.Errorf("%q is declared twice, or no name", s.Name)
		}
		names[s.Name] = s
		if s.Purpose == "" || strings.ContainsAny(s.Purpose+s.Note+s.Otherwise, "|\n") {
			t.Errorf("%s says nothing, or what breaks the table", s.Name)
		}
		if s.RequiredBy != "" && s.Default+s.Otherwise != "" || s.Default != "" && s.Otherwise != "" {
			t.Errorf("%s says twice what holds if it is absent", s.Name)
		}
	}
	for _, s := range names {
		if _, known := names[s.Or]; s.Or != "" && !known {
			t.Errorf("%s may be replaced by %s, which is not declared", s.Name, s.Or)
		}
	}
}

// readmeTable matches the settings in the README.
var readmeTable = regexp.MustCompile(`(?s)(<!-- settings -->\n).*(<!-- /settings -->\n)`)

// TestREADMEHasAllSettings holds the README's table against the declarations.
// `make settings` writes it.
func TestREADMEHasAllSettings(t *testing.T) {
	const file = "../README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !readmeTable.Match(text) {
		t.Fatalf("%s has no lines <!-- settings --> and <!-- /settings -->", file)
	}
	want := readmeTable.ReplaceAllStringFunc(string(text), func(found string) string {
		marks := readmeTable.FindStringSubmatch(found)
		return marks[1] + table(config.Settings()) + marks[2]
	})
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("the README's settings are not the declared ones; `make settings` writes them (-want +got):\n%s", diff)
	}
}

// table returns the settings as Markdown, by the service that they belong to.
func table(settings []config.Setting) string {
	var b strings.Builder
	b.WriteString("| setting | | if absent |\n|---|---|---|\n")
	service := config.Service("none yet")
	for _, s := range settings {
		if s.Service != service {
			service = s.Service
			fmt.Fprintf(&b, "| **%s** | | |\n", heading(service))
		}
		name := "`" + s.Name + "`"
		if s.Secret {
			name += " (secret)"
		}
		words := slices.DeleteFunc([]string{s.Purpose, s.Note}, func(s string) bool { return s == "" })
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("| %s | %s | %s", name, strings.Join(words, "; "), ifAbsent(s)), " "), "|")
	}
	return b.String()
}

func heading(s config.Service) string {
	if s == "" {
		return "This service"
	}
	return string(s)
}

// ifAbsent returns what holds without a setting.
func ifAbsent(s config.Setting) string {
	needed := map[config.Role]string{
		config.RoleAll: "required", config.RoleAPI: "required by the API", config.RoleWorker: "required by the worker",
	}[s.RequiredBy]
	switch {
	case needed != "" && s.Or != "":
		return needed + ", or `" + s.Or + "`"
	case needed != "":
		return needed
	case s.Default != "":
		return "`" + s.Default + "`"
	default:
		return s.Otherwise
	}
}
