package dashboard

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// maxSearch bounds what the search box takes, in bytes.
const maxSearch = 1000

// A search is what the search box says.
type search struct {
	Text   string // as it was typed
	Query  record.SearchQuery
	Faults []string // what is wrong with tokens that are not searched by

	tokens []token
}

// A token is a part of a search: a key with a value, or a word of the prompt, which
// has no key.
type token struct{ key, value, raw string }

// parseSearch reads the text of the search box. A token that is wrong is left out,
// and said in Faults.
func parseSearch(text string, now time.Time) search {
	s := search{Text: strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), ""))}
	if len(s.Text) > maxSearch {
		s.Text = strings.ToValidUTF8(s.Text[:maxSearch], "")
		s.Faults = append(s.Faults, fmt.Sprintf("The search is too long: its first %s bytes are searched by.", number(maxSearch)))
	}
	var words []string
	seen := make(map[string]bool)
	for _, t := range tokensOf(s.Text) {
		if t.key == "" {
			words = append(words, t.value)
			s.tokens = append(s.tokens, t)
			continue
		}
		fault := s.take(t, now)
		if fault == "" && seen[t.key] && t.key != "status" {
			fault = "stands twice: the last one is searched by"
		}
		if fault != "" {
			s.Faults = append(s.Faults, t.raw+" "+fault+".")
			continue
		}
		seen[t.key] = true
		s.tokens = append(s.tokens, t)
	}
	if len(words) == 1 && uuid.Validate(words[0]) == nil && s.Query.ID == "" {
		s.Query.ID, words = words[0], nil
	}
	s.Query.Text = strings.Join(words, " ")
	if a, b := s.Query.After, s.Query.Before; !a.IsZero() && !b.IsZero() && !a.Before(b) {
		s.Faults = append(s.Faults, "Nothing is after "+moment{At: a, now: now}.Clock()+" and before "+moment{At: b, now: now}.Clock()+".")
	}
	return s
}

// keyed is the beginning of a token with a key.
var keyed = regexp.MustCompile(`^([A-Za-z_]+)(:|>=?)`)

// tokensOf splits a text at white space that is not within quotes.
func tokensOf(text string) []token {
	var all []token
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		var t token
		head := keyed.FindString(text)
		value, rest := cutValue(text[len(head):])
		t.raw = strings.TrimSpace(text[:len(text)-len(rest)])
		t.value, text = value, rest
		switch {
		case strings.HasSuffix(head, ":"):
			t.key = strings.ToLower(strings.TrimSuffix(head, ":"))
		case strings.EqualFold(head, "cost>"), strings.EqualFold(head, "cost>="):
			t.key = strings.ToLower(head)
		default: // a word that has > in it
			t.value = head + value
		}
		all = append(all, t)
	}
	return all
}

// cutValue returns the value that a text begins with, without its quotes, and what
// follows it. A quote that is not closed goes on to the end.
func cutValue(text string) (value, rest string) {
	if quoted, found := strings.CutPrefix(text, `"`); found {
		value, rest, _ = strings.Cut(quoted, `"`)
		return value, rest
	}
	if end := strings.IndexAny(text, " \t\r\n"); end >= 0 {
		return text[:end], text[end:]
	}
	return text, ""
}

// take adds a token to the query, or returns what is wrong with it.
func (s *search) take(t token, now time.Time) (fault string) {
	q := &s.Query
	if t.value == "" {
		return "has no value"
	}
	switch t.key {
	case "id":
		return takeID(q, t.value)
	case "tenant":
		q.Tenant = t.value
	case "status":
		return takeStatuses(q, t.value)
	case "code":
		q.Code = job.Code(t.value)
	case "lane":
		q.Lane = t.value
	case "model":
		q.Model = t.value
	case "after":
		return takeTime(&q.After, t.value, now)
	case "before":
		return takeTime(&q.Before, t.value, now)
	case "cost>", "cost>=":
		return takeCost(q, t)
	case "cost":
		return "is not understood: write cost>0.10, in US dollars"
	default:
		return `has no key that is known: to look for it in prompts, put it in quotes`
	}
	return ""
}

