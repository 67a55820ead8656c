package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A kind reads the text of a setting, which is not empty, into the place that
// it was made for. It tells bad what is wrong with the text. It never quotes
// the text, which may be a secret.
type kind func(text string, bad func(problem string))

// Bounds of what settings say.
const (
	maxPort        = 65535
	maxRPM         = 30_000 // a queue dispatches at most 500 a second
	maxConcurrency = 5000   // of one queue
	maxInstances   = 1000
	maxRetention   = 3650 // days

	leastWaiting = 16 // pictures: the largest job has so many, and would never have room
	mostWaiting  = 10_000_000
)

func text(to *string) kind {
	return func(text string, _ func(string)) { *to = text }
}

// integer reads a number within bounds. A bad number leaves the value as it
// was.
func integer(to *int, least, most int) kind {
	return func(text string, bad func(string)) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			bad(fmt.Sprintf("must be a whole number from %d to %d", least, most))
			return
		}
		*to = n
	}
}

func days(to *time.Duration, most int) kind {
	return func(text string, bad func(string)) {
		var n int
		integer(&n, 0, most)(text, bad)
		*to = time.Duration(n) * 24 * time.Hour
	}
}

// port reads the number of a port, or 0 for any.
func port(to *string) kind {
	return func(text string, bad func(string)) {
		var n int
		integer(&n, 0, maxPort)(text, bad)
		*to = text
	}
}

// oneOf reads one of the choices. Any other text leaves the value as it was.
func oneOf(to *string, choices ...string) kind {
	return func(text string, bad func(string)) {
		if !slices.Contains(choices, text) {
			bad("must be one of " + strings.Join(choices, ", "))
			return
		}
		*to = text
	}
}

func logLevel(to *slog.Level) kind {
	return func(text string, bad func(string)) {
		if err := to.UnmarshalText([]byte(text)); err != nil {
			bad("must be one of debug, info, warn, error")
		}
	}
}

// address reads a URL of one of the schemes. It removes slashes at the end.
func address(to *string, schemes ...string) kind {
	return func(text string, bad func(string)) {
		*to = strings.TrimRight(text, "/")
		u, err := url.Parse(*to)
		if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
			bad("must be a URL that starts with " + strings.Join(schemes, ":// or ") + "://")
		}
	}
}

// webAddress reads the URL of an HTTP server. It refuses one with a user or a
// password, since such URLs are shown in errors, logs and answers.
func webAddress(to *string) kind {
	read := address(to, "https", "http")
	return func(text string, bad func(string)) {
		u, err := url.Parse(text)
		if err == nil && (u.User != nil || u.Query().Has("password")) {
			bad("must be a URL without a user or a password in it")
			return
		}
		read(text, bad)
	}
}

// passwords returns the passwords in a URL.
func passwords(text string) []string {
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{password, u.Query().Get("password")}
}

// queueName is a queue's full name, see
// https://cloud.google.com/tasks/docs/reference/rpc/google.cloud.tasks.v2#queue.
var queueName = regexp.MustCompile(`^projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/queues/[A-Za-z0-9-]{1,100}$`)

func queue(to *string) kind {
	return func(text string, bad func(string)) {
		*to = text
		if !queueName.MatchString(text) {
			bad("is not a queue's full name: write projects/PROJECT/locations/REGION/queues/QUEUE")
		}
	}
}

// credentials reads ID:SECRET.
func credentials(id *string, secret *Secret) kind {
	return func(text string, bad func(string)) {
		before, after, _ := strings.Cut(text, ":")
		if before == "" || after == "" {
			bad("must be ACCESS_KEY_ID:SECRET_ACCESS_KEY of an R2 API token")
			return
		}
		*id, *secret = before, Secret(after)
	}
}

// listed returns what stands between commas or white space.
func listed(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// halves returns the text before the first colon and the text after it.
func halves(text string) []string { return strings.SplitN(text, ":", 2) }
