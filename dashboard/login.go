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

// loginPage shows the form.
func (d *Dashboard) loginPage(v *visit) error {
	if len(d.options.Users) == 0 {
		return errNotFound
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
	ctx := v.r.Context()
	u, ok, err := d.try(ctx, name, password, record.LoginTry{ID: uuid.NewString(), User: fingerprint(name), Address: address})
	switch many, isMany := errors.AsType[*record.TooManyLoginsError](err); {
	case isMany:
		d.options.Log.WarnContext(ctx, "dashboard: too many logins failed", "address", address)
		return errTooMany(many.RetryAfter)
	case err != nil:
		return err
	case !ok:
		d.options.Log.WarnContext(ctx, "dashboard: a login failed", "address", address)
		d.write(v, http.StatusUnauthorized, d.loginForm(v.r.PostForm.Get("next"), "The name or the password is wrong."))
		return nil
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

// try counts a try to log in, and compares its password. It waits for its turn before
// both: so a flood neither holds the record's connections, nor is a try counted that was
// never compared. It fails with a *record.TooManyLoginsError or a *problem.
func (d *Dashboard) try(ctx context.Context, name, password string, t record.LoginTry) (User, bool, error) {
	leave, err := d.awaitTurn(ctx)
	if err != nil {
		return User{}, false, err
	}
	defer leave()
	if err := d.options.Record.BeginLogin(ctx, t); err != nil {
		if many, ok := errors.AsType[*record.TooManyLoginsError](err); ok {
			return User{}, false, many
		}
		return User{}, false, errAway(err)
	}
	u, ok := d.check(name, password)
	if !ok {
		return User{}, false, nil
	}
	if err := d.options.Record.EndLogin(ctx, t, record.Act{Who: u.Name, Role: string(u.Role), Action: record.ActionLogIn}); err != nil {
		return User{}, false, errAway(err)
	}
	return u, true, nil
}

// awaitTurn waits until a password may be compared. The caller calls leave afterwards.
func (d *Dashboard) awaitTurn(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, hashPatience)
	defer cancel()
	select {
	case d.hashing <- struct{}{}:
		return func() { <-d.hashing }, nil
	case <-ctx.Done():
		return nil, &problem{
			status: http.StatusServiceUnavailable, title: "Busy", after: hashPatience,
			text: "Too many people try to log in at once. Try again in some seconds.",
		}
	}
}

// check compares a password. It takes as long for a name that is unknown as for the
// slowest that is known.
func (d *Dashboard) check(name, password string) (User, bool) {
	u, known := findUser(d.options.Users, name)
	if !known {
		u = d.slowest()
	}
	matches := d.compare([]byte(u.Hash), []byte(password)) == nil
	return u, matches && known
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
