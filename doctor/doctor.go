// Package doctor finds out what is wrong with a deployment. For each trouble it
// names the command or the setting that mends it.
//
// It knows what should be, and what mends a trouble. The packages of the
// services find out what is: they return facts, and name troubles.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// defaultTimeout is how long a check may take. Checks run at the same time,
	// so all of them together take little longer.
	defaultTimeout = 10 * time.Second
	// grace is the time that a check has after that, to return what it found so
	// far and to undo what it did.
	grace = 3 * time.Second
)

// A Check looks at one thing.
type Check struct {
	Name    string // what it looks at; several checks may share a name
	Subject string // which of them, such as a lane; empty if there is one only
	// Needs are the settings that the check cannot do without. If one of them
	// has a fault, the check is skipped.
	Needs []string
	// Run returns at least one finding, and ends when its context does. A
	// finding without a check or a subject gets those of this check.
	Run func(context.Context) []Finding
}

// A Fault is what is wrong with one setting.
type Fault struct {
	Setting string
	Problem string // as in "is missing: …"
}

// A Doctor examines a deployment.
type Doctor struct {
	Faults  []Fault       // of the settings
	Lanes   int           // how many the settings make
	Secrets []string      // never shown, even if a service repeats them
	Timeout time.Duration // for each check; 0 is 10 s
}

// Examine runs all checks at the same time. It returns the findings in the
// order of the checks, those about the settings first. A check that does not
// end or that panics becomes a finding. It does not stop the others.
func (d Doctor) Examine(ctx context.Context, checks []Check) Report {
	found := make([][]Finding, len(checks))
	var group sync.WaitGroup
	for i, c := range checks {
		group.Go(func() { found[i] = d.examine(ctx, c) })
	}
	group.Wait()
	redact := newRedactor(d.Secrets)
	var r Report
	for _, f := range append(d.settings(), slices.Concat(found...)...) {
		r.Findings = append(r.Findings, redact.finding(f))
	}
	return r
}

// settings returns the findings about the settings, which are known without
// looking at any service.
func (d Doctor) settings() []Finding {
	if len(d.Faults) == 0 {
		return []Finding{{Check: "settings", Status: OK, Message: "all are there, " + count(d.Lanes, "lane")}}
	}
	var findings []Finding
	for _, f := range d.Faults {
		findings = append(findings, Finding{
			Check: "settings", Subject: f.Setting, Status: Failed, Message: f.Setting + " " + f.Problem,
			Fix: "export " + f.Setting + "=…; on Cloud Run, set it with terraform. The README lists all settings.",
		})
	}
	return findings
}

// examine runs one check until it ends or its time is up.
func (d Doctor) examine(ctx context.Context, c Check) []Finding {
	if faulty := d.faulty(c.Needs); len(faulty) > 0 {
		return c.sign([]Finding{skipped("see the settings: %s", strings.Join(faulty, ", "))})
	}
	timeout := d.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan []Finding, 1) // a check that ends too late must not block for ever
	go func() { done <- c.runGuarded(ctx) }()

	end := time.NewTimer(timeout + grace)
	defer end.Stop()
	select {
	case findings := <-done:
		return c.sign(findings)
	case <-end.C:
		return c.sign([]Finding{failed(
			"Run this again; if it stays so, look whether a firewall or a proxy swallows the connection.",
			"did not end within %s", timeout+grace)})
	}
}

// faulty returns those of the needed settings that have a fault.
func (d Doctor) faulty(needs []string) []string {
	var faulty []string
	for _, f := range d.Faults {
		if slices.Contains(needs, f.Setting) && !slices.Contains(faulty, f.Setting) {
			faulty = append(faulty, f.Setting)
		}
	}
	return faulty
}

// runGuarded runs the check and returns its findings. A panic becomes a
// finding, which leaves out the panic's value: that could hold a secret.
func (c Check) runGuarded(ctx context.Context) (findings []Finding) {
	defer func() {
		if p := recover(); p != nil {
			findings = []Finding{failed("This is a fault of this program: report it.", "the check itself broke (%T)", p)}
		}
	}()
	return c.Run(ctx)
}

// sign adds the check's name and subject to findings that have none.
func (c Check) sign(findings []Finding) []Finding {
	for i, f := range findings {
		if f.Check == "" {
			findings[i].Check = c.Name
		}
		if f.Subject == "" {
			findings[i].Subject = c.Subject
		}
	}
	return findings
}

// count returns a number and a noun, such as "2 lanes".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
