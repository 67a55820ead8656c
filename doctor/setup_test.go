package doctor_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/lane"
)

const (
	model     = "gemini-nano-banana-2.1"
	queueName = "projects/p/locations/l/queues/images-v1"
	account   = "tasks@p.iam.gserviceaccount.com"
)

// laneA returns the one lane of the plain settings.
func laneA() doctor.LaneSettings {
	return doctor.LaneSettings{Quota: lane.Lane{Name: "a", Model: model, RPM: 60, Concurrency: 20, Queue: queueName}}
}

// examine runs one check, whose settings are in order. It leaves out the
// finding about the settings.
func examine(t *testing.T, c doctor.Check) []doctor.Finding {
	t.Helper()
	return doctor.Doctor{Lanes: 1}.Examine(t.Context(), []doctor.Check{c}).Findings[1:]
}

// A want is what a finding must say. Of each text it has only a part.
type want struct {
	status       doctor.Status
	subject      string
	message, fix string
}

// expect compares findings with what they must say. A warning or failure must
// come with a fix, and any other finding without one.
func expect(t *testing.T, got []doctor.Finding, wants ...want) {
	t.Helper()
	if len(got) != len(wants) {
		t.Fatalf("%d findings, want %d:\n%s", len(got), len(wants), list(got))
	}
	for i, w := range wants {
		f := got[i]
		if f.Status != w.status || w.subject != "" && f.Subject != w.subject {
			t.Errorf("finding %d is %s on %q, want %s on %q:\n%s", i, f.Status, f.Subject, w.status, w.subject, list(got))
		}
		if !strings.Contains(f.Message, w.message) || !strings.Contains(f.Fix, w.fix) {
			t.Errorf("finding %d says\n%s\nwant %q, and the fix %q", i, list(got), w.message, w.fix)
		}
		if wrong := f.Status == doctor.Failed || f.Status == doctor.Warning; wrong != (f.Fix != "") {
			t.Errorf("finding %d is %s with the fix %q", i, f.Status, f.Fix)
		}
		if strings.Contains(f.Message+f.Fix, "%!") || strings.Contains(f.Fix, "[redacted]") {
			t.Errorf("finding %d is badly formatted:\n%s", i, list(got))
		}
	}
}

func list(findings []doctor.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "  %s %s %q: %s\n      %s\n", f.Status, f.Check, f.Subject, f.Message, f.Fix)
	}
	return b.String()
}

// nobody returns an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	return ln.Addr().String()
}

// startSilent starts a server that accepts connections and sends nothing, and
// returns its address.
func startSilent(t *testing.T) string {
	t.Helper()
	return serve(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

// startSaying starts a server that answers everything with text, and returns
// its address.
func startSaying(t *testing.T, text string) string {
	t.Helper()
	return serve(t, func(conn net.Conn) {
		for buf := make([]byte, 1024); ; {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			_, _ = io.WriteString(conn, text)
		}
	})
}

// serve starts a server that hands each connection to answer, and returns its
// address.
func serve(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return ln.Addr().String()
}

// quiet returns a log that drops everything, for a server that a test misuses.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
