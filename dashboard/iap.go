package dashboard

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"
)

// What Google says of its Identity-Aware Proxy:
// https://cloud.google.com/iap/docs/signed-headers-howto
const (
	iapIssuer = "https://cloud.google.com/iap"
	iapKeys   = "https://www.gstatic.com/iap/verify/public_key-jwk"
	// iapSkew is by how much Google's clock and this one may differ.
	iapSkew = 30 * time.Second

	// keysLast is how long the keys are kept. Google announces new ones long
	// before it signs with them.
	keysLast = time.Hour
	// keysAgain is how soon they may be asked for again, because of a key that is
	// not among them.
	keysAgain = time.Minute
	// keysSoon is the same while no key is known.
	keysSoon = 5 * time.Second
	// keysTimeout bounds asking for them.
	keysTimeout = 5 * time.Second
	maxKeys     = 64 << 10 // bytes
)

// An IAPRole is the role of an account, by its email, or of all accounts of a
// domain.
type IAPRole struct {
	Who  string // in lower case; a domain has no @
	Role Role
}

// An IAP tells who comes by what Google's Identity-Aware Proxy signed.
type IAP struct {
	Audience string // that the proxy signs for
	Roles    []IAPRole
	Client   *http.Client // that fetches Google's keys

	flight singleflight.Group // of questions for the keys

	mu    sync.Mutex
	keys  map[string]*ecdsa.PublicKey // by id
	asked time.Time                   // when Google answered last, or failed to; zero before
}

// iapClaims is what the proxy says of an account.
type iapClaims struct {
	jwt.RegisteredClaims

	Email  string `json:"email"`
	Domain string `json:"hd"` // that manages the account, as Google knows it; an email could be anybody's
}

// identify returns the email of the account that an assertion is about, and its role,
// which is empty if it has none. It fails if the assertion is not one that the proxy
// signed just now for this audience.
func (p *IAP) identify(ctx context.Context, assertion string) (string, Role, error) {
	var claims iapClaims
	_, err := jwt.ParseWithClaims(assertion, &claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		return p.key(ctx, id)
	},
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(iapIssuer), jwt.WithAudience(p.Audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(iapSkew))
	if err != nil {
		return "", anybody, err
	}
	if claims.Email == "" || claims.IssuedAt == nil {
		return "", anybody, errors.New("dashboard: the assertion names no account or no time")
	}
	return claims.Email, p.role(claims), nil
}

// role returns the role of an account: that of its email, or else of its domain.
func (p *IAP) role(claims iapClaims) Role {
	for _, who := range []string{strings.ToLower(claims.Email), strings.ToLower(claims.Domain)} {
		for _, r := range p.Roles {
			if who != "" && r.Who == who {
				return r.Role
			}
		}
	}
	return anybody
}

// key returns Google's key of an id. It asks for the keys if it has none, if they
// are old, and if the id is not among them. Callers that need them meanwhile wait for
// the same answer.
func (p *IAP) key(ctx context.Context, id string) (*ecdsa.PublicKey, error) {
	key, due := p.known(id)
	if due {
		if _, err, _ := p.flight.Do("", func() (any, error) { return nil, p.refresh(ctx, id) }); err != nil {
			return nil, err
		}
		key, _ = p.known(id)
	}
	if key == nil {
		return nil, fmt.Errorf("dashboard: no key of Google's has the id %.40q", id)
	}
	return key, nil
}

// known returns the key of an id, or nil, and whether the keys are to be asked for.
func (p *IAP) known(id string) (key *ecdsa.PublicKey, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key = p.keys[id]
	age := time.Since(p.asked)
	if key != nil && age < keysLast {
		return key, false
	}
	again := keysAgain
	if p.keys == nil {
		again = keysSoon
	}
	return key, p.asked.IsZero() || age >= again
}

// refresh asks for the keys, unless another caller has just done so. If that fails, it
// keeps those that there are; it fails if there are none.
func (p *IAP) refresh(ctx context.Context, id string) error {
	if _, due := p.known(id); !due {
		return nil
	}
	keys, err := p.fetch(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = time.Now()
	switch {
	case err == nil:
		p.keys = keys
	case p.keys == nil:
		return err
	}
	return nil
}

// A jwk is a key as Google publishes it.
type jwk struct {
	ID    string `json:"kid"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// fetch asks for Google's keys.
func (p *IAP) fetch(ctx context.Context) (map[string]*ecdsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout) // others wait for them too
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, iapKeys, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("dashboard: Google's keys: %w", err)
	}
	defer resp.Body.Close()
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("dashboard: Google's keys: %s", resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(&set); err != nil {
		return nil, fmt.Errorf("dashboard: Google's keys: %w", err)
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, k := range set.Keys {
		if key, err := k.publicKey(); err == nil && k.ID != "" {
			keys[k.ID] = key
		}
	}
	return keys, nil
}

// publicKey returns the key, which must be a point of the curve P-256.
func (k jwk) publicKey() (*ecdsa.PublicKey, error) {
	const size = 32
	x, errX := base64.RawURLEncoding.DecodeString(k.X)
	y, errY := base64.RawURLEncoding.DecodeString(k.Y)
	if errX != nil || errY != nil || k.Curve != "P-256" || len(x) != size || len(y) != size {
		return nil, errors.New("dashboard: a key of another kind")
	}
	const uncompressed = 4
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{uncompressed}, x...), y...))
}
