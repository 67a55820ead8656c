package cloudtasks

import (
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"
)

// servePage shows each queue and what waits in it, as text.
func (e *Emulator) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	now, queues := e.overview()
	fmt.Fprintf(w, "Cloud Tasks emulator: gRPC and REST (/v2/) on this port.\nIts time is %s.\n\n", now.UTC().Format(time.RFC3339))
	if len(queues) == 0 {
		fmt.Fprintln(w, "There is no queue. Create one with CreateQueue, or name it with --queue.")
		return
	}
	writeOverview(w, now, queues)
}

// overview returns the emulator's time and its queues, in order.
func (e *Emulator) overview() (time.Time, []Stats) {
	e.engine.mu.Lock()
	defer e.engine.mu.Unlock()
	now := e.engine.clock.Now()
	var all []Stats
	for _, name := range sortedKeys(e.engine.queues) {
		all = append(all, e.engine.queues[name].snapshot(now))
	}
	return now, all
}

func writeOverview(w io.Writer, now time.Time, queues []Stats) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUEUE\tSTATE\tTASKS\tUNDER WAY\tNEXT DUE\tRATE\tSUCCEEDED\tFAILED ATTEMPTS\tGIVEN UP")
	for _, s := range queues {
		state := "RUNNING"
		if s.Paused {
			state = "PAUSED"
		}
		rate := fmt.Sprintf("%.4g/s", s.Rate)
		if s.EffectiveRate < s.Rate {
			rate = fmt.Sprintf("%.4g of %.4g/s", s.EffectiveRate, s.Rate)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\t%d\t%d\t%d\n",
			s.Queue, state, s.Tasks, s.InFlight, untilDue(s.NextDue, now), rate, s.Succeeded, s.Failed, s.GaveUp)
	}
	_ = table.Flush()
}

// untilDue says how long the first task has to wait for its time.
func untilDue(due, now time.Time) string {
	switch wait := due.Sub(now); {
	case due.IsZero():
		return "-"
	case wait <= 0:
		return "now"
	default:
		return "in " + wait.Round(time.Second).String()
	}
}
