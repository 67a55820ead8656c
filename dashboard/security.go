package dashboard

import "net/http"

// policy returns what lets pages load what this dashboard serves, and images from
// where the pictures are too, and run or write nothing that stands in a page itself.
// So a text of a caller's that stands in a page can do nothing.
func policy(pictures Pictures) string {
	images := "'self'"
	if pictures.Origin != "" {
		images += " " + pictures.Origin
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src " + images + "; connect-src 'self'; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// secure sets the headers that every answer has.
func secure(h http.Header, policy string) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
