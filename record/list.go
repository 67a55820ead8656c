package record

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ai-worker/ai-worker/job"
)

// A Query says which jobs List returns.
type Query struct {
	Tenant   string
	Statuses []job.Status // any of these; all if there are none
	From, To time.Time    // recorded at From or later, and before To; zero is no bound
	Text     string       // a part of the prompt, in any case; see SearchText
	Metadata []Pair       // all of these; see Pairs
	After    Cursor       // the end of the page before; zero for the first page
	Limit    int          // jobs on a page; above 0
}

// A Cursor is a place in the order of List.
type Cursor struct {
	CreatedAt time.Time
	ID        string
}

// IsZero reports whether the cursor is no place.
func (c Cursor) IsZero() bool { return c.ID == "" }

// A Page is what List returns at once.
type Page struct {
	Jobs []job.Job // the newest first
	Next Cursor    // where the next page begins; zero if there is none
}

// CursorOf returns the place of a job.
func CursorOf(j job.Job) Cursor { return Cursor{CreatedAt: j.CreatedAt, ID: j.ID} }

// MaxSent is from how many bytes on that callers sent a page of List takes no
// more jobs: prompts, metadata and URLs. A hundred of the largest jobs would have
// ten times as many, and JSON writes a character in up to six bytes.
const MaxSent = 512 << 10

// Room is what is left of a page. The zero Room is that of an empty page.
type Room struct {
	sent int
	full bool
}

// Take reports whether there is room for one more job, which it then takes.
// There always is for the first.
func (r *Room) Take(j job.Job) bool {
	if r.sent >= MaxSent {
		r.full = true
		return false
	}
	r.sent += len(j.Input.Prompt) + len(j.Metadata)
	for _, img := range j.Input.InputImages {
		r.sent += len(img.URL)
	}
	if j.Input.Webhook != nil {
		r.sent += len(j.Input.Webhook.URL)
	}
	return true
}

// Full reports whether there was no room for a job. The next page begins with it.
func (r *Room) Full() bool { return r.full }

// MaxLooked is how many jobs List looks at for one page, at most, if no index
// has what the query asks for.
const MaxLooked = 1000

// Sifts reports whether List has to look at jobs that the query may not want:
// no index has a prompt's text, several pairs, or a pair and a status.
func (q Query) Sifts() bool {
	return q.Text != "" || len(q.Metadata) > 1 || len(q.Metadata) == 1 && len(q.Statuses) > 0
}

// Look returns how many jobs List looks at for one page. It is one more than a
// page has, to know whether there is a next one.
func (q Query) Look() int {
	if q.Sifts() {
		return max(MaxLooked, q.Limit+1)
	}
	return q.Limit + 1
}

// A Looked is a job that List looked at.
type Looked struct {
	Cursor Cursor
	Wanted bool // the query asks for it
}

// Page returns the places of the jobs that make up a page, and where the next
// page begins. looked is the q.Look() newest jobs that an index leads to, or
// all that there are.
func (q Query) Page(looked []Looked) (page []Cursor, next Cursor) {
	for n, l := range looked {
		if len(page) == q.Limit {
			return page, looked[n-1].Cursor
		}
		if l.Wanted {
			page = append(page, l.Cursor)
		}
	}
	if len(looked) == q.Look() {
		next = looked[len(looked)-1].Cursor
	}
	return page, next
}

// Folded returns the query's text in the form of SearchText.
func (q Query) Folded() string { return fold(q.Text) }

// The pairs that a record finds jobs by.
const (
	// MaxPairs is how many pairs of a job's metadata List knows.
	MaxPairs = 20
	// MaxPairKey and MaxPairValue are how long they may be, in bytes.
	MaxPairKey   = 64
	MaxPairValue = 256
)

// A Pair is a member of a job's metadata.
type Pair struct{ Key, Value string }

// Pairs returns the members of a job's metadata that List knows, in their
// order: those of the object itself that are strings, numbers or booleans, and
// not too long. A number is as it was written. Of members with one name the
// last one counts. Metadata that is no object has none.
func Pairs(metadata json.RawMessage) []Pair {
	var pairs []Pair
	place := make(map[string]int)
	dec := json.NewDecoder(bytes.NewReader(metadata))
	dec.UseNumber()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil
		}
		var value any
		if dec.Decode(&value) != nil {
			return nil
		}
		p, ok := newPair(key.(string), value)
		switch i, again := place[p.Key]; {
		case again && ok:
			pairs[i] = p
		case again:
			pairs[i] = Pair{}
		case ok:
			place[p.Key] = len(pairs)
			pairs = append(pairs, p)
		}
	}
	return bounded(pairs)
}

// newPair returns a member of metadata as a pair, if List knows such members.
// The pair has its key in any case.
func newPair(key string, value any) (p Pair, ok bool) {
	p.Key = key
	switch v := value.(type) {
	case string:
		p.Value = v
	case json.Number:
		p.Value = v.String()
	case bool:
		p.Value = "false"
		if v {
			p.Value = "true"
		}
	default:
		return p, false
	}
	return p, len(key) <= MaxPairKey && len(p.Value) <= MaxPairValue && storable(key) && storable(p.Value)
}

// bounded returns the first pairs that are pairs.
func bounded(pairs []Pair) []Pair {
	var kept []Pair
	for _, p := range pairs {
		if p != (Pair{}) && len(kept) < MaxPairs {
			kept = append(kept, p)
		}
	}
	return kept
}

// storable reports whether a database can keep a text as it is: Postgres keeps
// no NUL, and UTF-8 only.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// MaxSearchText is how much of a prompt List knows, in bytes.
const MaxSearchText = 4 << 10

// SearchText returns the part of a prompt that List finds a job by, in lower
// case: its first MaxSearchText bytes.
func SearchText(prompt string) string {
	text := fold(prompt)
	if len(text) > MaxSearchText {
		text = strings.ToValidUTF8(text[:MaxSearchText], "") // it may end within a character
	}
	return text
}

// fold returns a text in lower case and without what Postgres cannot keep.
func fold(s string) string {
	return strings.ReplaceAll(strings.ToLower(strings.ToValidUTF8(s, "")), "\x00", "")
}
