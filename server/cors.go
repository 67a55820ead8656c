package server

import (
	"net/http"
	"slices"
)

const (
	// What a page of another origin may send and see, besides what any may:
	// https://fetch.spec.whatwg.org/#http-cors-protocol.
	corsRequestHeaders  = "Authorization, If-None-Match, Last-Event-ID, Prefer"
	corsResponseHeaders = "ETag, Preference-Applied, Retry-After, WWW-Authenticate"
	// corsMaxAge is for how many seconds a browser need not ask again: the
	// longest that Chrome takes.
	corsMaxAge = "7200"
)

// allowOrigins lets pages of the origins read jobs. It answers what their browsers
// ask before that. Cookies are never asked for, and nothing that writes is
// allowed. Without origins it adds no header to any answer.
func allowOrigins(origins []string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if len(origins) == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !hasReadPath(r) {
				next.ServeHTTP(w, r)
				return
			}
			header := w.Header()
			header.Add("Vary", "Origin")
			origin := r.Header.Get("Origin")
			if !slices.Contains(origins, origin) {
				next.ServeHTTP(w, r)
				return
			}
			header.Set("Access-Control-Allow-Origin", origin)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				header.Set("Access-Control-Allow-Methods", "GET, HEAD")
				header.Set("Access-Control-Allow-Headers", corsRequestHeaders)
				header.Set("Access-Control-Max-Age", corsMaxAge)
				w.WriteHeader(http.StatusNoContent)
				return
			}
			header.Set("Access-Control-Expose-Headers", corsResponseHeaders)
			next.ServeHTTP(w, r)
		})
	}
}
