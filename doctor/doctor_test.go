package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/doctor"
)

// finding returns a check that finds one thing.
func finding(name, subject string, f doctor.Finding) doctor.Check {
	return doctor.Check{Name: name, Subject: subject, Run: func(context.Context) []doctor.Finding {
		return []doctor.Finding{f}
	}}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	d := doctor.Doctor{Lanes: 2}
	expect(t, d.Examine(t.Context(), nil).Findings, want{doctor.OK, "", "2 lanes", ""})

	d.Faults = []doctor.Fault{{Setting: "PORT", Problem: "must be a number"}, {Setting: "REDIS_URL", Problem: "is missing: a URL"}}
	expect(t, d.Examine(t.Context(), nil).Findings,
		want{doctor.Failed, "PORT", "PORT must be a number", "export PORT="},
		want{doctor.Failed, "REDIS_URL", "REDIS_URL is missing: a URL", "terraform"})
}

func TestExamineSkipsWhatHasFaultySettings(t *testing.T) {
	t.Parallel()
	ran := false
	c := doctor.Check{Name: "x", Subject: "y", Needs: []string{"A", "B", "C"}, Run: func(context.Context) []doctor.Finding {
		ran = true
		return nil
	}}
	d := doctor.Doctor{Faults: []doctor.Fault{{Setting: "C"}, {Setting: "D"}, {Setting: "A"}, {Setting: "A"}}}
	got := d.Examine(t.Context(), []doctor.Check{c}).Findings
	expect(t, got[4:], want{doctor.Skipped, "y", "see the settings: C, A", ""})
	if ran {
		t.Error("the check ran")
	}
}

// One check panics, one hangs and one is slow. The findings of the others are
// still there, in order.
func TestExamineGuardsChecksFromEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		checks := []doctor.Check{
			{Name: "hangs", Run: func(context.Context) []doctor.Finding { <-hung; return nil }},
			{Name: "breaks", Subject: "a", Run: func(context.Context) []doctor.Finding { panic("hunter2") }},
			finding("first", "", doctor.Finding{Status: doctor.OK, Message: "fine"}),
			{Name: "slow", Run: func(ctx context.Context) []doctor.Finding {
				<-ctx.Done()
				return []doctor.Finding{{Status: doctor.Failed, Message: context.Cause(ctx).Error(), Fix: "Wait."}}
			}},
			finding("last", "a", doctor.Finding{Subject: "b", Status: doctor.OK, Message: "fine"}),
		}
		begin := time.Now()
		got := doctor.Doctor{}.Examine(t.Context(), checks).Findings[1:]
		expect(t, got,
			want{doctor.Failed, "", "did not end within 13s", "again"},
			want{doctor.Failed, "a", "the check itself broke (string)", "report it"},
			want{doctor.OK, "", "fine", ""},
			want{doctor.Failed, "", "deadline exceeded", ""},
			want{doctor.OK, "b", "fine", ""})
		if took := time.Since(begin); took != 13*time.Second {
			t.Errorf("it took %v, want 10 s and the grace of 3 s", took)
		}
		var names []string
		for _, f := range got {
			names = append(names, f.Check)
		}
		if diff := cmp.Diff([]string{"hangs", "breaks", "first", "slow", "last"}, names); diff != "" {
			t.Errorf("the order (-want +got):\n%s", diff)
		}
	})
}

func TestExamineEndsEarly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := doctor.Check{Name: "x", Run: func(ctx context.Context) []doctor.Finding {
		<-ctx.Done()
		return []doctor.Finding{{Status: doctor.Skipped, Message: "cut short"}}
	}}
	got := doctor.Doctor{}.Examine(ctx, []doctor.Check{c}).Findings
	expect(t, got[1:], want{doctor.Skipped, "", "cut short", ""})
}

func report() doctor.Report {
	return doctor.Report{Findings: []doctor.Finding{
		{Check: "settings", Subject: "PORT", Status: doctor.Failed, Message: "PORT must be a number", Fix: "export PORT=…"},
		{Check: "r2", Status: doctor.OK, Message: "bucket x"},
		{Check: "concurrency", Subject: "läne", Status: doctor.Warning, Message: "too few", Fix: "Raise it.\nOr not."},
		{Check: "work", Status: doctor.Skipped, Message: "see the database"},
	}}
}

func TestWriteText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := report().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `
✗ settings           PORT must be a number
                     → export PORT=…
✓ r2                 bucket x
! concurrency  läne  too few
                     → Raise it.
                       Or not.
– work               see the database

1 failed, 1 warning, 1 ok, 1 skipped
`
	if diff := cmp.Diff(want[1:], b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		statuses []doctor.Status
		want     string
	}{
		{[]doctor.Status{doctor.OK, doctor.Skipped}, "ok"},
		{[]doctor.Status{doctor.OK, doctor.Warning}, "warning"},
		{[]doctor.Status{doctor.Warning, doctor.Failed, doctor.OK}, "failed"},
	} {
		r := doctor.Report{}
		for _, s := range tt.statuses {
			r.Findings = append(r.Findings, doctor.Finding{Check: "x", Subject: "a", Status: s, Message: "<m> & n", Fix: "f"})
		}
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Status   string
			Findings []doctor.Finding
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Status != tt.want {
			t.Errorf("%v is %q, want %q", tt.statuses, got.Status, tt.want)
		}
		if diff := cmp.Diff(r.Findings, got.Findings); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if !strings.Contains(b.String(), "<m> & n") {
			t.Errorf("a person could not read %s", b.String())
		}
	}
}

// No finding shows a secret, even if a check repeats it.
func TestExamineShowsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "hunter2/hunter2 +"
	d := doctor.Doctor{Secrets: []string{secret, "short", ""}}
	for text, want := range map[string]string{
		"key " + secret + "!":                  "key [redacted]!",
		"a=hunter2%2Fhunter2+%2B":              "a=[redacted]",
		"in a path, hunter2%2Fhunter2%20+":     "in a path, [redacted]",
		"postgres://user:pass@db.example.com/": "postgres://[redacted]@db.example.com/",
		`Get "https://x.example.com/a?sig=1"`:  `Get "https://x.example.com/a?[redacted]"`,
		"AIzaSyA-1_b and AQ.Ab8-x":             "[redacted] and [redacted]",
		"Bearer ya29.a0Af-x":                   "Bearer [redacted]",
		"a short word, and " + account:         "a short word, and " + account,
		"":                                     "",
	} {
		c := finding("x", text, doctor.Finding{Status: doctor.Failed, Message: text, Fix: text})
		got := d.Examine(t.Context(), []doctor.Check{c}).Findings[1]
		if diff := cmp.Diff([]string{want, want, want}, []string{got.Subject, got.Message, got.Fix}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
