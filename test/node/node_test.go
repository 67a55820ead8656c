// Package node_test runs cloudtasks.test.js against the emulator.
package node_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/test/need"
)

func TestNodeClient(t *testing.T) {
	t.Parallel()
	requireNode(t)

	emulator, err := cloudtasks.Start("127.0.0.1:0", cloudtasks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = emulator.Close(context.Background()) })

	run(t, nil, "npm", "ci", "--prefer-offline")
	run(t, []string{
		"CLOUD_TASKS_EMULATOR_HOST=" + emulator.Addr(),
		"METADATA_SERVER_DETECTION=none", // there is no Google Cloud to look for
	}, "node", "--test", "--test-reporter=spec")
}

func requireNode(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			need.Missing(t, "needs Node.js 20 or newer: there is no "+program+" in PATH")
		}
	}
	// go test runs the test again when a file that it has looked at has
	// changed.
	for _, file := range []string{"cloudtasks.test.js", "package-lock.json"} {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Env = append(os.Environ(), env...)
	out, err := command.CombinedOutput()
	t.Logf("%s\n%s", command, out)
	if err != nil {
		t.Fatal(err)
	}
}
