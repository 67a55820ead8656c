package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"github.com/ai-worker/ai-worker/record"
)

const (
	// triesAMinute is how many tries to log in one address has a minute, as far as
	// this process sees. The record counts more strictly, and for all instances.
	triesAMinute = 20
	// hashesAtOnce bounds how many passwords are compared at once. Each takes a
	// core for a quarter of a second.
	hashesAtOnce = 2
	// hashPatience is how long a try waits for its turn.
	hashPatience = 5 * time.Second
)

// loginPage shows the form, to whoever is not logged in.
func (d *Dashboard) loginPage(v *visit) error {
	if len(d.options.Users) == 0 {
		return errNotFound
	}
	if v.who.Role != anybody {
		return v.redirect(Path)
	}
	d.write(v, http.StatusOK, d.loginForm(v.r.URL.Query().Get("next"), ""))
	return nil
}

// A loginForm is what the login page shows.
type loginForm struct{ Next, Wrong string }

func (d *Dashboard) loginForm(next, wrong string) page {
	return page{name: "login", Title: "Log in", Main: loginForm{Next: localPath(next), Wrong: wrong}}
}

// logIn begins a session for who knows a user's password.
func (d *Dashboard) logIn(v *visit) error {
	if len(d.options.Users) == 0 {
		return errNotFound
	}
	address := clientAddress(v.r)
	if d.tries.OnLimit(headless{}, v.r, address) {
		return errTooMany(time.Minute)
	}
	if err := v.r.ParseForm(); err != nil {
		return errForm
	}
	name, password := v.r.PostForm.Get("user"), v.r.PostForm.Get("password")
	try := record.LoginTry{ID: uuid.NewString(), User: fingerprint(name), Address: address}
	ctx := v.r.Context()
	if err := d.options.Record.BeginLogin(ctx, try); err != nil {
		if many, ok := errors.AsType[*record.TooManyLoginsError](err); ok {
			d.options.Log.WarnContext(ctx, "dashboard: too many logins failed", "address", address)
			return errTooMany(many.RetryAfter)
		}
		return errAway(err)
	}
	u, ok, err := d.check(ctx, name, password)
	if err != nil {
		return err
	}
	if !ok {
		d.options.Log.WarnContext(ctx, "dashboard: a login failed", "address", address)
		d.write(v, http.StatusUnauthorized, d.loginForm(v.r.PostForm.Get("next"), "The name or the password is wrong."))
		return nil
	}
	act := record.Act{Who: u.Name, Role: string(u.Role), Action: record.ActionLogIn}
	if err := d.options.Record.EndLogin(ctx, try, act); err != nil {
		return errAway(err)
	}
	cookie, err := newSession(u.Name, time.Now()).sign(u)
	if err != nil {
		return err
	}
	http.SetCookie(v.w, sessionCookie(v.r, cookie))
	return v.redirect(localPath(v.r.PostForm.Get("next")))
}

// fingerprint returns what stands for a name in the record. People type passwords
// where the name goes.
func fingerprint(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// check compares a password. It takes as long for a name that is unknown as for the
// slowest that is known.
func (d *Dashboard) check(ctx context.Context, name, password string) (User, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, hashPatience)
	defer cancel()
	select {
	case d.hashing <- struct{}{}:
		defer func() { <-d.hashing }()
	case <-ctx.Done():
		return User{}, false, &problem{
			status: http.StatusServiceUnavailable, title: "Busy", after: hashPatience,
			text: "Too many people try to log in at once. Try again in some seconds.",
		}
	}
	u, known := findUser(d.options.Users, name)
	if !known {
		u = d.slowest()
	}
	matches := bcrypt.CompareHashAndPassword([]byte(u.Hash), []byte(password)) == nil
	return u, matches && known, nil
}

// slowest returns the user whose password takes longest to compare.
func (d *Dashboard) slowest() (slowest User) {
	most := -1
	for _, u := range d.options.Users {
		if cost, err := bcrypt.Cost([]byte(u.Hash)); err == nil && cost > most {
			slowest, most = u, cost
		}
	}
	return slowest
}

func errTooMany(after time.Duration) error {
	after = max(after, time.Second)
	return &problem{
		status: http.StatusTooManyRequests, title: "Too many tries", after: after,
		text: "Too many tries to log in have failed, by this name or from this address. Try again in " + span(after) + ".",
	}
}

// logOut ends the session, everywhere and for good.
func (d *Dashboard) logOut(v *visit) error {
	s := v.who.session
	if s.ID == "" {
		return errNotFound // nobody logged in
	}
	act := record.Act{Who: v.who.Name, Role: string(v.who.Role), Action: record.ActionLogOut}
	if err := d.options.Record.EndSession(v.r.Context(), s.ID, s.left(time.Now())+clockSkew, act); err != nil {
		return errAway(err)
	}
	http.SetCookie(v.w, sessionCookie(v.r, ""))
	return v.redirect(Path + "/login")
}

// headless is an answer without headers, for what would tell callers how they are
// counted.
type headless struct{}

func (headless) Header() http.Header         { return make(http.Header) }
func (headless) Write(p []byte) (int, error) { return len(p), nil }
func (headless) WriteHeader(int)             {}
