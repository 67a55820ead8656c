package cloudtasks

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// googleCerts is where Google's libraries fetch the keys that ID tokens are signed
// with. The address is fixed in them, so an emulator's keys come in through a
// transport.
const (
	googleCertsHost = "www.googleapis.com"
	googleCertsPath = "/oauth2/v3/certs" // a JSON Web Key Set
	googlePEMsPath  = "/oauth2/v1/certs" // certificates by the names of their keys
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

// serveDiscovery serves the OpenID Connect discovery document of the emulator's ID
// tokens. Its addresses are where the caller has reached the emulator.
func (e *Emulator) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, map[string]any{
		"issuer":                                e.engine.signer.issuer,
		"jwks_uri":                              "http://" + r.Host + googleCertsPath,
		"response_types_supported":              []string{"id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"claims_supported":                      []string{"aud", "azp", "email", "email_verified", "exp", "iat", "iss", "sub"},
	})
}

// servePEMs serves the public key as a certificate, which Google's libraries for
// Node.js and Python ask for.
func (e *Emulator) servePEMs(w http.ResponseWriter, _ *http.Request) {
	key, err := e.engine.signer.key()
	if err != nil {
		http.Error(w, "the signing key could not be made", http.StatusInternalServerError)
		return
	}
	der, err := newCertificate(key)
	if err != nil {
		http.Error(w, "the certificate could not be made", http.StatusInternalServerError)
		return
	}
	writeJSON(w, map[string]string{
		keyID(&key.PublicKey): string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	})
}

// newCertificate returns a certificate of a key that the key itself has signed. It
// is the same each time.
func newCertificate(key *rsa.PrivateKey) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "cloud-tasks-emulator"},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

func writeJSON(w http.ResponseWriter, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(append(body, '\n'))
}
