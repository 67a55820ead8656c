package cloudtasks

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
)

// googleCerts is where Google's libraries fetch the keys that ID tokens are signed
// with. The address is fixed in them, so an emulator's keys come in through a
// transport.
const (
	googleCertsHost = "www.googleapis.com"
	googleCertsPath = "/oauth2/v3/certs"
)

// JWKS serves the public key of the emulator's ID tokens as a JSON Web Key Set.
func (e *Emulator) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body, err := e.engine.signer.jwks()
		if err != nil {
			http.Error(w, "the signing key could not be made", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(body)
	})
}

// Transport returns a transport that answers requests for Google's certificates
// with the emulator's, and hands everything else to next. With a nil next
// everything else fails, so that nothing leaves the machine by mistake. It makes
// Google's own validator accept the emulator's tokens:
//
//	client := &http.Client{Transport: emu.Transport(nil)}
//	validator, err := idtoken.NewValidator(ctx, option.WithHTTPClient(client))
func (e *Emulator) Transport(next http.RoundTripper) http.RoundTripper {
	return certsTransport{certs: HandlerTransport(e.JWKS()), next: next}
}

type certsTransport struct {
	certs, next http.RoundTripper
}

func (t certsTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == googleCertsHost && strings.HasPrefix(r.URL.Path, googleCertsPath) {
		return t.certs.RoundTrip(r)
	}
	if t.next == nil {
		return nil, fmt.Errorf("cloudtasks: this transport serves Google's certificates only, not %s", r.URL.Redacted())
	}
	return t.next.RoundTrip(r)
}

// jwks returns the key set as Google's endpoint shows it.
func (s *signer) jwks() ([]byte, error) {
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": keyID(&key.PublicKey),
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}}})
}
