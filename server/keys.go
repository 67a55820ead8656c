package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/ai-worker/ai-worker/handlers"
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
	tenant handlers.Tenant
	hash   [sha256.Size]byte
}

// Add lets callers with the key in, as a tenant with a share of turns.
func (k *Keys) Add(tenant, key string, weight float64) {
	k.entries = append(k.entries, keyEntry{tenant: handlers.Tenant{Name: tenant, Weight: weight}, hash: sha256.Sum256([]byte(key))})
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

// authenticate lets in requests with a valid key, or every request if there are
// no keys.
func (k *Keys) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := handlers.Tenant{Name: openTenant, Weight: openWeight}
		if len(k.entries) > 0 {
			var ok bool
			if t, ok = k.tenant(bearer(r)); !ok {
				w.Header().Set("WWW-Authenticate", `Bearer realm="ai-worker"`)
				handlers.WriteProblem(w, http.StatusUnauthorized,
					"Send an API key of this service as Authorization: Bearer KEY, in one header.")
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(handlers.WithTenant(r.Context(), t)))
	})
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
