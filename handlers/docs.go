package handlers

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html docs.css
var docsFiles embed.FS

// docsPolicy lets a page load the style sheet beside it and nothing else, and run
// no script.
const docsPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Docs serves GET /docs: the description of the API as a page, which needs no
// script and loads nothing from elsewhere. It shows what OpenAPI serves. The
// operations of api must be registered: the page is written once.
func Docs(api huma.API) http.HandlerFunc {
	page, err := renderDocs(api)
	return func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			WriteProblem(w, http.StatusInternalServerError, "The page cannot be written.")
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", docsPolicy)
		_, _ = w.Write(page)
	}
}

// DocsStyle serves GET /docs/style.css.
func DocsStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	http.ServeFileFS(w, r, docsFiles, "docs.css")
}

func renderDocs(api huma.API) ([]byte, error) {
	raw, err := api.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("handlers: write the description: %w", err)
	}
	var doc docsDocument
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("handlers: read the description: %w", err)
	}
	t, err := template.ParseFS(docsFiles, "docs.html")
	if err != nil {
		return nil, fmt.Errorf("handlers: page of the API: %w", err)
	}
	var page bytes.Buffer
	err = t.Execute(&page, doc)
	return page.Bytes(), err
}

// A docsDocument is the part of an OpenAPI document that the page shows.
type docsDocument struct {
	Info       docsInfo                            `json:"info"`
	Paths      map[string]map[string]docsOperation `json:"paths"` // by path and method
	Components docsComponents                      `json:"components"`
}

type docsInfo struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

//nolint:tagliatelle // OpenAPI names the fields
type docsComponents struct {
	Schemas         map[string]docsSchema `json:"schemas"`
	SecuritySchemes map[string]docsScheme `json:"securitySchemes"`
}

// A docsScheme is a way to prove who sends a request.
type docsScheme struct {
	Description string `json:"description"`
	Scheme      string `json:"scheme"` // of the header Authorization, if it is one of those
	In          string `json:"in"`     // another place, and what it is called there
	Name        string `json:"name"`
}

//nolint:tagliatelle // OpenAPI names the fields
type docsOperation struct {
	OperationID string                  `json:"operationId"`
	Summary     string                  `json:"summary"`
	Description string                  `json:"description"`
	Parameters  []docsParameter         `json:"parameters"`
	RequestBody docsBody                `json:"requestBody"`
	Responses   map[string]docsResponse `json:"responses"`
	Security    []map[string][]string   `json:"security"` // those of the document if empty

	Method string `json:"-"` // set by Operations, as is Path
	Path   string `json:"-"`
}

type docsParameter struct {
	Name        string     `json:"name"`
	In          string     `json:"in"`
	Description string     `json:"description"`
	Required    bool       `json:"required"`
	Schema      docsSchema `json:"schema"`
}

type docsBody struct {
	Content map[string]docsContent `json:"content"`
}

type docsResponse struct {
	Description string                 `json:"description"`
	Headers     map[string]docsHeader  `json:"headers"`
	Content     map[string]docsContent `json:"content"`
}

type docsHeader struct {
	Description string `json:"description"`
}

type docsContent struct {
	Schema docsSchema `json:"schema"`
}

//nolint:tagliatelle // as above
type docsSchema struct {
	Ref         string                `json:"$ref"`
	Type        any                   `json:"type"` // a name, or a list of names
	Format      string                `json:"format"`
	Description string                `json:"description"`
	Enum        []any                 `json:"enum"`
	Default     any                   `json:"default"`
	Minimum     *float64              `json:"minimum"`
	Maximum     *float64              `json:"maximum"`
	MinLength   *int                  `json:"minLength"`
	MaxLength   *int                  `json:"maxLength"`
	MaxItems    *int                  `json:"maxItems"`
	Items       *docsSchema           `json:"items"`
	AnyOf       []docsSchema          `json:"anyOf"`
	OneOf       []docsSchema          `json:"oneOf"`
	Required    []string              `json:"required"`
	Properties  map[string]docsSchema `json:"properties"`
}

// Operations returns the operations in the order of their paths and methods.
func (d docsDocument) Operations() []docsOperation {
	var all []docsOperation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			op := d.Paths[path][method]
			op.Method, op.Path = strings.ToUpper(method), path
			all = append(all, op)
		}
	}
	return all
}

// Fields returns the names of the schema's properties, those that are always
// there first.
func (s docsSchema) Fields() []string {
	names := slices.Sorted(maps.Keys(s.Properties))
	slices.SortStableFunc(names, func(a, b string) int {
		return btoi(s.Always(b)) - btoi(s.Always(a))
	})
	return names
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Always reports whether a property is always there.
func (s docsSchema) Always(name string) bool { return slices.Contains(s.Required, name) }

// Anchor returns the name of the schema that this one refers to, or of its
// elements, and "" if it is neither.
func (s docsSchema) Anchor() string {
	if s.Items != nil {
		return s.Items.Anchor()
	}
	for _, of := range slices.Concat(s.AnyOf, s.OneOf) {
		if name := of.Anchor(); name != "" {
			return name
		}
	}
	return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
}

// TypeName returns the schema's type in words.
func (s docsSchema) TypeName() string {
	if s.Items != nil {
		return "array of " + s.Items.TypeName()
	}
	var names []string
	switch t := s.Type.(type) {
	case string:
		names = []string{t}
	case []any:
		for _, name := range t {
			names = append(names, fmt.Sprint(name))
		}
	}
	if s.Ref != "" {
		names = append(names, s.Anchor())
	}
	for _, of := range slices.Concat(s.AnyOf, s.OneOf) {
		names = append(names, of.TypeName())
	}
	if len(names) == 0 {
		return "any"
	}
	return strings.Join(names, " or ")
}

// Limits returns what the schema demands of a value, in words.
func (s docsSchema) Limits() string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if s.Format != "" {
		add("%s", s.Format)
	}
	if s.Minimum != nil {
		add("at least %v", *s.Minimum)
	}
	if s.Maximum != nil {
		add("at most %v", *s.Maximum)
	}
	if s.MinLength != nil {
		add("at least %d characters", *s.MinLength)
	}
	if s.MaxLength != nil {
		add("at most %d characters", *s.MaxLength)
	}
	if s.MaxItems != nil {
		add("at most %d", *s.MaxItems)
	}
	if s.Default != nil {
		add("%v unless given", s.Default)
	}
	return strings.Join(all, ", ")
}

// Choices returns the values that the schema, or its elements, may have, if they
// are listed.
func (s docsSchema) Choices() []any {
	if s.Items != nil {
		return s.Items.Choices()
	}
	return s.Enum
}
