package postgres_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each statement stands whole, so some text stands in several. It is the same in all of
// them: one that was changed alone would look for other jobs, settle otherwise, or lock in
// another order.
func TestStatementsShareTheirText(t *testing.T) {
	const end = "\n)" // of a part of WITH
	for _, shared := range []struct {
		name, from, to string
		in             []string
	}{
		{"which jobs are looked at and wanted", "SELECT c.id, c.created_at, c.status, row_number()", "ORDER BY looked.id DESC LIMIT @limit", []string{"search", "count", "measure_bulk"}},
		{"the order of jobs' locks", "ordered AS (", end, []string{"cancel", "expire", "reap"}},
		{"the order of budgets' locks", "locked AS (", end, []string{"succeed", "fail", "cancel", "expire", "note_attempt", "settle"}},
		{"settling", "settled AS (", end, []string{"succeed", "fail", "cancel", "expire", "note_attempt"}},
		{"how many images of a job ended", "summed AS (", end, []string{"cancel", "expire"}},
		{"tenants' counts", "counted_tenants AS (", end, []string{"cancel", "expire"}},
		{"what is due of images that waited", "due AS (", end, []string{"cancel", "expire"}},
		{"lanes' counts", "counted_lanes AS (", end, []string{"cancel", "expire"}},
		{"webhooks of budgets", "told AS (", end, []string{"create", "cover", "release"}},
		{"sums of one attempt", "added AS (", end, []string{"succeed", "fail"}},
		{"sums of several attempts", "added AS (", end, []string{"cancel", "expire", "reap"}},
		{"how long an attempt waited", "greatest(interval '0', m.started_at", "m.started_at))", []string{"succeed", "fail", "requeue", "cancel", "expire", "reap", "claim"}},
	} {
		want := between(t, shared.in[0], shared.from, shared.to)
		for _, name := range shared.in[1:] {
			if diff := cmp.Diff(want, between(t, name, shared.from, shared.to)); diff != "" {
				t.Errorf("%s: %s has it otherwise than %s (-%[3]s +%[2]s):\n%s", shared.name, name, shared.in[0], diff)
			}
		}
	}
}

// between returns the part of a statement from one text to another, without what its
// lines are indented by.
func between(t *testing.T, name, from, to string) string {
	t.Helper()
	text, err := os.ReadFile("sql/" + name + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), from)
	part, _, ends := strings.Cut(rest, to)
	if !found || !ends {
		t.Fatalf("%s has no part from %q to %q", name, from, to)
	}
	return regexp.MustCompile(`(?m)^ +`).ReplaceAllString(part, "")
}
