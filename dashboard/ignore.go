package dashboard

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

const (
	// mostAbove bounds the number for which a group is ignored.
	mostAbove = 1_000_000
	// mostIgnored is for how long a group is ignored at most.
	mostIgnored = 366 * 24 * time.Hour
)

// outcomeOf returns the outcome of that name if it is a failure's.
func outcomeOf(name string) job.Outcome {
	if o := job.Outcome(name); name != "" && record.Failed(o) {
		return o
	}
	return ""
}

// An ignoreForm asks for how long a group of errors is ignored, and why.
type ignoreForm struct {
	Name         record.ErrorName
	Path         string // where the form goes
	Stops        bool   // it ends that the group is ignored, and asks why only
	Until, Above string // as they were sent, if they were not good enough
	Reason       string
	Wrong        string
	Least, Most  string // dates
}

// ignorePage asks for how long a group is to be ignored.
func (d *Dashboard) ignorePage(v *visit) error {
	n, err := nameOf(v.r)
	if err != nil {
		return err
	}
	d.write(v, http.StatusOK, ignoreFormPage(n, ignoreForm{}))
	return nil
}

func ignoreFormPage(n record.ErrorName, f ignoreForm) page {
	now := time.Now().UTC()
	f.Name, f.Path = n, Path+"/errors/ignore?"+nameQuery(n)
	f.Least, f.Most = now.AddDate(0, 0, 1).Format(time.DateOnly), now.Add(mostIgnored).Format(time.DateOnly)
	title := "Ignore errors"
	if f.Stops {
		title, f.Path = "Stop ignoring errors", Path+"/errors/notice?"+nameQuery(n)
	}
	return page{name: "ignore", Title: title, Main: f}
}

// ignoreErrors ignores a group until a date or a number in a day.
func (d *Dashboard) ignoreErrors(v *visit) error {
	n, err := nameOf(v.r)
	if err != nil {
		return err
	}
	reason, wrong := readReason(v.r)
	f := ignoreForm{Until: v.r.PostForm.Get("until"), Above: v.r.PostForm.Get("above"), Reason: reason, Wrong: wrong}
	i := record.Ignore{Name: n}
	if wrong == "" {
		i.Until, i.Above, f.Wrong = readEnd(f.Until, f.Above, time.Now())
	}
	if f.Wrong != "" {
		d.write(v, http.StatusUnprocessableEntity, ignoreFormPage(n, f))
		return nil
	}
	if err := d.options.Record.IgnoreError(v.r.Context(), i, v.act(record.ActionIgnoreError, reason)); err != nil {
		return errAway(err)
	}
	return v.redirect(Path + "/errors?done=ignored")
}

// readEnd returns until when, or until how many in a day, a group is to be ignored,
// and what is wrong with that.
func readEnd(until, above string, now time.Time) (date time.Time, n int, wrong string) {
	if until = strings.TrimSpace(until); until != "" {
		var err error
		if date, err = time.Parse(time.DateOnly, until); err != nil || !date.After(now) || date.After(now.Add(mostIgnored)) {
			return date, 0, "The date must be one to come, within a year, as 2026-12-31."
		}
	}
	if above = strings.TrimSpace(above); above != "" {
		var err error
		if n, err = strconv.Atoi(above); err != nil || n < 1 || n > mostAbove {
			return date, 0, "The number must be a whole one from 1 to " + number(mostAbove) + "."
		}
	}
	if date.IsZero() && n == 0 {
		return date, 0, "Give a date, a number, or both: nothing is ignored for good."
	}
	return date, n, ""
}

// noticePage asks why a group is not to be ignored any more.
func (d *Dashboard) noticePage(v *visit) error {
	n, err := nameOf(v.r)
	if err != nil {
		return err
	}
	d.write(v, http.StatusOK, ignoreFormPage(n, ignoreForm{Stops: true}))
	return nil
}

// noticeErrors ends that a group is ignored.
func (d *Dashboard) noticeErrors(v *visit) error {
	n, err := nameOf(v.r)
	if err != nil {
		return err
	}
	reason, wrong := readReason(v.r)
	if wrong != "" {
		d.write(v, http.StatusUnprocessableEntity, ignoreFormPage(n, ignoreForm{Stops: true, Reason: reason, Wrong: wrong}))
		return nil
	}
	err = d.options.Record.NoticeError(v.r.Context(), n, v.act(record.ActionNoticeError, reason))
	switch {
	case errors.Is(err, record.ErrNotIgnored):
		return errConflict("The errors are not ignored: somebody was faster, or the date has come.")
	case err != nil:
		return errAway(err)
	}
	return v.redirect(Path + "/errors?done=noticed")
}
