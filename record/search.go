package record

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ai-worker/ai-worker/job"
)

// Look returns how many jobs Search looks at for one page, at most.
func (q SearchQuery) Look() int {
	if q.MinCostMicros > 0 || q.Lane != "" || q.Model != "" {
		return MaxSearchedInto
	}
	return MaxSearched // with Code too: only images of jobs that failed or are open are looked at
}

// Folded returns the query's text in the form of SearchText.
func (q SearchQuery) Folded() string { return fold(q.Text) }

// Search returns the query for the jobs whose pictures q asks for.
func (q PictureQuery) Search() SearchQuery {
	return SearchQuery{Tenant: q.Tenant, Model: q.Model, Cursor: q.Cursor, Limit: q.Limit}
}

// An IDRange is the ids from From to To, and before Before.
type IDRange struct{ From, To, Before string }

// IDs returns the ids that q goes by. It returns false if no job can match: if a
// part of an id or a cursor is none, or a text is one that no record keeps.
func (q SearchQuery) IDs() (r IDRange, ok bool) {
	part := digitsOf(q.ID)
	if part != "" && len(part) < MinIDPart {
		return r, false
	}
	from, to := padded(part, "0"), padded(part, "f")
	if !q.After.IsZero() {
		from = max(from, firstID(q.After))
	}
	before := padded("", "f")
	if !q.Before.IsZero() {
		before = firstID(q.Before)
	}
	if cursor := digitsOf(q.Cursor); cursor != "" {
		if len(cursor) != hexDigits {
			return r, false
		}
		before = min(before, cursor)
	}
	for _, id := range []string{from, to, before} {
		if _, err := hex.DecodeString(id); err != nil || len(id) != hexDigits {
			return r, false
		}
	}
	ok = storable(q.Tenant) && storable(string(q.Code)) && storable(q.Lane) && storable(q.Model)
	return IDRange{From: hyphened(from), To: hyphened(to), Before: hyphened(before)}, ok
}

// hexDigits is how many an id has.
const hexDigits = 32

// digitsOf returns the hex digits of an id or of a part of one.
func digitsOf(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }

// padded returns the beginning of an id, made as long as one.
func padded(part, digit string) string {
	return part + strings.Repeat(digit, max(0, hexDigits-len(part)))
}

// firstID returns the hex digits of the first id of a time: a UUIDv7 begins with
// 48 bits of milliseconds.
func firstID(t time.Time) string {
	const most = 1<<48 - 1
	return padded(fmt.Sprintf("%012x", min(max(0, t.UnixMilli()), most)), "0")
}

func hyphened(id string) string {
	return strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")
}

// NewBoardJob returns a job as a line of a list.
func NewBoardJob(j job.Job) BoardJob {
	b := BoardJob{
		ID: j.ID, Tenant: j.Tenant, Status: j.Status, Progress: j.Progress(), Prompt: cut(j.Input.Prompt, MaxBoardPrompt),
		Model: j.Input.Model, CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, CompletedAt: j.CompletedAt, CostMicros: j.CostMicros(),
	}
	for _, img := range j.Images {
		if b.Error == nil {
			b.Error = img.Error
		}
	}
	return b
}

// NewPictureJob returns a job with its stored pictures.
func NewPictureJob(j job.Job) PictureJob {
	p := PictureJob{
		ID: j.ID, Tenant: j.Tenant, Status: j.Status, Prompt: cut(j.Input.Prompt, MaxBoardPrompt), Model: j.Input.Model,
		CreatedAt: j.CreatedAt,
	}
	for _, img := range j.Images {
		if img.Status == job.StatusSucceeded {
			p.Pictures = append(p.Pictures, StoredPicture{
				Index: img.Index, Object: img.Object, CostMicros: img.CostMicros, Seed: j.Input.SeedOf(img.Index), CompletedAt: img.CompletedAt,
			})
		}
	}
	return p
}

// cut returns the first bytes of a text, n at most, and no part of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
