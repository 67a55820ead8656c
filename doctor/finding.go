package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Status is how bad a finding is.
type Status string

const (
	OK      Status = "ok"
	Warning Status = "warning" // it works, but not as it should
	Failed  Status = "failed"
	Skipped Status = "skipped" // could not be looked at
)

// A Finding is the result of looking at one thing.
type Finding struct {
	Check   string `json:"check"`
	Subject string `json:"subject,omitempty"` // which of several, such as a lane or a setting
	Status  Status `json:"status"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"` // the command or the setting that mends it
}

func ok(format string, args ...any) Finding {
	return Finding{Status: OK, Message: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) Finding {
	return Finding{Status: Skipped, Message: fmt.Sprintf(format, args...)}
}

func warning(fix, format string, args ...any) Finding {
	return Finding{Status: Warning, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func failed(fix, format string, args ...any) Finding {
	return Finding{Status: Failed, Message: fmt.Sprintf(format, args...), Fix: fix}
}

// on returns the finding as one about subject, which is one of several.
func (f Finding) on(subject string) Finding {
	f.Subject = subject
	return f
}

// A Report is everything that was found.
type Report struct {
	Findings []Finding
}

// Count returns how many findings have a status.
func (r Report) Count(s Status) int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

// WriteJSON writes the report for machines: its worst status, and all findings.
func (r Report) WriteJSON(w io.Writer) error {
	worst := OK
	switch {
	case r.Count(Failed) > 0:
		worst = Failed
	case r.Count(Warning) > 0:
		worst = Warning
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Status   Status    `json:"status"`
		Findings []Finding `json:"findings"`
	}{worst, r.Findings})
}

// marks returns the sign that people see for each status.
func marks() map[Status]string {
	return map[Status]string{OK: "✓", Warning: "!", Failed: "✗", Skipped: "–"}
}

// WriteText writes the report for people: a line for each finding, and below it
// how to mend it.
func (r Report) WriteText(w io.Writer) error {
	checks, subjects := 0, 0
	for _, f := range r.Findings {
		checks = max(checks, utf8.RuneCountInString(f.Check))
		subjects = max(subjects, utf8.RuneCountInString(f.shownSubject()))
	}
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %-*s  %-*s  %s\n", marks()[f.Status], checks, f.Check, subjects, f.shownSubject(), f.Message)
		if f.Fix != "" {
			indent := strings.Repeat(" ", 2+checks+2+subjects+2)
			fmt.Fprintf(&b, "%s→ %s\n", indent, strings.ReplaceAll(f.Fix, "\n", "\n"+indent+"  "))
		}
	}
	fmt.Fprintf(&b, "\n%d failed, %s, %d ok, %d skipped\n",
		r.Count(Failed), count(r.Count(Warning), "warning"), r.Count(OK), r.Count(Skipped))
	_, err := io.WriteString(w, b.String())
	return err
}

// shownSubject returns the subject, or an empty string if the message begins
// with it, as it does with a setting's name.
func (f Finding) shownSubject() string {
	if strings.HasPrefix(f.Message, f.Subject+" ") {
		return ""
	}
	return f.Subject
}
