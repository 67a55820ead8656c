package dashboard

import (
	"net/http"
	"time"
)

// iapHeader is where Google's proxy says who comes.
const iapHeader = "X-Goog-Iap-Jwt-Assertion"

// identify returns who comes with a request. It fails with a *problem: that nobody
// is known, or that it cannot be told.
func (d *Dashboard) identify(r *http.Request) (visitor, error) {
	if d.options.Developer && isLocal(r) {
		return visitor{Name: "developer", Role: Admin}, nil
	}
	if assertion := r.Header.Values(iapHeader); d.options.IAP != nil && len(assertion) > 0 {
		return d.identifyByIAP(r, assertion) // what it says counts, and nothing else
	}
	cookie, err := r.Cookie(cookieName(r))
	if err != nil {
		return visitor{}, d.unknown(r)
	}
	s, u, ok := readSession(cookie.Value, d.options.Users, time.Now())
	if !ok {
		return visitor{}, d.unknown(r)
	}
	switch ended, err := d.options.Record.SessionEnded(r.Context(), s.ID); {
	case err != nil:
		return visitor{}, errAway(err)
	case ended:
		return visitor{}, d.unknown(r)
	}
	return visitor{Name: u.Name, Role: u.Role, session: s}, nil
}

func (d *Dashboard) identifyByIAP(r *http.Request, assertion []string) (visitor, error) {
	if len(assertion) != 1 {
		return visitor{}, errIAP
	}
	name, role, err := d.options.IAP.identify(r.Context(), assertion[0])
	if err != nil {
		d.options.Log.WarnContext(r.Context(), "dashboard: an assertion of the proxy is refused", "error", err)
		return visitor{}, errIAP
	}
	if role == anybody {
		return visitor{}, errNoRole(name)
	}
	return visitor{Name: name, Role: role}, nil
}

// unknown returns the error of a request of nobody: one that leads to the login, if
// there is one.
func (d *Dashboard) unknown(r *http.Request) error {
	switch {
	case len(d.options.Users) == 0 && d.options.Developer:
		return errElsewhere
	case len(d.options.Users) == 0:
		return errIAP
	default:
		return &loginNeeded{next: localPath(r.URL.RequestURI())}
	}
}
