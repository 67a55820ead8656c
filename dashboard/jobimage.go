package dashboard

import (
	"cmp"
	"html/template"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// An imageView is one picture of a job.
type imageView struct {
	Index    int
	State    state
	Width    int    // of the picture, in pixels; 0 if not known
	Height   int    // likewise
	URL      string // empty if there is no picture, or if whoever looks may not see it
	Save     string // where it is saved from; likewise
	Hidden   bool   // there is a picture that whoever looks may not see
	About    string // such as "1024 × 768, 1.2 MB"
	Alt      string
	Seed     *int32
	Cost     string
	Error    *job.Error
	Waits    string  // what it waits for; empty unless it is queued
	Until    *moment // if it waits for a time
	Now      string  // what goes on; empty unless it is being drawn
	Timeline template.HTML
	Attempts []attemptView
	Removed  string // which attempts are no longer kept; empty for none. Without any, nothing is drawn
}

// viewImage returns the picture at an index.
func (d *Dashboard) viewImage(in record.Inspection, i int, shown shownJob, sees bool) (imageView, error) {
	img := in.Job.Images[i]
	v := imageView{
		Index: i, State: jobState(img.Status), Seed: in.Job.Input.SeedOf(i), Cost: dollars(img.CostMicros), Error: img.Error,
		Alt: "Picture " + number(i) + " of the job", Attempts: viewAttempts(in, i), Removed: removedOf(in, i),
	}
	if len(v.Attempts) > 0 || v.Removed == "" {
		v.Timeline = timeline(in, i)
	}
	switch img.Status { //nolint:exhaustive // the others say all by their state
	case job.StatusQueued:
		v.Waits, v.Until = waitsFor(in, i, shown)
	case job.StatusProcessing:
		v.Now = "on lane " + in.Places[i].Lane + " since " + moment{At: img.StartedAt, now: in.At}.Clock() +
			", attempt " + number(len(v.Attempts)+1) + ". " + leaseOf(in.Places[i], in.At)
	}
	o := img.Object
	if o.Key == "" {
		return v, nil
	}
	v.About, v.Hidden, v.Width, v.Height = aboutObject(o), !sees, o.Width, o.Height
	if !sees {
		return v, nil
	}
	// The address of a download is signed as of now: each time that is another one.
	v.Save = Path + "/gallery/" + in.Job.ID + "/" + number(i) + "/download"
	var err error
	v.URL, err = d.options.Pictures.URL(o.Key)
	return v, err
}

// leaseOf says until when whoever draws an image has it.
func leaseOf(p record.ImagePlace, now time.Time) string {
	if p.LeaseEnds.Before(now) {
		return "Whoever drew it is silent since " + span(now.Sub(p.LeaseEnds)) + ": the next delivery or sweep takes it over."
	}
	return "Its lease is renewed, and now ends " + moment{At: p.LeaseEnds, now: now}.Distance() + "."
}

// waitsFor says what a queued image waits for, and until when.
func waitsFor(in record.Inspection, i int, shown shownJob) (what string, until *moment) {
	img := shown.Images[i]
	reason := "turn"
	if img.WaitingFor != nil {
		reason = *img.WaitingFor
	}
	if img.RetryAt != nil {
		until = at(*img.RetryAt, in.At)
	}
	texts := map[string]string{
		"turn": "Its turn: other pictures go before it.", "quota": "The provider's quota has no room.",
		"lane": "No lane of its model works: its key is refused, or an operator or the settings paused it.", "backoff": "Its next attempt, after one that failed.",
		"budget": "The tenant's budget.", "model": "A lane that serves its model: none does.",
	}
	what = cmp.Or(texts[reason], reason)
	p := in.Places[i]
	if p.Lane != "" {
		what += " It is on lane " + p.Lane + "."
	}
	if p.Unsent {
		what += " Its task is not known to be on the queue: the next sweep puts it there."
	}
	return what, until
}

// aboutObject describes a stored picture.
func aboutObject(o job.Object) string {
	parts := []string{number(o.Width) + " × " + number(o.Height), size(o.Bytes), o.ContentType}
	if o.ModelVersion != "" {
		parts = append(parts, o.ModelVersion)
	}
	return strings.Join(parts, " · ")
}
