package terraform_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/config"
)

// declared returns the declarations of all settings, by name.
func declared() map[string]config.Setting {
	settings := make(map[string]config.Setting)
	for _, s := range config.Settings() {
		settings[s.Name] = s
	}
	return settings
}

// names returns what a pattern's first group matches in a text, each match
// once.
func names(text, pattern string) []string {
	found := make(map[string]bool)
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// value returns the definition of a name in a Terraform file: its line, and the
// lines after it that are indented further.
func value(t *testing.T, text, name string) string {
	t.Helper()
	start := regexp.MustCompile(`(?m)^( +)` + name + ` += .*\n`).FindStringSubmatchIndex(text)
	if start == nil {
		t.Fatalf("the configuration has no %s", name)
	}
	indent, rest := text[start[2]:start[3]], text[start[1]:]
	further := regexp.MustCompile(`^(?:` + indent + ` .*\n)*`).FindString(rest)
	return text[start[0]:start[1]] + further
}

// assigned matches the variables that a Terraform file gives values to.
const assigned = `(?m)(?:^ *|\{ )([A-Z][A-Z0-9_]*) += `

// environment returns the settings that Terraform gives a service. The value is
// true for those that come from Secret Manager.
func environment(t *testing.T, role string) map[string]bool {
	t.Helper()
	settings, secrets := read(t, "terraform/settings.tf"), read(t, "terraform/secrets.tf")
	env := make(map[string]bool)
	list, plain := role, []string{"settings", role + "_settings", "lane_settings"}
	if role == string(config.RoleDashboard) { // there may be none
		list, plain = role+"_secrets", append(plain, "iap_settings")
	}
	of := value(t, secrets, list)
	for _, secret := range names(of, `"([a-z0-9-]+)"`) {
		for _, name := range names(value(t, settings, secret), `"([A-Z][A-Z0-9_]*)"`) {
			env[name] = true
		}
	}
	if strings.Contains(of, "local.lane_secrets") {
		env["GEMINI_API_KEY"] = true
	}
	// If a setting is in both, the plain setting wins, as in local.env.
	for _, local := range plain {
		for _, name := range names(value(t, settings, local), assigned) {
			env[name] = false
		}
	}
	return env
}

// Terraform gives a service only settings that exist, and all that its role
// requires. Secrets come from Secret Manager only.
func TestServicesGetTheirSettings(t *testing.T) {
	t.Parallel()
	settings := declared()
	for _, role := range []config.Role{config.RoleAPI, config.RoleWorker, config.RoleDashboard} {
		env := environment(t, string(role))
		for name, secret := range env {
			s, known := settings[name]
			switch {
			case !known:
				t.Errorf("the %s gets %s, which is no setting", role, name)
			case s.Secret && !secret:
				t.Errorf("the %s gets %s as a plain value, and it is a secret", role, name)
			case !s.Secret && secret:
				t.Errorf("the %s gets %s from Secret Manager, and it is not declared secret", role, name)
			}
		}
		for name, s := range settings {
			_, given := env[name]
			_, other := env[s.Or]
			if s.Required(role) && !given && !other {
				t.Errorf("the %s does not get %s, without which it does not start", role, name)
			}
		}
	}
}

// The keys of several lanes are settings that LANES names.
func TestKeysOfLanesAreSecrets(t *testing.T) {
	t.Parallel()
	settings := read(t, "terraform/settings.tf")
	lanes := value(t, settings, "lanes_setting")
	if regexp.MustCompile(`\bapi_key\b`).MatchString(lanes) || !regexp.MustCompile(`api_key_env += local\.key_settings\[name]`).MatchString(lanes) {
		t.Errorf("LANES does not name its keys:\n%s", lanes)
	}
	if secrets := value(t, settings, "secret_settings"); !strings.Contains(secrets, "secret => local.key_settings[lane]") {
		t.Errorf("the keys of lanes are no secrets:\n%s", secrets)
	}
}

// Nothing but terraform/settings.tf says what a container gets.
func TestEnvironmentsAreInOnePlace(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../terraform/*.tf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configuration: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^ *env \{`).Match(text) {
			t.Errorf("%s gives a container a variable of its own", filepath.Base(file))
		}
		for _, each := range names(string(text), `dynamic "env" \{\s+for_each = (.+)`) {
			if !strings.HasPrefix(each, `local.env[`) {
				t.Errorf("%s gives a container what is in %s", filepath.Base(file), each)
			}
		}
	}
}

// The other files that give the program variables give it only settings that
// exist.
func TestSettingsAreDeclared(t *testing.T) {
	t.Parallel()
	const flags = `-(?:env-vars|secrets)=(?:\^.\^)?([A-Z][A-Z0-9_]*)`
	compose := read(t, "compose.yaml")
	_, program, found := strings.Cut(compose, "\n  migrate:\n")
	program, _, ended := strings.Cut(program, "\nvolumes:\n")
	if !found || !ended {
		t.Fatal("compose.yaml has no service migrate with others of the program behind it")
	}
	given := map[string][]string{
		"compose.yaml":                   names(program, `(?m)^      ([A-Z][A-Z0-9_]*):`),
		"scripts/deploy.sh":              names(read(t, "scripts/deploy.sh"), flags),
		"scripts/deploy.sh, as it looks": names(read(t, "scripts/deploy.sh")+read(t, "scripts/cloud.sh"), `(?:\\n'|\^)([A-Z][A-Z0-9_]+),`),
	}
	for file, names := range given {
		if len(names) == 0 {
			t.Errorf("%s gives nothing: is it read right?", file)
		}
	}
	given["cloudbuild.yaml"] = names(read(t, "cloudbuild.yaml"), flags) // may be none: deploy.sh sets the variables
	settings := declared()
	for file, names := range given {
		for _, name := range names {
			if _, known := settings[name]; !known {
				t.Errorf("%s: %s is no setting", file, name)
			}
		}
	}
}
