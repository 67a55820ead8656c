package handlers_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The page shows every operation and every object of the description, and loads
// nothing from elsewhere.
func TestDocsShowTheDescription(t *testing.T) {
	b := setup(t)
	page := b.do(http.MethodGet, "/docs", "")
	if page.code != http.StatusOK || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Fatalf("got %d, %s", page.code, page.header.Get("Content-Type"))
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Responses   map[string]any
		}
		Components struct{ Schemas, SecuritySchemes map[string]any }
	}
	decode(t, b.do(http.MethodGet, "/openapi.json", "").body, &doc)
	for path, methods := range doc.Paths {
		for _, op := range methods {
			if !strings.Contains(page.body, `<section id="`+op.OperationID+`">`) || !strings.Contains(page.body, "<code>"+path+"</code>") {
				t.Errorf("%s (%s) is not shown", path, op.OperationID)
			}
		}
	}
	for name := range doc.Components.SecuritySchemes {
		if !strings.Contains(page.body, "<dt><code>"+name+"</code>") {
			t.Errorf("%s is not shown", name)
		}
	}
	for name := range doc.Components.Schemas {
		if !strings.Contains(page.body, `<section id="schema-`+name+`">`) {
			t.Errorf("%s is not shown", name)
		}
	}
	for _, link := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
		name, here := strings.CutPrefix(link[1], "#")
		switch {
		case here && !strings.Contains(page.body, `id="`+name+`"`):
			t.Errorf("%s leads nowhere", link[1])
		case !here && b.do(http.MethodGet, link[1], "").code != http.StatusOK:
			t.Errorf("%s is not served", link[1])
		}
	}
	if strings.Contains(page.body, "<script") || page.header.Get("Content-Security-Policy") == "" {
		t.Error("the page may run scripts")
	}
}
