package dashboard

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const (
	// sessionLasts is how long a login is good for.
	sessionLasts = 12 * time.Hour
	// clockSkew is by how much the clocks of two instances may differ.
	clockSkew = time.Minute

	secureCookie = "__Host-ai-worker-session"
	plainCookie  = "ai-worker-session" // without TLS, on this machine
)

// A session is what the cookie of a login says. The cookie is signed with a key that
// follows from the user's own hash: a new password, or a user who is removed, ends
// all sessions of that user, and no other secret is needed. The role is not in it:
// each request goes by the settings.
type session struct {
	ID      string `json:"id"`
	User    string `json:"user"`
	Issued  int64  `json:"issued"` // Unix seconds, like the next one
	Expires int64  `json:"expires"`
}

func newSession(user string, now time.Time) session {
	return session{ID: rand.Text(), User: user, Issued: now.Unix(), Expires: now.Add(sessionLasts).Unix()}
}

// left returns how much longer the session is good for.
func (s session) left(now time.Time) time.Duration { return time.Unix(s.Expires, 0).Sub(now) }

// sign returns the session's cookie.
func (s session) sign(u User) (string, error) {
	doc, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	payload := base64.RawURLEncoding.EncodeToString(doc)
	mac, err := macOf(payload, u)
	return payload + "." + base64.RawURLEncoding.EncodeToString(mac), err
}

// macOf returns the signature of a payload by a user's key.
func macOf(payload string, u User) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(u.Hash), nil, "ai-worker dashboard session 1 "+u.Name, sha256.Size)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(payload))
	return h.Sum(nil), nil
}

// readSession returns the session that a cookie says, with its user, if the cookie
// is one that this service signed and that is still good. It does not know whether
// somebody logged out.
func readSession(cookie string, users []User, now time.Time) (s session, u User, ok bool) {
	payload, sent, _ := strings.Cut(cookie, ".")
	doc, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(doc, &s) != nil {
		return session{}, User{}, false
	}
	u, known := findUser(users, s.User)
	if !known {
		return session{}, User{}, false
	}
	mac, err := base64.RawURLEncoding.DecodeString(sent)
	want, failed := macOf(payload, u)
	if err != nil || failed != nil || !hmac.Equal(mac, want) {
		return session{}, User{}, false
	}
	issued := time.Unix(s.Issued, 0)
	good := s.left(now) > 0 && !issued.After(now.Add(clockSkew)) && time.Unix(s.Expires, 0).Sub(issued) <= sessionLasts
	return s, u, good
}

func findUser(users []User, name string) (User, bool) {
	for _, u := range users {
		if u.Name == name {
			return u, true
		}
	}
	return User{}, false
}

// sessionCookie returns the cookie that keeps a session, or ends one if value is
// empty.
func sessionCookie(r *http.Request, value string) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // it is for TLS only, except on this machine
		Name: cookieName(r), Value: value, Path: "/", HttpOnly: true, Secure: !isPlain(r), SameSite: http.SameSiteLaxMode,
		MaxAge: int(sessionLasts.Seconds()),
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

func cookieName(r *http.Request) string {
	if isPlain(r) {
		return plainCookie
	}
	return secureCookie
}
