package doctor

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const redacted = "[redacted]"

// shortSecret is in bytes. A shorter secret may be a word that also means
// something else, so it is not replaced here. The clients' own errors leave it
// out.
const shortSecret = 8

var (
	// userinfo matches the user and the password of any URL.
	userinfo = regexp.MustCompile(`://[^\s/@"'<>]+@`)
	// queries matches the query of any URL: a presigned URL has its signature
	// there.
	queries = regexp.MustCompile(`(https?://[^\s"'<>?]+)\?[^\s"'<>]+`)
	// googleKeys matches both forms of Google's API keys, and its access
	// tokens.
	googleKeys = regexp.MustCompile(`AIza[0-9A-Za-z_\-]+|AQ\.[0-9A-Za-z_\-.]+|ya29\.[0-9A-Za-z_\-.]+`)
)

// A redactor removes secrets from what is shown. The packages that the text
// comes from do that themselves; the redactor is for secrets that they miss.
type redactor struct{ secrets *strings.Replacer }

func newRedactor(secrets []string) redactor {
	var forms []string
	for _, s := range secrets {
		if len(s) >= shortSecret {
			forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s))
		}
	}
	// The longest first: if one secret begins another, the rest of the longer
	// one would be left over.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, redacted)
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func (r redactor) text(s string) string {
	s = r.secrets.Replace(s)
	s = googleKeys.ReplaceAllString(s, redacted)
	s = userinfo.ReplaceAllString(s, "://"+redacted+"@")
	return queries.ReplaceAllString(s, "$1?"+redacted)
}

// finding returns f without secrets, and with its message in one line.
func (r redactor) finding(f Finding) Finding {
	f.Subject, f.Fix = r.text(f.Subject), r.text(f.Fix)
	f.Message = strings.Join(strings.Fields(r.text(f.Message)), " ")
	return f
}
