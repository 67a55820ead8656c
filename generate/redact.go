package generate

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxErrorText bounds how much of the provider's words an error repeats, in
// bytes. It is enough for the longest sentence and too little for a body.
const maxErrorText = 400

const redacted = "[redacted]"

// cutMark is the end of a text that was longer.
const cutMark = "…"

var (
	// googleKeys matches both forms of Google's API keys.
	googleKeys = regexp.MustCompile(`AIza[0-9A-Za-z_\-]+|AQ\.[0-9A-Za-z_\-.]+`)
	// urlQueries matches the query of any URL: a presigned one carries its
	// signature there.
	urlQueries = regexp.MustCompile(`(https?://[^\s"'<>?]+)\?[^\s"'<>]+`)
)

// A redactor takes secrets out of text that goes to a log.
type redactor struct {
	key string // the lane's own API key, whatever its form
}

// text returns s without secrets, in one line and cut at maxErrorText.
func (r redactor) text(s string) string {
	if r.key != "" {
		s = strings.ReplaceAll(s, r.key, redacted)
		s = strings.ReplaceAll(s, url.QueryEscape(r.key), redacted)
	}
	s = googleKeys.ReplaceAllString(s, redacted)
	s = urlQueries.ReplaceAllString(s, "$1?"+redacted)
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "�")), " ")
	return cut(s, maxErrorText)
}

// cut returns at most the first n bytes of s, and never splits a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + cutMark
}

// error returns an error with the redacted text that errors.Is matches like
// err.
func (r redactor) error(text string, err error) error {
	return &redactedError{text: r.text(text), err: err}
}

// A redactedError can be compared with sentinel errors, but does not give out
// the error under it, because the text of that error may hold a key.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string        { return e.text }
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }
