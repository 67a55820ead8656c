package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ai-worker/ai-worker/handlers"
)

// A browser token is a JWT by which a browser may read one job. A caller's server
// makes it from its API key and asks nobody. docs/browser-tokens.md has the
// algorithm, and what is written here in constants.

const (
	// tokenParameter is the part of a query that has a token in it. EventSource
	// cannot send a header.
	tokenParameter = "token"
	// browserKeyLabel is what the key of tokens is made of, together with the
	// API key. So a token says nothing about the API key that another use of
	// that key would also say.
	browserKeyLabel = "ai-worker browser token v1"
	// browserKeyID is the length of a kid, in hex digits: enough that no two keys
	// have the same.
	browserKeyID = 16
	// browserAlgorithm is the only one.
	browserAlgorithm = "HS256"
	// browserScope is the only one.
	browserScope = "read"
	// maxTokenLife is how far ahead the expiry of a token may be.
	maxTokenLife = 24 * time.Hour
	// maxSkew is how far ahead the clock of the server that made a token may be.
	maxSkew = time.Minute
	// maxToken bounds a token, in bytes. A good one has about 300.
	maxToken = 2048
)

// The codes of problems with tokens.
const (
	codeTokenExpired = "token_expired"
	codeTokenInvalid = "token_invalid"
)

// A browserKey checks the tokens that were made with one API key.
type browserKey struct {
	id  string // the tokens' kid
	key []byte
}

func newBrowserKey(apiKey string) browserKey {
	mac := hmac.New(sha256.New, []byte(apiKey))
	mac.Write([]byte(browserKeyLabel))
	key := mac.Sum(nil)
	sum := sha256.Sum256(key)
	return browserKey{id: hex.EncodeToString(sum[:])[:browserKeyID], key: key}
}

// A tokenFault says why a request is not let in. It never quotes a token.
type tokenFault struct {
	code   string // empty if there is no token
	detail string
}

func invalid(detail string) *tokenFault { return &tokenFault{code: codeTokenInvalid, detail: detail} }

// answer answers 401 (RFC 6750, section 3).
func (f *tokenFault) answer(w http.ResponseWriter) {
	challenge := `Bearer realm="ai-worker"`
	if f.code == "" {
		w.Header().Set("WWW-Authenticate", challenge)
		handlers.WriteProblem(w, http.StatusUnauthorized, f.detail)
		return
	}
	w.Header().Set("WWW-Authenticate", challenge+`, error="invalid_token"`)
	handlers.WriteCodedProblem(w, http.StatusUnauthorized, f.code, "The browser token: "+f.detail)
}

// browserClaims is what a token says.
type browserClaims struct {
	jwt.RegisteredClaims

	Scope string `json:"scope"`
}

// reader returns the tenant for whose job id a token is good at a time.
func (k *Keys) reader(token, id string, now time.Time) (handlers.Tenant, *tokenFault) {
	if len(token) > maxToken {
		return handlers.Tenant{}, invalid("it is too long to be one.")
	}
	t, claims, fault := k.open(token)
	if fault == nil {
		fault = claims.check(id, now)
	}
	return t, fault
}

// errNoKey means that a token names no key of this service.
var errNoKey = errors.New("no such key")

// open returns what a token says, and whose key it was made with. It compares
// signatures in constant time, and takes no algorithm but the one.
func (k *Keys) open(token string) (t handlers.Tenant, claims browserClaims, fault *tokenFault) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{browserAlgorithm}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	parsed, err := parser.ParseWithClaims(token, &claims, func(parsed *jwt.Token) (any, error) {
		kid, _ := parsed.Header["kid"].(string)
		for _, e := range k.entries {
			if e.browser.id == kid {
				t = e.tenant
				return e.browser.key, nil
			}
		}
		return nil, errNoKey
	})
	switch {
	case errors.Is(err, errNoKey):
		fault = invalid("kid names no API key of this service. Was it made with a key that was replaced?")
	case parsed == nil || errors.Is(err, jwt.ErrTokenMalformed):
		fault = invalid("it is no JWT, or a claim has the wrong type: exp and iat are seconds, sub and scope are strings.")
	case parsed.Header["alg"] != browserAlgorithm:
		fault = invalid("alg must be " + browserAlgorithm + ".")
	case err != nil:
		fault = invalid("its signature is wrong for its kid.")
	case parsed.Header["typ"] != "JWT":
		fault = invalid("typ must be JWT.")
	case parsed.Header["crit"] != nil: // RFC 7515, section 4.1.11
		fault = invalid("crit is not understood.")
	}
	return t, claims, fault
}

// check says what is wrong with the claims of a token for a job, if anything is.
func (c browserClaims) check(id string, now time.Time) *tokenFault {
	switch {
	case c.ExpiresAt == nil:
		return invalid("exp is missing.")
	case !now.Before(c.ExpiresAt.Time):
		return &tokenFault{code: codeTokenExpired, detail: "exp has passed. Make a new one."}
	case c.ExpiresAt.After(now.Add(maxTokenLife + maxSkew)):
		return invalid("exp is more than 24 hours ahead.")
	case c.IssuedAt == nil:
		return invalid("iat is missing.")
	case c.IssuedAt.After(now.Add(maxSkew)):
		return invalid("iat is ahead of this service's clock.")
	case c.NotBefore != nil && c.NotBefore.After(now.Add(maxSkew)):
		return invalid("nbf is ahead of this service's clock.")
	case c.Scope != browserScope:
		return invalid("scope must be " + browserScope + ".")
	case !strings.EqualFold(c.Subject, id):
		return invalid("sub is not this job's id.")
	}
	return nil
}
