package dashboard

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What an operator may choose in a raiseForm.
const (
	raiseAdd  = "add"
	raiseLift = "lift"
	raiseUndo = "undo"
)

// mostAdded bounds what is added to a limit, in US dollars, as the settings bound a limit.
const mostAdded = 1_000_000

// A raiseForm asks what is allowed in the period of a budget, and why.
type raiseForm struct {
	Path, Now string
	Limit     string // of the settings
	Until     string // when the period ends; it names the period that the form is of
	Was       string // what is added so far, in millionths of a US dollar
	Raised    bool
	How, USD  string
	Reason    string
	Wrong     string
}

// raisePage asks what a budget is to be.
func (d *Dashboard) raisePage(v *visit) error {
	b, err := d.budgetOf(v)
	if err != nil {
		return err
	}
	f := raiseForm{How: raiseAdd}
	if b.RaisedMicros > 0 && !b.Lifted() {
		f.USD = strconv.FormatFloat(float64(b.RaisedMicros)/1e6, 'f', -1, 64)
	}
	d.write(v, http.StatusOK, raiseFormPage(b, f))
	return nil
}

func raiseFormPage(b record.BudgetNow, f raiseForm) page {
	f.Path, f.Now = raisePath(b.Scope), sentence(b.Used())
	f.Limit, f.Until = job.USD(b.LimitMicros), b.To.UTC().Format(time.RFC3339)
	f.Was, f.Raised = strconv.FormatInt(b.RaisedMicros, 10), b.RaisedMicros > 0
	name := "of " + b.Scope.Tenant()
	if b.Scope == job.ServiceBudget {
		name = "of the whole service"
	}
	return page{name: "budget", Title: "Budget " + name, Main: f}
}

// budgetOf returns the budget that a path names, as it is now. It fails with errNotFound
// if it is not set.
func (d *Dashboard) budgetOf(v *visit) (record.BudgetNow, error) {
	d.budgets.forget() // the form goes by what is added now
	all, err := d.budgetsNow(v.r.Context(), time.Now())
	if err != nil {
		return record.BudgetNow{}, err
	}
	for _, b := range all {
		if b.Set && string(b.Scope) == v.r.PathValue("scope") {
			return b, nil
		}
	}
	return record.BudgetNow{}, errNotFound
}

// raiseBudget sets what is added to the limit of a budget, and asks for a sweep, which
// releases what has room then.
func (d *Dashboard) raiseBudget(v *visit) error {
	b, err := d.budgetOf(v)
	if err != nil {
		return err
	}
	reason, wrong := readReason(v.r)
	f := raiseForm{How: v.r.PostForm.Get("how"), USD: strings.TrimSpace(v.r.PostForm.Get("usd")), Reason: reason, Wrong: wrong}
	micros, wrong := readRaise(f.How, f.USD)
	if f.Wrong == "" {
		f.Wrong = wrong
	}
	if f.Wrong != "" {
		d.write(v, http.StatusUnprocessableEntity, raiseFormPage(b, f))
		return nil
	}
	was, err := strconv.ParseInt(v.r.PostForm.Get("was"), 10, 64)
	if err != nil || v.r.PostForm.Get("until") != b.To.UTC().Format(time.RFC3339) {
		return errConflict("The period of the budget has ended, or its setting was changed. Look at it again.")
	}
	raise := record.BudgetRaise{Period: b.Period(), WasMicros: was, Micros: micros}
	err = d.options.Record.RaiseBudget(v.r.Context(), raise, v.act(record.ActionRaiseBudget, reason))
	d.forget()
	switch {
	case errors.Is(err, record.ErrBudgetChanged):
		return errConflict("The budget is not as it was: somebody was faster, or its period has ended. Look at it again.")
	case err != nil:
		return errAway(err)
	}
	d.askForSweep(v.r.Context())
	return v.redirect(Path + "?done=raised")
}

// readRaise returns what is added to a limit, or what is wrong with it.
func readRaise(how, usd string) (micros int64, wrong string) {
	switch how {
	case raiseLift:
		return record.LiftMicros, ""
	case raiseUndo:
		return 0, ""
	case raiseAdd:
		n, err := strconv.ParseFloat(usd, 64)
		if err == nil && n >= 0.01 && n <= mostAdded {
			return int64(math.Round(n * 1e6)), ""
		}
		return 0, "Say how many US dollars more, from 0.01 to 1000000."
	}
	return 0, "Choose what is allowed."
}
