package dashboard

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/ai-worker/ai-worker/record"
)

// An actOn is something that is done to a thing once somebody has said why: to a job, a
// lane or a bulk.
type actOn[T any] struct {
	action string // as the audit has it
	verb   string // of the button
	code   string // of what is said then
	// find returns the thing that a path names, as pages show it.
	find func(*Dashboard, *visit) (T, error)
	// named returns what the thing is called in the title and on the button, and where
	// its page is.
	named func(T) (title, button, back string)
	// check fails if the act makes no sense now.
	check func(*visit, T) error
	// means says what happens then.
	means func(*Dashboard, *visit, T) (string, error)
	// do does it, and returns where to go.
	do func(*Dashboard, *visit, T, record.Act) (path string, err error)
}

// An actForm asks for a reason before something is done.
type actForm struct {
	Verb, Thing string // such as "Pause", and what is paused
	Path, Back  string // where the form goes, and where to go without it
	What        string // what happens then
	Reason      string // as it was sent, if it was not good enough
	Wrong       string
}

// asks returns what serves the form of an act.
func asks[T any](act func() actOn[T]) func(*Dashboard, *visit) error {
	return func(d *Dashboard, v *visit) error { return act().ask(d, v, http.StatusOK, "", "") }
}

// does returns what does an act.
func does[T any](act func() actOn[T]) func(*Dashboard, *visit) error {
	return func(d *Dashboard, v *visit) error {
		act := act()
		reason, wrong := readReason(v.r)
		if wrong != "" {
			return act.ask(d, v, http.StatusUnprocessableEntity, reason, wrong)
		}
		d.forget() // it goes by how the thing is now
		thing, err := act.checked(d, v)
		if err != nil {
			return err
		}
		path, err := act.do(d, v, thing, v.act(act.action, reason))
		d.forget() // what was read may be of before, also if somebody was faster
		if err != nil {
			return explained(err)
		}
		return v.redirect(path + "?done=" + act.code)
	}
}

// ask writes the form of the act.
func (act actOn[T]) ask(d *Dashboard, v *visit, status int, reason, wrong string) error {
	thing, err := act.checked(d, v)
	if err != nil {
		return err
	}
	what, err := act.means(d, v, thing)
	if err != nil {
		return err
	}
	title, button, back := act.named(thing)
	d.write(v, status, page{name: "act", Title: act.verb + " " + title, Main: actForm{
		Verb: act.verb, Thing: button, Path: v.r.URL.Path, Back: back, What: what, Reason: reason, Wrong: wrong,
	}})
	return nil
}

// checked returns the thing that the path names, if the act makes sense now.
func (act actOn[T]) checked(d *Dashboard, v *visit) (T, error) {
	thing, err := act.find(d, v)
	if err == nil && act.check != nil {
		if err := act.check(v, thing); err != nil {
			return thing, explained(err)
		}
	}
	return thing, err
}

// forget makes every page read anew what an act may change.
func (d *Dashboard) forget() {
	d.overviews.forget()
	d.lists.forget()
	d.tallies.forget()
	d.jobs.forget()
	d.budgets.forget()
	d.bulks.forget()
	d.bulkLists.forget()
}

// Bounds of a reason, in characters.
const leastReason, mostReason = 3, 500

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

// act returns what the visitor does, and why.
func (v *visit) act(action, reason string) record.Act {
	return record.Act{Who: v.who.Name, Role: string(v.who.Role), Action: action, Reason: reason}
}

// explained returns what people are told of an error.
func explained(err error) error {
	refused, isRefused := errors.AsType[*RefusedError](err)
	_, isProblem := errors.AsType[*problem](err)
	switch {
	case isProblem:
		return err
	case isRefused:
		return errConflict(refused.Text)
	case errors.Is(err, record.ErrNotFound):
		return errNoJob
	case errors.Is(err, record.ErrEnded):
		return errConflict("The job has ended: it was faster, or somebody was.")
	case errors.Is(err, record.ErrNotEnded):
		return errConflict("The job has not ended. Cancel it first.")
	case errors.Is(err, record.ErrWaiting):
		return errConflict("The webhook waits for a try already.")
	case errors.Is(err, record.ErrLanePaused):
		return errConflict("The lane is paused by hand already: somebody was faster.")
	case errors.Is(err, record.ErrNotPaused):
		return errConflict("The lane is not paused by hand: somebody was faster.")
	case errors.Is(err, record.ErrBulkEnded):
		return errConflict("The bulk is not running: it has ended, or somebody was faster.")
	}
	return errAway(err)
}

func errConflict(text string) error {
	return &problem{status: http.StatusConflict, title: "Not as it was", text: text}
}
