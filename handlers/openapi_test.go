package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/handlers"
)

func TestOpenAPISaysWhereTheAPIIsAndWithWhichKey(t *testing.T) {
	for name, tt := range map[string]struct {
		config            handlers.APIConfig
		servers, security string
	}{
		"keys": {
			handlers.APIConfig{PublicURL: "https://api.pictures.test"}, `[{"url":"https://api.pictures.test"}]`, `[{"apiKey":[]}]`,
		},
		"no keys": {handlers.APIConfig{Open: true}, `[{"url":"/"}]`, `[{"apiKey":[]},{}]`},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			handlers.OpenAPI(handlers.NewAPI(chi.NewRouter(), tt.config))(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			var doc struct{ Servers, Security json.RawMessage }
			decode(t, w.Body.String(), &doc)
			if string(doc.Servers) != tt.servers || string(doc.Security) != tt.security {
				t.Errorf("servers %s and security %s, want %s and %s", doc.Servers, doc.Security, tt.servers, tt.security)
			}
		})
	}
}

// What encoding/json writes of a type is what its schema allows.
func TestSchemasOfAnswersAreTrue(t *testing.T) {
	type inner struct {
		Why *string `json:"why" enum:"turn,quota"`
	}
	type outer struct {
		Inner   *inner          `json:"inner"`
		Absent  *inner          `json:"absent,omitempty"`
		At      *time.Time      `json:"at"`
		List    []inner         `json:"list"`
		Nothing []string        `json:"nothing" nullable:"true"`
		Raw     json.RawMessage `json:"raw"`
	}
	api := handlers.NewAPI(chi.NewRouter(), handlers.APIConfig{})
	handlers.SchemaOf(api.OpenAPI(), reflect.TypeFor[outer]())
	got := make(map[string]string)
	for name, s := range api.OpenAPI().Components.Schemas.Map() {
		for property, schema := range s.Properties {
			got[name+"."+property] = marshal(t, schema)
		}
		if s.AdditionalProperties != nil {
			t.Errorf("%s says whether there are other fields: %v", name, s.AdditionalProperties)
		}
	}
	want := map[string]string{
		"Inner.why":     `{"enum":["turn","quota",null],"type":["string","null"]}`,
		"Outer.absent":  `{"$ref":"#/components/schemas/Inner"}`,
		"Outer.at":      `{"format":"date-time","type":["string","null"]}`,
		"Outer.inner":   `{"anyOf":[{"$ref":"#/components/schemas/Inner"},{"type":"null"}]}`,
		"Outer.list":    `{"items":{"$ref":"#/components/schemas/Inner"},"type":"array"}`,
		"Outer.nothing": `{"items":{"type":"string"},"type":["array","null"]}`,
		"Outer.raw":     `{"additionalProperties":true,"type":"object"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
}

// marshal returns a schema as JSON, with its names in order.
func marshal(t *testing.T, s *huma.Schema) string {
	t.Helper()
	doc, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	decode(t, string(doc), &v)
	if doc, err = json.Marshal(v); err != nil {
		t.Fatal(err)
	}
	return string(doc)
}
