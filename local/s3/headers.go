package s3

import (
	"net/http"
	"strings"
)

// cacheControlCarrier carries Cache-Control through gofakes3, which keeps the
// X-Amz headers of a PUT and a few others, but drops Cache-Control.
const cacheControlCarrier = "X-Amz-Local-Cache-Control"

func withCacheControl(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if value := r.Header.Get("Cache-Control"); value != "" {
			r.Header.Set(cacheControlCarrier, value)
		}
		next.ServeHTTP(w, r)
	})
}

// kept returns the metadata that S3 keeps with an object, out of what gofakes3
// offers. That also has every X-Amz header of the request itself, which would
// come back to everyone who reads the object.
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

// withCORS lets a page of any origin read, and put what it has a signed URL for,
// as a bucket's CORS policy does. An app under development has another port and
// so another origin.
func withCORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "*")
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT")
		h.Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
	})
}
