package handlers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// held counts the requests of each tenant that are held open: those that wait for
// a job, and those that follow one.
type held struct {
	mu sync.Mutex
	n  map[string]int // by tenant
}

// take holds one more request of a tenant, until release is called. It reports
// false, and holds none, if as many are held as may be.
func (h *held) take(t Tenant) (release func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.Limits.MaxHeld > 0 && h.n[t.Name] >= t.Limits.MaxHeld {
		return nil, false
	}
	if h.n == nil {
		h.n = make(map[string]int)
	}
	h.n[t.Name]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.n[t.Name]--
	}, true
}

// retryAfterHeld is after how many seconds a caller may try again who has as many
// requests held open as may be. Another instance may take it by then.
const retryAfterHeld = "10"

// tooManyHeld returns what that caller is told.
func tooManyHeld() error {
	return huma.ErrorWithHeaders(
		huma.Error429TooManyRequests("As many requests of this API key wait for a job, or follow one, as an instance holds open for one key. "+
			"Connect again after "+retryAfterHeld+" seconds, or ask for the job without Prefer."),
		http.Header{"Retry-After": {retryAfterHeld}})
}

// beginWait returns how long a request waits by its Prefer header, and the
// answer's Preference-Applied. It does not wait if as many requests are held as
// may be: a preference may be ignored (RFC 7240, section 2). release must be called
// after the wait.
func (h *Jobs) beginWait(ctx context.Context, prefer string) (wait time.Duration, applied string, release func()) {
	wait, applied = parseWait(prefer)
	if wait == 0 {
		return 0, applied, func() {}
	}
	release, ok := h.held.take(tenant(ctx))
	if !ok {
		return 0, "", func() {}
	}
	return wait, applied, release
}
