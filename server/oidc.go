package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/idtoken"
	"google.golang.org/api/option"

	"github.com/ai-worker/ai-worker/handlers"
)

// A TokenValidator checks a token's signature, its expiry and its audience. It
// is *idtoken.Validator, whose Validate checks nothing more: neither who issued
// the token nor for which account.
type TokenValidator interface {
	Validate(ctx context.Context, token, audience string) (*idtoken.Payload, error)
}

// OIDC tells Cloud Tasks' deliveries from other requests by the ID token that
// Google signs for the service account of the task.
type OIDC struct {
	config    OIDCConfig
	validator TokenValidator
	log       *slog.Logger
}

// OIDCConfig says which tokens are let in.
type OIDCConfig struct {
	Audience       string
	ServiceAccount string // email of the account that deliveries are made as

	// BehindCloudRun says that the service is private: Cloud Run itself asks
	// for a token, and lets nobody else in. It then takes the signature off the
	// token that it hands on, so that there is none to check:
	// https://cloud.google.com/run/docs/troubleshooting#signature-removed
	BehindCloudRun bool
}

// NewOIDC returns an OIDC that lets in tokens for the audience that belong to
// the service account. Neither may be empty: the validator does not check an
// empty audience.
func NewOIDC(v TokenValidator, c OIDCConfig, log *slog.Logger) (*OIDC, error) {
	if c.Audience == "" || c.ServiceAccount == "" {
		return nil, errors.New("server: OIDC needs an audience and a service account")
	}
	return &OIDC{config: c, validator: v, log: log}, nil
}

// keysTimeout bounds the fetching of the keys that tokens are signed with.
const keysTimeout = 10 * time.Second

// NewValidator returns a validator of tokens that Google signed. If jwksURL is
// set, it takes the keys from there instead: an emulator's.
func NewValidator(ctx context.Context, jwksURL string) (*idtoken.Validator, error) {
	client := &http.Client{Timeout: keysTimeout}
	if jwksURL != "" {
		u, err := url.Parse(jwksURL)
		if err != nil {
			return nil, fmt.Errorf("server: keys of an emulator: %w", err)
		}
		client.Transport = redirected{to: u}
	}
	return idtoken.NewValidator(ctx, option.WithHTTPClient(client))
}

// redirected sends every request to one URL. The validator's own URL cannot be
// changed.
type redirected struct{ to *url.URL }

func (t redirected) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL, r.Host = t.to, t.to.Host
	return http.DefaultTransport.RoundTrip(r)
}

// authenticate lets in deliveries only.
func (o *OIDC) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := o.verify(r); err != nil {
			o.log.WarnContext(r.Context(), "delivery refused", "path", r.URL.Path, "error", err)
			handlers.WriteProblem(w, http.StatusUnauthorized, "This address is for Cloud Tasks only.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// googleIssuers returns both forms that Google writes, see
// https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload.
func googleIssuers() []string {
	return []string{"https://accounts.google.com", "accounts.google.com"}
}

func (o *OIDC) verify(r *http.Request) error {
	p, err := o.payload(r)
	if err != nil {
		return err
	}
	email, _ := p.Claims["email"].(string)
	verified, _ := p.Claims["email_verified"].(bool)
	switch {
	case !slices.Contains(googleIssuers(), p.Issuer):
		return fmt.Errorf("token: issued by %q and not by Google", p.Issuer)
	case email != o.config.ServiceAccount:
		return fmt.Errorf("token: of %q and not of TASKS_SERVICE_ACCOUNT", email)
	case !verified:
		return errors.New("token: email_verified is not true")
	}
	return nil
}

const (
	// signatureRemoved is what Cloud Run writes in place of a signature that it
	// has checked.
	signatureRemoved = "SIGNATURE_REMOVED_BY_GOOGLE"
	// serverlessAuthorization is the header that Cloud Run looks at first. If
	// it is there, even empty, Cloud Run may hand Authorization on as it came,
	// unchecked.
	serverlessAuthorization = "X-Serverless-Authorization"
)

// payload returns what the request's token says. It fails if the token is not
// signed, not for the audience, or expired.
func (o *OIDC) payload(r *http.Request) (*idtoken.Payload, error) {
	token := bearer(r)
	if token == "" {
		return nil, errors.New("no bearer token, or more than one Authorization header")
	}
	_, checked := strings.CutSuffix(token, "."+signatureRemoved)
	switch {
	case !checked:
		p, err := o.validator.Validate(r.Context(), token, o.config.Audience)
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		return p, nil
	case !o.config.BehindCloudRun:
		return nil, errors.New("token: Cloud Run has taken its signature off, since the service is private: " +
			"set TASKS_SIGNATURE_CHECKED_BY=cloud-run")
	case len(r.Header.Values(serverlessAuthorization)) > 0:
		return nil, errors.New("token: Cloud Run has checked another one, and not this")
	}
	p, err := idtoken.ParsePayload(token)
	switch {
	case err != nil:
		return nil, fmt.Errorf("token: %w", err)
	case p.Audience != o.config.Audience:
		return nil, fmt.Errorf("token: for %q and not for TASKS_AUDIENCE", p.Audience)
	case time.Now().Unix() >= p.Expires:
		return nil, errors.New("token: expired")
	}
	return p, nil
}
