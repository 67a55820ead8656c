package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/snapshot"
)

// openTenant is the tenant of all jobs if no API key is asked for.
const openTenant = "default"

// openWeight is the share of turns of that tenant.
const openWeight = 1

// Keys are the API keys, each with its tenant.
type Keys struct {
	entries []keyEntry
}

type keyEntry struct {
	tenant  handlers.Tenant
	hash    [sha256.Size]byte
	browser browserKey
}

// Add lets callers with the key in, as a tenant with a share of turns. Browsers
// get in with tokens that were made with the key.
func (k *Keys) Add(tenant, key string, weight float64) {
	k.entries = append(k.entries, keyEntry{
		tenant: handlers.Tenant{Name: tenant, Weight: weight}, hash: sha256.Sum256([]byte(key)), browser: newBrowserKey(key),
	})
}

// Limit bounds what a tenant may ask for whose keys were added before.
func (k *Keys) Limit(tenant string, limits handlers.Limits) {
	for i := range k.entries {
		if k.entries[i].tenant.Name == tenant {
			k.entries[i].tenant.Limits = limits
		}
	}
}

// tenant returns the tenant that a key belongs to. It always compares all
// hashes, which have one length, so the time it takes tells nothing about the
// keys.
func (k *Keys) tenant(key string) (t handlers.Tenant, ok bool) {
	hash := sha256.Sum256([]byte(key))
	for _, e := range k.entries {
		if subtle.ConstantTimeCompare(hash[:], e.hash[:]) == 1 {
			t, ok = e.tenant, true
		}
	}
	return t, ok
}

// maxHeld bounds the requests of one tenant that wait for jobs or follow them in
// a process at once, where there are other tenants. It leaves these some of the
// 250 requests that Cloud Run sends an instance, and is above the 60 % of them
// from which on Cloud Run starts another one.
const maxHeld = 200

// several reports whether there are keys of more than one tenant.
func (k *Keys) several() bool {
	return slices.ContainsFunc(k.entries, func(e keyEntry) bool { return e.tenant.Name != k.entries[0].tenant.Name })
}

// authenticate lets in requests with a valid key, reading ones with a valid
// browser token, or every request if there are no keys.
func (k *Keys) authenticate(next http.Handler) http.Handler {
	several := k.several()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := handlers.Tenant{Name: openTenant, Weight: openWeight}
		if len(k.entries) > 0 {
			var fault *tokenFault
			if t, fault = k.caller(r); fault != nil {
				fault.answer(w)
				return
			}
		}
		if several {
			t.Limits.MaxHeld = maxHeld
		}
		if r.URL.Query().Has(tokenParameter) {
			w.Header().Set("Referrer-Policy", "no-referrer") // the address has the token in it
		}
		next.ServeHTTP(w, r.WithContext(handlers.WithTenant(r.Context(), t)))
	})
}

// caller returns the tenant whose API key or browser token a request has.
func (k *Keys) caller(r *http.Request) (handlers.Tenant, *tokenFault) {
	sent := bearer(r)
	if t, ok := k.tenant(sent); ok {
		return t, nil
	}
	if !isRead(r) {
		return handlers.Tenant{}, &tokenFault{detail: "Send an API key of this service as Authorization: Bearer KEY, in one header."}
	}
	inQuery := r.URL.Query()[tokenParameter]
	switch {
	case sent == "" && len(inQuery) == 1 && len(r.Header.Values("Authorization")) == 0:
		sent = inQuery[0]
	case len(inQuery) > 0:
		return handlers.Tenant{}, &tokenFault{detail: "Send one token: in one Authorization header, or once as ?token=."}
	case strings.Count(sent, ".") != 2: // not a token, so a key that is none
		return handlers.Tenant{}, &tokenFault{detail: "Send an API key or a browser token of this service " +
			"as Authorization: Bearer, in one header, or a browser token as ?token=."}
	}
	return k.reader(sent, chi.URLParam(r, "id"), time.Now())
}

// readPaths returns the patterns of the routes that a browser may use itself,
// with a browser token: they read one job.
func readPaths() []string {
	return []string{snapshot.Path("{id}"), snapshot.Path("{id}") + eventsPath}
}

// isRead reports whether a request reads one job.
func isRead(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && hasReadPath(r)
}

// hasReadPath reports whether a request's path is one of readPaths, whatever its
// method is.
func hasReadPath(r *http.Request) bool {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	pattern := chi.RouteContext(r.Context()).Routes.Find(chi.NewRouteContext(), http.MethodGet, path)
	return slices.Contains(readPaths(), pattern)
}

// bearer returns the token of a request's Authorization header (RFC 6750), or ""
// if there is none. Of several headers it believes none: what stands in front
// of the service may have checked another one than the service would read.
func bearer(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
