package handlers

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// JobList is a page of jobs.
type JobList struct {
	Jobs       []snapshot.JobResource `json:"jobs" doc:"The newest first. Their queue_position and estimated_start_at are null."`
	NextCursor *string                `json:"next_cursor" doc:"Send it as cursor for the next page; null on the last one. A page may have fewer jobs than its limit, even none, and still a next one."`
}

// RegisterList adds the operation that lists jobs to api.
func (h *Jobs) RegisterList(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "list-jobs", Method: method, Path: path,
		Summary:     "List jobs",
		Description: "The caller's jobs, the newest first.",
		Parameters:  []*huma.Param{metadataParameter()},
		Metadata: answersWith(map[int]answer{
			http.StatusOK:                  answerOf[JobList]("A page of jobs.", "Cache-Control"),
			http.StatusUnprocessableEntity: {},
		}),
	}, telling(h, h.list))
}

// metadataParameter describes the query parameters metadata.KEY. OpenAPI has no
// names with a placeholder in them, but an object whose members are parameters.
func metadataParameter() *huma.Param {
	explode, most := true, maxAsked
	return &huma.Param{
		Name: "metadata", In: "query", Style: "form", Explode: &explode,
		Description: "Each member is a query parameter metadata.KEY=VALUE. It finds jobs by a member of their metadata: " +
			"a string, number or boolean of the object itself.",
		Schema: &huma.Schema{
			Type: huma.TypeObject, MaxProperties: &most,
			AdditionalProperties: &huma.Schema{Type: huma.TypeString},
			Extensions:           map[string]any{"propertyNames": map[string]any{"pattern": `^metadata\.`}},
		},
	}
}

type listInput struct {
	Limit         int       `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Jobs on a page."`
	Cursor        string    `query:"cursor" maxLength:"200" doc:"next_cursor of the page before."`
	Status        []string  `query:"status" nullable:"false" maxItems:"6" enum:"queued,processing,succeeded,partial,failed,canceled" doc:"Jobs of any of these, separated by commas."`
	CreatedAfter  time.Time `query:"created_after" doc:"Jobs created at this time or later."`
	CreatedBefore time.Time `query:"created_before" doc:"Jobs created before this time."`
	Text          string    `query:"q" maxLength:"200" doc:"A part of the prompt, in any case. The first 4 KiB of a prompt are known."`

	metadata []record.Pair
	after    record.Cursor
}

// metadataPrefix begins the names of query parameters that ask for metadata.
const metadataPrefix = "metadata."

// maxAsked bounds how many members of metadata one request may ask for.
const maxAsked = 5

// Resolve reads the parameters whose names are not known beforehand, and checks
// what the schema cannot. It implements huma.Resolver.
func (in *listInput) Resolve(ctx huma.Context) []error {
	var faults []error
	fault := func(name, message string) {
		faults = append(faults, &huma.ErrorDetail{Location: "query." + clip(name), Message: message})
	}
	u := ctx.URL()
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		fault("", "the query is not encoded as application/x-www-form-urlencoded: "+err.Error())
	}
	for name, values := range query {
		key, asked := strings.CutPrefix(name, metadataPrefix)
		switch {
		case len(values) > 1:
			fault(name, "send it once")
		case !isQuery(name) || !isQuery(values[0]):
			fault(name, "send it as UTF-8 without NUL")
		case asked:
			in.metadata = append(in.metadata, record.Pair{Key: key, Value: values[0]})
		case !slices.Contains(listParameters, name):
			fault(name, "there is no such parameter; there are "+strings.Join(listParameters, ", ")+" and metadata.KEY")
		}
	}
	if len(in.metadata) > maxAsked {
		fault("metadata", fmt.Sprintf("ask for %d members at most", maxAsked))
	}
	slices.SortFunc(in.metadata, func(a, b record.Pair) int { return strings.Compare(a.Key, b.Key) })
	if in.after, err = decodeCursor(in.Cursor); err != nil {
		fault("cursor", "send next_cursor of the page before, as it is")
	}
	return faults
}

// isQuery reports whether a text may be looked for. No record keeps NUL.
func isQuery(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

var listParameters = []string{"limit", "cursor", "status", "created_after", "created_before", "q"}

// list serves GET /api/jobs.
func (h *Jobs) list(ctx context.Context, in *listInput) (*jobOutput, error) {
	q := record.Query{
		Tenant: tenant(ctx).Name, From: in.CreatedAfter, To: in.CreatedBefore, Text: in.Text,
		Metadata: in.metadata, After: in.after, Limit: in.Limit,
	}
	for _, s := range in.Status {
		q.Statuses = append(q.Statuses, job.Status(s))
	}
	slices.Sort(q.Statuses)
	q.Statuses = slices.Compact(q.Statuses)
	page, err := h.Record.List(ctx, q)
	if err != nil {
		return nil, err
	}
	body, err := h.renderPage(page)
	if err != nil {
		return nil, err
	}
	return &jobOutput{Status: http.StatusOK, ContentType: "application/json", CacheControl: "private, no-cache", Body: body}, nil
}

// renderPage returns a JobList as JSON.
func (h *Jobs) renderPage(page record.Page) ([]byte, error) {
	list := struct {
		Jobs       []json.RawMessage `json:"jobs"`
		NextCursor *string           `json:"next_cursor"`
	}{Jobs: make([]json.RawMessage, len(page.Jobs)), NextCursor: encodeCursor(page.Next)}
	for i, j := range page.Jobs {
		snap, err := h.Snapshots.Render(j)
		if err != nil {
			return nil, err
		}
		list.Jobs[i] = snap.JSON
	}
	return json.Marshal(list)
}

// A cursor is "microseconds.id" in base64, so that nobody comes to depend on
// what is in it.

func encodeCursor(c record.Cursor) *string {
	if c.IsZero() {
		return nil
	}
	text := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", c.CreatedAt.UnixMicro(), c.ID))
	return &text
}

// lastMicro is the end of the year 9999. Databases end later.
const lastMicro = 253_402_300_799_999_999

// decodeCursor returns the place that encodeCursor made a text of. An empty text is
// no place.
func decodeCursor(text string) (record.Cursor, error) {
	if text == "" {
		return record.Cursor{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return record.Cursor{}, err
	}
	at, id, _ := bytes.Cut(raw, []byte("."))
	micros, err := strconv.ParseInt(string(at), 10, 64)
	if err != nil {
		return record.Cursor{}, err
	}
	if micros < 0 || micros > lastMicro {
		return record.Cursor{}, fmt.Errorf("handlers: a cursor at %d", micros)
	}
	u, err := uuid.ParseBytes(id)
	return record.Cursor{CreatedAt: time.UnixMicro(micros).UTC(), ID: u.String()}, err
}
