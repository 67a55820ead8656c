package handlers

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// anyObject stands for a json.RawMessage in schemas: what callers send and get
// back as it is.
type anyObject struct{}

// Schema returns the schema of any JSON object.
func (anyObject) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// schemaOf returns the schema of a type that answers have.
func schemaOf(doc *huma.OpenAPI, t reflect.Type) *huma.Schema {
	registry := doc.Components.Schemas
	s := registry.Schema(t, true, "")
	correct(registry, t, make(map[reflect.Type]bool))
	return s
}

// correct makes the schemas of a type in answers, and of all types in it, say
// what encoding/json writes, where huma says what it takes:
//
//   - A pointer that is not left out may be null, also one to an object. If it
//     has an enum, null is one of its values.
//   - A list is not null, unless its field says nullable:"true".
//   - Fields may be added to an object: huma says that there are no others,
//     which is true of requests only.
func correct(registry huma.Registry, t reflect.Type, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() || seen[t] {
		return
	}
	seen[t] = true
	s := registry.Schema(t, false, "")
	s.AdditionalProperties = nil
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := s.Properties[name]
		if property == nil {
			continue
		}
		correct(registry, f.Type, seen)
		switch {
		case f.Type.Kind() == reflect.Slice:
			property.Nullable = f.Tag.Get("nullable") == "true"
		case f.Type.Kind() == reflect.Pointer && property.Ref != "" && !strings.Contains(options, "omit"):
			s.Properties[name] = nullable(property)
		case property.Nullable && len(property.Enum) > 0 && !slices.Contains(property.Enum, nil):
			property.Enum = append(property.Enum, nil)
		}
	}
}

// nullable returns the schema of what a reference leads to, or null.
func nullable(ref *huma.Schema) *huma.Schema {
	return &huma.Schema{Description: ref.Description, AnyOf: []*huma.Schema{{Ref: ref.Ref}, {Type: "null"}}}
}
