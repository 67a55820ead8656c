package doctor

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const redacted = "[redacted]"

// shortSecret is in bytes: a secret below that is a word that also means
// something else. The clients' own errors leave it out.
const shortSecret = 8

var (
	// userinfo is the user and the password of any URL.
	userinfo = regexp.MustCompile(`://[^\s/@"'<>]+@`)
	// queries are those of any URL: a presigned one carries its signature there.
	queries = regexp.MustCompile(`(https?://[^\s"'<>?]+)\?[^\s"'<>]+`)
	// googleKeys are both forms of Google's API keys, and its access tokens.
	googleKeys = regexp.MustCompile(`AIza[0-9A-Za-z_\-]+|AQ\.[0-9A-Za-z_\-.]+|ya29\.[0-9A-Za-z_\-.]+`)
)

// A redactor takes secrets out of what is shown. The packages that the text
// comes from do that themselves; this is for what they might miss.
type redactor struct{ secrets *strings.Replacer }

func newRedactor(secrets []string) redactor {
	var forms []string
	for _, s := range secrets {
		if len(s) >= shortSecret {
			forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s))
		}
	}
	// The longest first, or the rest of one would be left over.
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
