package main_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// The built program prints a hash that DASHBOARD_USERS takes, and refuses what is
// weak or would not count.
func TestPasswordMakesAHash(t *testing.T) {
	program := t.TempDir() + "/ai-worker"
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run := func(ctx context.Context, typed string) (string, string, error) {
		cmd := exec.CommandContext(ctx, program, "password")
		var stdout, stderr strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(typed), &stdout, &stderr
		err := cmd.Run()
		return stdout.String(), stderr.String(), err
	}
	const good = "correct horse battery"
	out, _, err := run(t.Context(), good+"\n")
	if err != nil || bcrypt.CompareHashAndPassword([]byte(strings.TrimSpace(out)), []byte(good)) != nil || strings.ContainsAny(out, ":, ") {
		t.Errorf("printed %q, %v", out, err)
	}
	for typed, want := range map[string]string{
		"short":                        "at least 12 characters",
		strings.Repeat("ü", 11):        "at least 12 characters",
		strings.Repeat("x", 73):        "at most 72 bytes",
		good + "\n" + good:             "one line",
		"\xff\xfe" + good:              "UTF-8",
		"":                             "at least 12 characters",
		strings.Repeat("ü", 37) + "\n": "at most 72 bytes",
	} {
		if out, problem, err := run(t.Context(), typed); err == nil || out != "" || !strings.Contains(problem, want) {
			t.Errorf("%.20q: printed %q and %q, %v", typed, out, problem, err)
		}
	}
}
