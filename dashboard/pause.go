package dashboard

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// Bounds of a reason, in characters.
const leastReason, mostReason = 3, 500

// An actForm asks for a reason before something is done.
type actForm struct {
	Verb, Thing string // such as "Pause", and what is paused
	Path, Back  string // where the form goes, and where to go without it
	What        string // what happens then
	Reason      string // as it was sent, if it was not good enough
	Wrong       string
}

// pausePage asks why a lane is to be paused, and says what happens then.
func (d *Dashboard) pausePage(v *visit) error {
	l, err := d.laneOf(v)
	if err != nil {
		return err
	}
	o, err := d.overview(v.r.Context())
	if err != nil {
		return err
	}
	d.write(v, http.StatusOK, d.pauseForm(l, o, "", ""))
	return nil
}

func (d *Dashboard) pauseForm(l lane.Lane, o record.Overview, reason, wrong string) page {
	return page{name: "act", Title: "Pause lane " + l.Name, Main: actForm{
		Verb: "Pause", Thing: l.Name, Path: Path + "/lanes/" + l.Name + "/pause", Back: Path + "/lanes",
		What: d.pauseMeans(l, o), Reason: reason, Wrong: wrong,
	}}
}

// pauseMeans says what happens to the pictures of a lane that is paused by hand.
func (d *Dashboard) pauseMeans(l lane.Lane, o record.Overview) string {
	waiting := 0
	for _, s := range o.Lanes {
		if s.Name == l.Name {
			waiting = max(0, s.Waiting)
		}
	}
	lanes := lane.WithPauses(d.lanesNow(o), map[string]lane.Load{l.Name: {Paused: true}})
	drawnBy := lane.ModelFor(lanes, l.Model)
	var others []string
	for _, other := range lanes {
		if other.Model == drawnBy && !other.Paused {
			others = append(others, other.Name)
		}
	}
	means := "From the next picture on, no instance uses the lane. What is being drawn ends as usual. "
	if len(others) > 0 {
		return means + "What waits on it (" + countOf(waiting, "picture") + ") goes to other lanes of " + drawnBy + ": " + strings.Join(others, ", ") + "."
	}
	return means + "No other open lane draws " + l.Model + ": what waits (" + countOf(waiting, "picture") +
		") waits for the lane, says so to callers, and fails at its deadline."
}

// resumePage asks why a lane is to be resumed.
func (d *Dashboard) resumePage(v *visit) error {
	l, err := d.laneOf(v)
	if err != nil {
		return err
	}
	d.write(v, http.StatusOK, resumeForm(l, "", ""))
	return nil
}

func resumeForm(l lane.Lane, reason, wrong string) page {
	return page{name: "act", Title: "Resume lane " + l.Name, Main: actForm{
		Verb: "Resume", Thing: l.Name, Path: Path + "/lanes/" + l.Name + "/resume", Back: Path + "/lanes",
		What: "From the next picture on, all instances use the lane again, unless it is closed for another reason.", Reason: reason, Wrong: wrong,
	}}
}

// laneOf returns the lane of the settings that a path names.
func (d *Dashboard) laneOf(v *visit) (lane.Lane, error) {
	l, known := lane.Find(d.options.Lanes, v.r.PathValue("lane"))
	if !known {
		return lane.Lane{}, errNotFound
	}
	return l, nil
}

// pauseLane pauses a lane by hand.
func (d *Dashboard) pauseLane(v *visit) error {
	l, err := d.laneOf(v)
	if err != nil {
		return err
	}
	reason, wrong := readReason(v.r)
	if wrong != "" {
		o, err := d.overview(v.r.Context())
		if err != nil {
			return err
		}
		d.write(v, http.StatusUnprocessableEntity, d.pauseForm(l, o, reason, wrong))
		return nil
	}
	err = d.options.Record.PauseByHand(v.r.Context(), l.Name, v.act(record.ActionPauseLane, reason))
	if errors.Is(err, record.ErrLanePaused) {
		return errConflict("The lane is paused by hand already: somebody was faster.")
	}
	return d.done(v, err, "paused")
}

// resumeLane ends a pause by hand.
func (d *Dashboard) resumeLane(v *visit) error {
	l, err := d.laneOf(v)
	if err != nil {
		return err
	}
	reason, wrong := readReason(v.r)
	if wrong != "" {
		d.write(v, http.StatusUnprocessableEntity, resumeForm(l, reason, wrong))
		return nil
	}
	err = d.options.Record.ResumeByHand(v.r.Context(), l.Name, v.act(record.ActionResumeLane, reason))
	if errors.Is(err, record.ErrNotPaused) {
		return errConflict("The lane is not paused by hand: somebody was faster.")
	}
	return d.done(v, err, "resumed")
}

// done asks for a sweep, which moves what waits, and goes back to the lanes with a
// word about what was done. If no sweep can be asked for, deliveries and the next
// one do the same, later.
func (d *Dashboard) done(v *visit, err error, code string) error {
	if err != nil {
		return errAway(err)
	}
	d.overviews.forget()
	d.askForSweep(v.r.Context())
	return v.redirect(Path + "/lanes?done=" + code)
}

// act returns what the visitor does, and why.
func (v *visit) act(action, reason string) record.Act {
	return record.Act{Who: v.who.Name, Role: string(v.who.Role), Action: action, Reason: reason}
}

// readReason returns the reason that a form states, and what is wrong with it.
func readReason(r *http.Request) (reason, wrong string) {
	if err := r.ParseForm(); err != nil {
		return "", "The form could not be read. Send it again."
	}
	reason = strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("reason"), "\x00", ""))
	if n := utf8.RuneCountInString(reason); n < leastReason || n > mostReason || !utf8.ValidString(reason) {
		return strings.ToValidUTF8(reason, ""), "Say why, in 3 to 500 characters: whoever looks later will want to know."
	}
	return reason, ""
}

func errConflict(text string) error {
	return &problem{status: http.StatusConflict, title: "Not as it was", text: text}
}
