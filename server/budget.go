package server

import (
	"fmt"
	"net/http"

	"golang.org/x/sync/semaphore"

	"github.com/ai-worker/ai-worker/handlers"
)

const (
	// bodyBudget bounds the bodies that a process holds at once, in bytes. A
	// body takes four times its size until it is read, decoded and checked, and
	// an instance of 1 GiB has to do.
	bodyBudget = 8 * handlers.MaxBody
	// bodyShare bounds those of one tenant, where there are several.
	bodyShare = 6 * handlers.MaxBody
	// retryAfter is after how many seconds a caller who is past it may try again.
	retryAfter = "5"
)

// limitMemory gives each POST the memory that its body says it needs, or the most
// that it may need, until it is answered. It refuses those that there is no
// memory for, and those that are too large, before it reads any of them. One of
// several tenants has a share of the memory.
func (k *Keys) limitMemory(next http.Handler) http.Handler {
	budget := semaphore.NewWeighted(bodyBudget)
	shares := k.shares()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := r.ContentLength
		switch {
		case r.Method != http.MethodPost:
			size = 0
		case size > handlers.MaxBody:
			handlers.WriteProblem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf(
				"A body may have %d bytes. Give large pictures as https URLs.", handlers.MaxBody))
			return
		case size < 0:
			size = handlers.MaxBody
		}
		for _, of := range []*semaphore.Weighted{shares[handlers.TenantName(r.Context())], budget} {
			switch {
			case of == nil:
			case !of.TryAcquire(size):
				w.Header().Set("Retry-After", retryAfter)
				handlers.WriteProblem(w, http.StatusServiceUnavailable,
					"The service reads as many bodies as it has memory for. Send the request again after "+retryAfter+" seconds.")
				return
			default:
				defer of.Release(size)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// shares returns the share of each tenant in the memory, none if there are not
// several tenants.
func (k *Keys) shares() map[string]*semaphore.Weighted {
	if !k.several() {
		return nil
	}
	shares := make(map[string]*semaphore.Weighted)
	for _, e := range k.entries {
		shares[e.tenant.Name] = semaphore.NewWeighted(bodyShare)
	}
	return shares
}
