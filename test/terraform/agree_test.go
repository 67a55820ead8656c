package terraform_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/worker"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The configuration and the program both have the deadlines. They must agree.
func TestDeadlinesAreThePrograms(t *testing.T) {
	t.Parallel()
	dispatch := regexp.MustCompile(`const dispatchDeadline = (\d+) \* time.Minute`).
		FindStringSubmatch(read(t, "cmd/internal/service/service.go"))
	if dispatch == nil {
		t.Fatal("cmd/internal/service has no dispatchDeadline")
	}
	minutes, _ := strconv.Atoi(dispatch[1]) // the pattern matches only numbers
	limits := worker.DefaultLimits()
	text := read(t, "terraform/locals.tf")
	for name, want := range map[string]time.Duration{
		"gemini": limits.LargeTimeout, "delivery": limits.DeliveryTimeout, "dispatch": time.Duration(minutes) * time.Minute,
	} {
		line := regexp.MustCompile(`(?m)^ +` + name + ` += (\d+)`).FindStringSubmatch(text)
		if line == nil {
			t.Errorf("terraform/locals.tf has no deadline %s", name)
		} else if got, _ := strconv.Atoi(line[1]); time.Duration(got)*time.Second != want {
			t.Errorf("terraform/locals.tf: %s is %d s, and the program has %v", name, got, want)
		}
	}
}

// Cloud Run must not cut a stream that the program would have ended.
func TestStreamsEndBeforeCloudRunCutsThem(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)^ +stream += (\d+)`).FindStringSubmatch(read(t, "terraform/locals.tf"))
	if line == nil {
		t.Fatal("terraform/locals.tf has no deadline stream")
	}
	// A stream that is over still waits for its last write.
	if seconds, _ := strconv.Atoi(line[1]); time.Duration(seconds)*time.Second < handlers.MaxStream+30*time.Second {
		t.Errorf("Cloud Run cuts requests after %d s, and a stream lasts %s", seconds, handlers.MaxStream)
	}
}

// Alerts and the dashboard find lines of the log by their message, and read
// attributes of these lines. The program must log them so.
func TestLogLinesAreThePrograms(t *testing.T) {
	t.Parallel()
	config := read(t, "terraform/metrics.tf") + read(t, "terraform/alerts.tf")
	program := read(t, "worker/attempt.go") + read(t, "worker/lanes.go") + read(t, "sweep/sweep.go") + read(t, "record/budgets.go")
	for _, pattern := range []string{`jsonPayload\.message=\\"([^"\\]+)\\"`, `jsonPayload\.([a-z_]+)[>)=]`} {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(config, -1)
		if len(found) == 0 {
			t.Errorf("nothing in the configuration looks like %s", pattern)
		}
		for _, f := range found {
			if f[1] != "message" && !strings.Contains(program, strconv.Quote(f[1])) {
				t.Errorf("the configuration looks for %q, which the program does not log", f[1])
			}
		}
	}
}

// What Cloud Run starts with secrets waits until its rights are felt, and nothing
// is made right after an API was enabled. On a slow machine an apply would not show
// it.
func TestWhatIsGrantedIsWaitedFor(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../terraform/*.tf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configuration: %v", err)
	}
	found := 0
	for _, file := range append(files, "../../terraform/bootstrap/main.tf") {
		text := read(t, strings.TrimPrefix(filepath.ToSlash(file), "../../"))
		if regexp.MustCompile(`depends_on +=.*google_project_service`).MatchString(text) {
			t.Errorf("%s does not wait until an API can be used: depend on terraform_data.apis_usable", file)
		}
		for _, block := range regexp.MustCompile(`(?ms)^resource "google_cloud_run_v2_(?:service|job)" .*?^}`).FindAllString(text, -1) {
			found++
			if !strings.Contains(block, "terraform_data.rights_felt") {
				t.Errorf("%s: this does not depend on terraform_data.rights_felt: %.60s", file, block)
			}
		}
	}
	if found < 3 { // one resource has all services
		t.Errorf("found %d resources that are services or jobs", found)
	}
}
