package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// The target of a run: no request is refused, and nearly all of the quota is
// used.
const (
	targetRefused = 0
	targetShare   = 0.98
)

// The result of a BullMQ worker with the same work. It had a limiter of 60 in
// 60 s and a concurrency of 5. The quota was the same: 60 in any 60 s. The
// limiter's windows are fixed, so one window of the quota can overlap two of
// them.
const (
	formerRPM     = 60
	formerSent    = 251
	formerRefused = 71
	formerShare   = 0.75
)

// A result is one row of the table.
type result struct {
	rpm, instances int

	sent, refused int     // from the first request to the end
	most          int     // requests in any 60 s
	share         float64 // of the quota, in the window, without the time in which a service stood still
	shareOfAll    float64 // of the quota, in the window
	disturbed     bool
	pictures      int     // in the window
	cpuMillis     float64 // for each picture, of all instances; 0 if it is not known
	peakRSS       int64   // of the largest instance, in bytes
}

func (r *result) ok() bool { return r.refused <= targetRefused && r.share >= targetShare }

// report prints the table. It fails if a row missed the target.
func report(w io.Writer, results []*result) error {
	var err error
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "RPM\tinstances\tdisturbed\tsent\trefused (429)\tmost in 60 s\tquota used\tof all time\tCPU ms/picture\tpeak RSS\ttarget\t")
	for _, r := range results {
		verdict := "met"
		if !r.ok() {
			verdict, err = "missed", errMissed
		}
		fmt.Fprintf(t, "%d\t%d\t%t\t%d\t%d\t%d\t%.1f %%\t%.1f %%\t%.0f\t%d MB\t%s\t\n",
			r.rpm, r.instances, r.disturbed, r.sent, r.refused, r.most, 100*r.share, 100*r.shareOfAll,
			r.cpuMillis, r.peakRSS>>20, verdict)
	}
	fmt.Fprintf(t, "%d\tBullMQ\tfalse\t%d\t%d\t–\t%.0f %%\t\t–\t–\t\t\n", formerRPM, formerSent, formerRefused, 100*formerShare)
	if flushed := t.Flush(); flushed != nil {
		return flushed
	}
	fmt.Fprintf(w, "\nTarget: no request refused, and at least %.0f %% of the quota used once the pipeline is full. "+
		"Quota used leaves out the seconds in which Postgres or Redis stood still.\n", 100*targetShare)
	return err
}
