package s3

import (
	"net/http"
	"strings"
)

// cacheControlCarrier brings Cache-Control through gofakes3, which keeps the
// X-Amz headers of a PUT and a few others, but drops this one.
const cacheControlCarrier = "X-Amz-Local-Cache-Control"

func withCacheControl(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if value := r.Header.Get("Cache-Control"); value != "" {
			r.Header.Set(cacheControlCarrier, value)
		}
		next.ServeHTTP(w, r)
	})
}

// kept picks what S3 keeps with an object out of what gofakes3 offers: that
// also has every X-Amz header of the request itself, and would send them all
// back to whoever reads the object.
func kept(offered map[string]string) map[string]string {
	meta := map[string]string{}
	for name, value := range offered {
		switch {
		case name == cacheControlCarrier:
			meta["Cache-Control"] = value
		case strings.HasPrefix(name, "X-Amz-Meta-"), !strings.HasPrefix(name, "X-Amz-"):
			meta[name] = value
		}
	}
	return meta
}

// withCORS lets a page of any origin read, as a public bucket's CORS policy
// does: the app under development has another port, hence another origin.
func withCORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "*")
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
	})
}
