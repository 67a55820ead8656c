package webhook_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Receivers find in docs/webhooks.md all that can arrive and all that the log
// can say. Its example in Go is one that runs.
func TestPageForReceivers(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page := read("../docs/webhooks.md")
	constants := regexp.MustCompile(`(?m)^\tWebhook\w+ +Webhook(?:Event|Failure) += ("[a-z._]+")`).FindAllStringSubmatch(read("../job/webhook.go"), -1)
	if want := 18; len(constants) != want {
		t.Fatalf("job/webhook.go has %d events and failures that this test can read, want %d", len(constants), want)
	}
	for _, c := range constants {
		if name := strings.Trim(c[1], `"`); !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("%s is missing", name)
		}
	}
	example := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(page)
	if example == nil || !strings.Contains(read("example_test.go"), example[1]) {
		t.Error("the example in Go is not that of example_test.go")
	}
}
