package deploy_test

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

// The deploy step passes every setting on to the scripts.
func TestCloudBuildPassesEverySetting(t *testing.T) {
	t.Parallel()
	_, step, _ := strings.Cut(read(t, "../../cloudbuild.yaml"), "- id: deploy\n")
	passed := found(`(?m)^ +- ([A-Z_]+)=`, step)
	scripts := read(t, "../../scripts/deploy.sh") + read(t, "../../scripts/cloud.sh")
	for _, setting := range found(`(?m)^([A-Z_]+)=\$\{[A-Z_]+:-`, scripts) {
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

// `gcloud builds submit --config cloudbuild.yaml` needs no other flag: the account
// is in the file, it may read what is sent to the default bucket, and the log is
// where that command shows it.
func TestCloudBuildNeedsNoFlags(t *testing.T) {
	t.Parallel()
	config, bootstrap := read(t, "../../cloudbuild.yaml"), read(t, "../../terraform/bootstrap/main.tf")
	for _, line := range []string{
		"serviceAccount: projects/$PROJECT_ID/serviceAccounts/${_BUILD_ACCOUNT}@$PROJECT_ID.iam.gserviceaccount.com",
		"logsBucket: gs://${PROJECT_ID}-${_REPOSITORY}-source/logs", "  logging: LEGACY",
	} {
		if !strings.Contains(config, "\n"+line) {
			t.Errorf("cloudbuild.yaml does not say %q", line)
		}
	}
	for _, part := range []string{`"${var.project}-${var.name}-source"`, `buckets/${var.project}_cloudbuild`} {
		if !strings.Contains(bootstrap, part) {
			t.Errorf("bootstrap does not say %q", part)
		}
	}
}

// A roll-back, and the end of a canary, build nothing.
func TestCloudBuildBuildsNothingToGoBack(t *testing.T) {
	t.Parallel()
	config := read(t, "../../cloudbuild.yaml")
	for _, id := range []string{"test", "build", "deploy"} {
		_, step, _ := strings.Cut(config, "- id: "+id+"\n")
		_, script, _ := strings.Cut(step, "    script: |\n")
		script, _, _ = strings.Cut(strings.ReplaceAll(script, "\n      ", "\n"), "\n\n")
		for _, env := range []string{"ROLLBACK=previous CANARY=", "ROLLBACK= CANARY=promote", "ROLLBACK= CANARY=abort"} {
			// Whatever the step runs prints its name and what it is told.
			shell := `exec() { echo "$*"; exit; }; for c in apt-get make docker; do eval "$c() { echo $c; exit; }"; done; TEST=true IMAGE=i BUILD_ID=b SHORT_SHA=` + "\n"
			cmd := exec.CommandContext(t.Context(), "bash", "-c", shell+strings.TrimSpace(script))
			cmd.Env = append(os.Environ(), strings.Split(env, " ")...)
			out, err := cmd.CombinedOutput()
			want := ""
			if id == "deploy" {
				_, value, _ := strings.Cut(strings.Fields(strings.ReplaceAll(env, "ROLLBACK= ", ""))[0], "=")
				want = map[string]string{"previous": "scripts/rollback.sh previous\n"}[value]
				if want == "" {
					want = "scripts/canary.sh " + value + "\n"
				}
			}
			if err != nil || string(out) != want {
				t.Errorf("%s with %s: %v, %q, want %q", id, env, err, out, want)
			}
		}
	}
}
