// Package terraform_test applies the Terraform configuration with the real
// providers to stand-ins of Google's and Cloudflare's APIs.
package terraform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A root is a copy of a Terraform root.
type root struct {
	dir       string
	terraform string
	env       []string
}

// newCopy copies a root of this repository. It needs TEST_TERRAFORM, the path
// of Terraform. It does not look for Terraform itself, because the providers
// must be there, too.
func newCopy(t *testing.T, name string) *root {
	t.Helper()
	terraform := os.Getenv("TEST_TERRAFORM")
	if terraform == "" {
		t.Skip("TEST_TERRAFORM is not set; scripts/check-terraform.sh runs this test where Terraform's providers can be had")
	}
	dir := t.TempDir()
	for _, from := range []string{"terraform", "docs/playbooks"} {
		if err := os.CopyFS(filepath.Join(dir, from), os.DirFS(filepath.Join("../..", from))); err != nil {
			t.Fatal(err)
		}
	}
	return &root{dir: filepath.Join(dir, name), terraform: terraform, env: append(os.Environ(),
		"TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1", "TF_VAR_settle_seconds=0",
	)}
}

// newRoot returns a copy whose provider talks to a stand-in of Google's APIs,
// and whose state is a file.
func newRoot(t *testing.T, name string, g *googleAPIs) *root {
	t.Helper()
	r := newCopy(t, name)
	r.env = append(r.env, "GOOGLE_OAUTH_ACCESS_TOKEN=token")
	var provider strings.Builder
	for _, name := range slices.Sorted(maps.Keys(g.endpoints())) {
		fmt.Fprintf(&provider, "  %s = %q\n", name, g.endpoints()[name])
	}
	r.write(t, "standin_override.tf", "terraform {\n  backend \"local\" {}\n}\nprovider \"google\" {\n"+provider.String()+
		"  batching {\n    enable_batching = false\n  }\n}\n")
	r.run(t, 0, "init")
	return r
}

func (r *root) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// vars sets variables for all commands that follow.
func (r *root) vars(t *testing.T, vars object) {
	t.Helper()
	text, err := json.Marshal(vars)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "terraform.tfvars.json", string(text))
}

// run runs a command of Terraform, which must exit with code.
func (r *root) run(t *testing.T, code int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), r.terraform, append(args, "-no-color")...)
	cmd.Dir, cmd.Env = r.dir, r.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("terraform %s: %v, want exit code %d\n%s", strings.Join(args, " "), err, code, out.String())
	}
	return out.String()
}

// apply applies the configuration, with secrets if there are any.
func (r *root) apply(t *testing.T, code int, secrets map[string]string) string {
	t.Helper()
	return r.with(t, secrets, func() string { return r.run(t, code, "apply", "-auto-approve") })
}

// with calls do with a file of secrets, if there are any, and removes the file.
func (r *root) with(t *testing.T, secrets map[string]string, do func() string) string {
	t.Helper()
	if secrets == nil {
		return do()
	}
	given := maps.Clone(secrets)
	given["salt"] = "hunter2-" + strings.Repeat("salt", 8)
	text, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := r.env
	r.env = append(slices.Clone(env), "TF_VAR_secrets_file="+file)
	defer func() {
		r.env = env
		_ = os.Remove(file)
	}()
	return do()
}

// checkSettled fails if a plan still has something to change.
func (r *root) checkSettled(t *testing.T) {
	t.Helper()
	r.run(t, 0, "plan", "-detailed-exitcode")
}
