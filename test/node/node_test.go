// Package node_test holds other people's Node.js packages against this
// project: cloudtasks.test.js runs against the emulator, webhook.test.js against
// a webhook that was sent, and browsertokens.test.js makes tokens as
// docs/browser-tokens.md says.
package node_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/test/emulator"
	"github.com/ai-worker/ai-worker/test/need"
)

func TestMain(m *testing.M) {
	code := m.Run()
	emulator.Remove()
	os.Exit(code)
}

func TestNode(t *testing.T) {
	t.Parallel()
	requireNode(t)
	run(t, nil, "npm", "ci", "--prefer-offline")
	t.Run("client of Cloud Tasks", testCloudTasks)
	t.Run("verification of webhooks", testWebhook)
	run(t, nil, "node", "--test", "--test-reporter=spec", "browsertokens.test.js")
}

// testCloudTasks runs the client over gRPC and over REST, against the program by
// itself.
func testCloudTasks(t *testing.T) {
	for _, transport := range []string{"grpc", "rest"} {
		t.Run(transport, func(t *testing.T) {
			run(t, []string{
				"CLOUD_TASKS_EMULATOR_HOST=" + emulator.Start(t).Addr,
				"TRANSPORT=" + transport,
				"METADATA_SERVER_DETECTION=none", // there is no Google Cloud to look for
			}, "node", "--test", "--test-reporter=spec", "cloudtasks.test.js")
		})
	}
}

func testWebhook(t *testing.T) {
	secrets := []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
	run(t, []string{
		"ARRIVED=" + sentWebhook(t, secrets...),
		"SECRETS=" + strings.Join(secrets, " "),
		"EXAMPLE=" + webhookExample(t),
	}, "node", "--test", "--test-reporter=spec", "webhook.test.js")
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
	for _, file := range []string{
		"cloudtasks.test.js", "webhook.test.js", "browsertokens.test.js", "../../docs/browser-tokens.md", "package-lock.json",
	} {
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
