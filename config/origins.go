package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// origins reads a list of web origins, exactly as browsers write them.
func origins(to *[]string) kind {
	return func(text string, bad func(string)) {
		entries := strings.FieldsFunc(text, func(c rune) bool { return c == ',' })
		if len(entries) == 0 {
			bad("has no origin: write https://app.example.com")
		}
		for i, entry := range entries {
			entry = strings.TrimSpace(entry)
			if problem := originProblem(entry); problem != "" {
				bad(fmt.Sprintf("entry %d %s", i+1, problem))
				continue
			}
			if !slices.Contains(*to, entry) {
				*to = append(*to, entry)
			}
		}
	}
}

// originProblem says what keeps a text from being the origin of pages that may
// be let in, or nothing.
func originProblem(text string) string {
	if strings.Contains(text, "*") {
		return "has a * in it: any page of the web could then read a job whose token it came by. List each origin"
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return "is no origin: write https://app.example.com"
	case u.User != nil || text != u.Scheme+"://"+u.Host:
		return "must be a scheme, a host and perhaps a port, without anything after that, as browsers write it"
	case text != strings.ToLower(text) || u.Port() == defaultPort(u.Scheme) || strings.HasSuffix(u.Host, ":"):
		return "must be as browsers write it: in lower case, and without the port that goes without saying"
	case u.Scheme == "http" && !isLocal(u.Hostname()):
		return "must be https: whoever is on the way could change a page that came by http. Only this machine's own may be http"
	}
	return ""
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// isLocal reports whether a host name is always this machine's.
func isLocal(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}
