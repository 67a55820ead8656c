package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Fault is what is wrong with one setting. It never quotes the value, which
// may be a secret.
type Fault struct {
	Setting string
	Problem string
}

// Faults are all that is wrong with the settings, by name.
type Faults []Fault

// Error lists the faults, one a line.
func (f Faults) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d bad settings:", len(f))
	if len(f) == 1 {
		b.Reset()
		b.WriteString("1 bad setting:")
	}
	for _, fault := range f {
		fmt.Fprintf(&b, "\n  %s %s", fault.Setting, fault.Problem)
	}
	return b.String()
}

// reader reads settings and collects what is wrong with them.
type reader struct {
	getenv func(string) string
	embeds bool // there is a substitute for every service
	faults Faults
}

func (r *reader) fault(setting, problem string) {
	r.faults = append(r.faults, Fault{Setting: setting, Problem: problem})
}

// err is all faults in the order of their names, or nil.
func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	slices.SortFunc(r.faults, func(a, b Fault) int { return strings.Compare(a.Setting, b.Setting) })
	return r.faults
}

// text is a setting without the white space around it, which is never meant
// and comes with secrets that were pasted or read from a file.
func (r *reader) text(name string) string { return strings.TrimSpace(r.getenv(name)) }

func (r *reader) textOr(name, fallback string) string {
	if value := r.text(name); value != "" {
		return value
	}
	return fallback
}

func (r *reader) integer(name string, fallback, least, most int) int {
	value := r.text(name)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		r.fault(name, fmt.Sprintf("must be a whole number from %d to %d", least, most))
		return fallback
	}
	return n
}

// oneOf is one of the choices, the first if the setting is absent.
func (r *reader) oneOf(name string, choices ...string) string {
	value := r.textOr(name, choices[0])
	if !slices.Contains(choices, value) {
		r.fault(name, "must be one of "+strings.Join(choices, ", "))
		return choices[0]
	}
	return value
}

func (r *reader) logLevel(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.textOr(name, "info"))); err != nil {
		r.fault(name, "must be one of debug, info, warn, error")
	}
	return level
}

// address is a URL of one of the schemes, without a slash at its end.
func (r *reader) address(name string, schemes ...string) string {
	value := strings.TrimRight(r.text(name), "/")
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		r.fault(name, "must be a URL that starts with "+strings.Join(schemes, ":// or ")+"://")
	}
	return value
}

func (r *reader) addressOr(name, fallback string) string {
	if value := r.address(name, "https", "http"); value != "" {
		return value
	}
	return fallback
}

// minAPIKeyLength keeps keys from being guessed; `openssl rand -hex 24` makes
// a longer one.
const minAPIKeyLength = 16

var tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// Weights further apart would keep a tenant from ever having a turn.
const minWeight, maxWeight = 0.01, 100.0

// apiKeys reads name:key:weight,name:key; the weight is 1 unless given.
func (r *reader) apiKeys(name string) []APIKey {
	var keys []APIKey
	seen := make(map[string]bool)
	for i, entry := range strings.FieldsFunc(r.text(name), func(c rune) bool { return c == ',' }) {
		tenant, key, found := strings.Cut(strings.TrimSpace(entry), ":")
		key, weightText, weighted := strings.Cut(key, ":")
		tenant, key = strings.TrimSpace(tenant), strings.TrimSpace(key)
		weight, err := 1.0, error(nil)
		if weighted {
			weight, err = strconv.ParseFloat(strings.TrimSpace(weightText), 64)
		}
		switch {
		case !found || !tenantName.MatchString(tenant):
			r.fault(name, fmt.Sprintf("entry %d must be name:key or name:key:weight, "+
				"the name of letters, digits, - and _", i+1))
		case err != nil || !(weight >= minWeight && weight <= maxWeight):
			r.fault(name, fmt.Sprintf("entry %d (%s): the weight must be a number from %v to %v", i+1, tenant, minWeight, maxWeight))
		case len(key) < minAPIKeyLength:
			r.fault(name, fmt.Sprintf("entry %d (%s): the key must have at least %d characters; "+
				"`openssl rand -hex 24` makes one", i+1, tenant, minAPIKeyLength))
		case seen[key]:
			r.fault(name, fmt.Sprintf("entry %d (%s): the key is another entry's too", i+1, tenant))
		}
		seen[key] = true
		keys = append(keys, APIKey{Tenant: tenant, Key: Secret(key), Weight: weight})
	}
	return keys
}
