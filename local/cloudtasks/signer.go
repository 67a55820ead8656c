package cloudtasks

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ai-worker/ai-worker/local/journal"
)

const (
	googleIssuer = "https://accounts.google.com"
	tokenLife    = time.Hour
	keyBits      = 2048
	keyFile      = "oidc-key.pem" // in Options.StateDir
	pemType      = "PRIVATE KEY"
)

// A signer makes the tokens that deliveries carry.
type signer struct {
	key    func() (*rsa.PrivateKey, error)
	issuer string // of ID tokens
}

// newSigner returns a signer that signs with key. Without a key it uses the one
// kept in dir. Without a dir it makes one when the first token is needed.
func newSigner(key *rsa.PrivateKey, dir, issuer string) (*signer, error) {
	if key == nil && dir != "" {
		var err error
		if key, err = keptKey(filepath.Join(dir, keyFile)); err != nil {
			return nil, err
		}
	}
	if key != nil {
		return &signer{issuer: issuer, key: func() (*rsa.PrivateKey, error) { return key, nil }}, nil
	}
	return &signer{issuer: issuer, key: sync.OnceValues(func() (*rsa.PrivateKey, error) {
		return rsa.GenerateKey(rand.Reader, keyBits)
	})}, nil
}

// keptKey reads the key in a file. When there is no file it makes a key and writes
// it, so that tokens stay valid when a development server restarts.
func keptKey(path string) (*rsa.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, not an RSA key", path, parsed)
	}
	return key, nil
}

func makeKey(path string) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, journal.ReplaceFile(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
}

// idToken returns the ID token that Google would sign for a service account. Its
// audience is the target URL unless the task names one (documented).
func (s *signer) idToken(t *cloudtaskspb.OidcToken, target string, now time.Time) (string, error) {
	key, err := s.key()
	if err != nil {
		return "", err
	}
	audience, subject := t.GetAudience(), accountID(t.GetServiceAccountEmail())
	if audience == "" {
		audience = target
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": s.issuer, "aud": audience, "azp": subject, "sub": subject,
		"email": t.GetServiceAccountEmail(), "email_verified": true,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	})
	token.Header["kid"] = keyID(&key.PublicKey)
	return token.SignedString(key)
}

// accountID makes up the 21 digits by which Google knows an account. They are the
// same for an address each time.
func accountID(email string) string {
	sum := sha256.Sum256([]byte(email))
	digits := new(big.Int).SetBytes(sum[:]).String()
	return "1" + digits[:20]
}

// keyID returns the name of a public key: 40 hexadecimal digits, as Google's have.
func keyID(key *rsa.PublicKey) string {
	sum := sha256.Sum256(key.N.Bytes())
	return hex.EncodeToString(sum[:20])
}

// accessToken returns an opaque OAuth token that only looks like one of Google's.
func accessToken(t *cloudtaskspb.OAuthToken, now time.Time) string {
	scope := t.GetScope()
	if scope == "" {
		scope = defaultOAuthScope
	}
	parts := []string{t.GetServiceAccountEmail(), scope, now.Truncate(tokenLife).Format(time.RFC3339)}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return "ya29.emulated-" + base64.RawURLEncoding.EncodeToString(sum[:])
}
