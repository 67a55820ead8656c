package openapi_test

import (
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/ai-worker/ai-worker/test/need"
)

// npmCI installs the programs in Node.js, once.
var npmCI = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("npm", "ci", "--prefer-offline").CombinedOutput()
})

// installNode makes the programs in Node.js available.
func installNode(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			need.Missing(t, "needs Node.js 20.19 or newer: there is no "+program+" in PATH")
		}
	}
	look(t, "validate.js", "redocly.yaml", "package-lock.json")
	if out, err := npmCI(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

// look looks at files: go test runs a test again when a file that it has looked
// at has changed.
func look(t *testing.T, files ...string) {
	t.Helper()
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
}