var idPart = regexp.MustCompile(`^[0-9a-fA-F-]{8,36}$`)

func takeID(q *record.SearchQuery, value string) string {
	digits := strings.ReplaceAll(value, "-", "")
	if !idPart.MatchString(value) || len(digits) < record.MinIDPart || len(digits) > 32 {
		return fmt.Sprintf("is no id: write the whole id, or its first %d digits or more", record.MinIDPart)
	}
	q.ID = strings.ToLower(value)
	return ""
}

// statuses returns those of jobs, in the order of their lives.
func statuses() []job.Status {
	return []job.Status{
		job.StatusQueued, job.StatusProcessing, job.StatusSucceeded, job.StatusPartial, job.StatusFailed, job.StatusCanceled,
	}
}

func takeStatuses(q *record.SearchQuery, value string) string {
	var found []job.Status
	for name := range strings.SplitSeq(strings.ToLower(value), ",") {
		if !slices.Contains(statuses(), job.Status(name)) {
			return "is no state: write queued, processing, succeeded, partial, failed or canceled, or several with commas"
		}
		if status := job.Status(name); !slices.Contains(q.Statuses, status) {
			found = append(found, status)
		}
	}
	q.Statuses = append(q.Statuses, found...)
	return ""
}

func takeTime(to *time.Time, value string, now time.Time) string {
	t, ok := parseTime(value, now.UTC())
	if !ok {
		return "is no time: write 2026-11-26, 2026-11-26T10:00 or 26T10:00 (UTC), or how long ago, as 30m, 2h, 7d or 4w"
	}
	*to = t
	return ""
}

func takeCost(q *record.SearchQuery, t token) string {
	const most = 1_000_000 // US dollars
	usd, err := strconv.ParseFloat(strings.TrimPrefix(t.value, "$"), 64)
	if err != nil || !(usd >= 0 && usd <= most) {
		return "is no cost: write US dollars, as cost>0.10"
	}
	q.MinCostMicros = int64(math.Round(usd * 1e6))
	if t.key == "cost>" {
		q.MinCostMicros++
	}
	return ""
}

var (
	longAgo    = regexp.MustCompile(`^(\d{1,4})([mhdw])$`)
	dayOfMonth = regexp.MustCompile(`^(\d{1,2})T(\d{2}:\d{2})$`)
)

// parseTime reads a time in UTC, or how long before now it was.
func parseTime(text string, now time.Time) (time.Time, bool) {
	if parts := longAgo.FindStringSubmatch(text); parts != nil {
		n, _ := strconv.Atoi(parts[1]) // it has digits only
		unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[parts[2]]
		return now.Add(-time.Duration(n) * unit), true
	}
	if parts := dayOfMonth.FindStringSubmatch(text); parts != nil {
		return latestDay(parts[1], parts[2], now)
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// latestDay returns the latest time that is on a day of a month, and not after now.
func latestDay(day, clock string, now time.Time) (time.Time, bool) {
	const months = 8 // no day is missing in more of them in a row
	for n := range months {
		month := time.Date(now.Year(), now.Month()-time.Month(n), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
		t, err := time.Parse("2006-01-2 15:04", month+"-"+day+" "+clock)
		if err == nil && !t.After(now) {
			return t, true
		}
	}
	return time.Time{}, false
}

// with returns the search's text with a token in place of all of its key, or
// without them if the value is empty.
func (s *search) with(key, value string) string {
	var parts []string
	for _, t := range s.tokens {
		if t.key != key {
			parts = append(parts, t.raw)
		}
	}
	if value != "" {
		parts = append(parts, key+":"+quoted(value))
	}
	return strings.Join(parts, " ")
}

// quoted returns a value as the search box takes it. One with a quote in it cannot
// be written.
func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \t\r\n") {
		return `"` + value + `"`
	}
	return value
}

// shortened returns the first n characters of a text, with an ellipsis if there are more.
func shortened(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n]) + "…"
}
