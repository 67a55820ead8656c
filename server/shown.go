package server

import "strings"

// maxShown bounds what is logged or repeated of a text that anybody may send, in
// bytes. It is above the length of any path or task of the service's own.
const maxShown = 500

// shown returns a text, cut if it is too long to be logged or repeated.
func shown(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "…"
}
