package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"
)

// A problem is an answer that says what is wrong, and what to do about it.
type problem struct {
	status int
	title  string
	text   string
	after  time.Duration // when to try again; 0 if that says nothing
	cause  error         // for the log; nil if it is nobody's fault
}

func (p *problem) Error() string { return fmt.Sprintf("dashboard: %s: %v", p.title, p.cause) }

var (
	errNotFound = &problem{status: http.StatusNotFound, title: "Not found", text: "There is no such page."}
	errMethod   = &problem{status: http.StatusMethodNotAllowed, title: "Not so", text: "This address does not take that method."}
	errForeign  = &problem{
		status: http.StatusForbidden, title: "From elsewhere", text: "Another site sent this request. Nothing was done.",
	}
	errIAP = &problem{
		status: http.StatusUnauthorized, title: "Not let in",
		text: "Google's Identity-Aware Proxy has to say who you are, and did not say so in a way that can be checked. " +
			"Open this page through the proxy. If you did, compare DASHBOARD_IAP_AUDIENCE with the audience that it shows.",
	}
	errElsewhere = &problem{
		status: http.StatusUnauthorized, title: "Not let in",
		text: "Without DASHBOARD_USERS, this dashboard is for the machine that it runs on, at localhost. " +
			"Set DASHBOARD_USERS to reach it from elsewhere; `ai-worker password` makes the hash of a password.",
	}
	errForm = &problem{status: http.StatusBadRequest, title: "Not understood", text: "The form could not be read. Go back, and send it again."}
)

// errRole refuses what needs another role.
func errRole(least Role) error {
	return &problem{
		status: http.StatusForbidden, title: "Not yours to do",
		text: "This needs the role " + string(least) + ". Ask whoever runs the service, who sets DASHBOARD_USERS or DASHBOARD_IAP_ROLES.",
	}
}

// faultText is what people are told of a fault of the service.
const faultText = "This is the service's own fault. Its log says more."

func errNoRole(name string) error {
	return &problem{
		status: http.StatusForbidden, title: "No role", text: name + " has no role here. DASHBOARD_IAP_ROLES gives one.",
	}
}

// errAway says that the record cannot be reached, or cannot be asked now.
func errAway(cause error) error {
	if p, ok := errors.AsType[*problem](cause); ok {
		return p
	}
	return &problem{
		status: http.StatusServiceUnavailable, title: "Out of reach", after: 5 * time.Second, cause: cause,
		text: "The record cannot be reached now. What is being drawn goes on. Try again in some seconds; `ai-worker doctor` says what is wrong.",
	}
}

// orAway returns what was read, or errAway if it could not be.
func orAway[T any](read T, err error) (T, error) {
	if err != nil {
		return read, errAway(err)
	}
	return read, nil
}

// loginNeeded means that somebody has to log in first.
type loginNeeded struct{ next string }

func (*loginNeeded) Error() string { return "dashboard: nobody is logged in" }

// fail answers with an error.
func (d *Dashboard) fail(v *visit, err error) {
	if login, ok := errors.AsType[*loginNeeded](err); ok {
		d.sendToLogin(v, login.next)
		return
	}
	p, ok := errors.AsType[*problem](err)
	if !ok {
		p = &problem{status: http.StatusInternalServerError, title: "A fault", cause: err, text: faultText}
	}
	if p.cause != nil {
		d.options.Log.ErrorContext(v.r.Context(), "dashboard: a page failed", "path", v.r.URL.Path, "error", p.cause)
	}
	if p.after > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(int(p.after.Round(time.Second).Seconds())))
	}
	d.write(v, p.status, page{name: "problem", Title: p.title, Main: p})
}

// Text returns what people are told.
func (p *problem) Text() string { return p.text }

// sendToLogin leads a person who wants to see a page to the login. For anything
// else that would lose what was asked for, so that it answers 401.
func (d *Dashboard) sendToLogin(v *visit, next string) {
	reads := v.r.Method == http.MethodGet || v.r.Method == http.MethodHead
	if reads && !v.wantsFragment() {
		http.Redirect(v.w, v.r, Path+"/login?next="+url.QueryEscape(next), http.StatusSeeOther)
		return
	}
	d.write(v, http.StatusUnauthorized, page{name: "problem", Title: "Log in first", Main: &problem{
		text: "You are not logged in, or no longer. Nothing was done.",
	}})
}

// recover answers with a fault if a page panics, and logs where.
func (d *Dashboard) recover(v *visit) {
	switch fault := recover(); fault {
	case nil:
	case http.ErrAbortHandler:
		panic(fault)
	default:
		d.options.Log.ErrorContext(v.r.Context(), "panic", "path", v.r.URL.Path, "panic", fault, "stack", string(debug.Stack()))
		d.write(v, http.StatusInternalServerError, page{name: "problem", Title: "A fault", Main: &problem{text: faultText}})
	}
}
