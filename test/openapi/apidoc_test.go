package openapi_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// page is the page about the API.
const page = "../../docs/api.md"

// readPage returns the page.
func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section returns the part of a text under a heading of the second level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, heading)
	}
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}

var (
	// rowStatus is the first cell of a row about answers.
	rowStatus = regexp.MustCompile("(?m)^\\|((?: `[1-5][0-9][0-9]`,?)+) \\|")
	anyCode   = regexp.MustCompile("`([1-5][0-9][0-9])`")
	rowName   = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")
)

// The page has each operation of the document, with its parameters, and all of its
// answers and their headers.
func TestPageHasEveryOperation(t *testing.T) {
	t.Parallel()
	text := readPage(t)
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name string }
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
			Responses map[string]struct{ Headers map[string]any }
		}
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(newService(t).document(), &doc); err != nil {
		t.Fatal(err)
	}
	refusals := section(t, text, "Refusals")
	for path, operations := range doc.Paths {
		for method, op := range operations {
			heading := fmt.Sprintf("`%s %s`", strings.ToUpper(method), path)
			part := section(t, text, heading)
			for _, p := range op.Parameters {
				if !strings.Contains(part, "`"+p.Name+"`") && !strings.Contains(part, "`"+p.Name+".KEY`") {
					t.Errorf("%s: the parameter %s is missing", heading, p.Name)
				}
			}
			body := op.RequestBody.Content["application/json"].Schema.Ref
			for field := range doc.Components.Schemas[body[strings.LastIndex(body, "/")+1:]].Properties {
				if !strings.Contains(part, "`"+field+"`") {
					t.Errorf("%s: the field %s is missing", heading, field)
				}
			}
			got := make(map[string]bool)
			for _, row := range rowStatus.FindAllString(part, -1) {
				for _, m := range anyCode.FindAllStringSubmatch(row, -1) {
					got[m[1]] = true
				}
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(op.Responses)), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("%s: statuses of the document (-) and of the page (+):\n%s", heading, diff)
			}
			for code, response := range op.Responses {
				for header := range response.Headers {
					if !strings.Contains(part, "`"+header+"`") && !strings.Contains(refusals, "`"+header+"`") {
						t.Errorf("%s %s: the header %s is missing", heading, code, header)
					}
				}
			}
		}
	}
}

// The tables of codes and of what images wait for have all that the code has, and
// no other.
func TestPageHasEveryCode(t *testing.T) {
	t.Parallel()
	text := readPage(t)
	for heading, want := range map[string][]string{
		"Error codes of pictures":  constants(t, "../../job/failure.go", "Code"),
		"What a picture waits for": constants(t, "../../snapshot/waiting.go", "Waiting"),
		"Codes of problems":        constants(t, "../../server/tokens.go", "code"),
	} {
		var got []string
		for _, m := range rowName.FindAllStringSubmatch(section(t, text, heading), -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%s: values in the code (-) and on the page (+):\n%s", heading, diff)
		}
	}
}

// constants returns the values of a file's text constants whose names have a
// prefix.
func constants(t *testing.T, file, prefix string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) != 1 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, text)
		}
		return true
	})
	return values
}
