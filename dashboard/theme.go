package dashboard

import (
	"net/http"
	"slices"
)

// themeCookie keeps whether pages are light or dark.
const themeCookie = "ai-worker-theme"

// themes are what a browser may choose: as the system is, or always one.
var themes = []string{"auto", "light", "dark"}

// theme returns the choice of a request's browser.
func theme(r *http.Request) string {
	c, err := r.Cookie(themeCookie)
	if err != nil || !slices.Contains(themes, c.Value) {
		return themes[0]
	}
	return c.Value
}

// setTheme keeps a browser's choice.
func (d *Dashboard) setTheme(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return errForm
	}
	chosen := v.r.PostForm.Get("theme")
	if !slices.Contains(themes, chosen) {
		return errForm
	}
	const year = 365 * 24 * 60 * 60   // seconds
	http.SetCookie(v.w, &http.Cookie{ //nolint:gosec // as that of a session
		Name: themeCookie, Value: chosen, Path: Path, MaxAge: year, HttpOnly: true, Secure: !isPlain(v.r), SameSite: http.SameSiteLaxMode,
	})
	back := v.r.PostForm.Get("back")
	if back == Path+"/login" {
		return v.redirect(back)
	}
	return v.redirect(localPath(back))
}
