package chaos_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// faults match what no trouble of the test's explains: a panic, a data race, and what
// Postgres says of a statement or of data that do not fit the schema. A deadlock is
// one, too.
var faults = regexp.MustCompile(`"msg":"panic"|(?m)^panic: |fatal error: |DATA RACE|SQLSTATE (0A|21|22|23|40P01|42)`)

// checkLogs fails if a process logged what an operator would have to look into.
func (d *deployment) checkLogs() {
	d.t.Helper()
	logs, err := filepath.Glob(filepath.Join(d.crew.logs, "worker-*.log"))
	if err != nil || len(logs) == 0 {
		d.t.Fatalf("there are no logs: %v", err)
	}
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			d.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if faults.MatchString(line) {
				d.t.Errorf("%s: %.2000s", filepath.Base(name), line)
			}
		}
	}
	if text, err := os.ReadFile(filepath.Join(d.record.dir, "log")); err == nil {
		for _, found := range deadlocks.FindAllString(string(text), -1) {
			d.t.Errorf("Postgres: %.6000s", found)
		}
	}
}

// deadlocks match what Postgres says of one, with the statements that waited.
var deadlocks = regexp.MustCompile(`ERROR:  deadlock detected\n(.*\n){12}`)
