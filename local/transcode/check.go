package transcode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// check looks for everything in a body that the message has no place for: names of
// no field, and values of another type. It returns an error in Google's words
// about all of it, with the paths of the fields; protojson stops at the first and
// says only where in the text it is.
func check(d protoreflect.MessageDescriptor, body []byte, path string) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else {
			err = errors.New("there is something behind the JSON")
		}
	}
	if err != nil {
		return invalidJSON(err)
	}
	var c checker
	c.message(d, value, path)
	return c.found.err()
}

type checker struct{ found violations }

// message checks a value that should be an object.
func (c *checker) message(d protoreflect.MessageDescriptor, value any, path string) {
	object, ok := value.(map[string]any)
	if !ok {
		if path == "" {
			path = "(root)"
		}
		c.found.addf(path, "Invalid value at '%s' (type.googleapis.com/%s), %s", path, d.FullName(), literal(value))
		return
	}
	for _, name := range sortedKeys(object) {
		field := fieldByName(d, name)
		if field == nil {
			c.unknown(name, path)
			continue
		}
		if object[name] != nil { // null is a field that is left out
			c.field(d, field, object[name], join(path, string(field.Name())))
		}
	}
}

func (c *checker) unknown(name, path string) {
	at := ""
	if path != "" {
		at = fmt.Sprintf(" at '%s'", path)
	}
	c.found.addf(path, "Invalid JSON payload received. Unknown name %q%s: Cannot find field.", cut(name), at)
}

// field checks the value of a field of any kind.
func (c *checker) field(d protoreflect.MessageDescriptor, f protoreflect.FieldDescriptor, value any, path string) {
	switch {
	case f.IsMap():
		if object, ok := value.(map[string]any); ok && nested(f.MapValue()) {
			for _, key := range sortedKeys(object) {
				c.message(f.MapValue().Message(), object[key], path+"["+cut(key)+"]")
			}
			return
		}
	case f.IsList():
		list, ok := value.([]any)
		for i, element := range list {
			at := fmt.Sprintf("%s[%d]", path, i)
			if nested(f) {
				c.message(f.Message(), element, at)
			} else {
				c.leaf(d, f, element, []any{element}, at)
			}
		}
		if ok {
			return
		}
	case nested(f):
		c.message(f.Message(), value, path)
		return
	}
	c.leaf(d, f, value, value, path)
}

// leaf checks a value by reading it alone. shown is the part of it that an error
// repeats.
func (c *checker) leaf(d protoreflect.MessageDescriptor, f protoreflect.FieldDescriptor, shown, value any, path string) {
	text, err := json.Marshal(map[string]any{f.JSONName(): value})
	if err == nil {
		err = protojson.Unmarshal(text, dynamicpb.NewMessage(d))
	}
	if err != nil {
		c.found.addf(path, "Invalid value at '%s' (%s), %s", path, typeName(f), literal(shown))
	}
}

// nested reports whether values of a field are objects with fields of their own.
func nested(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && !wellKnown(f.Message())
}

// wellKnown reports whether a type has a form of its own in JSON.
func wellKnown(d protoreflect.MessageDescriptor) bool {
	return d.FullName().Parent() == "google.protobuf" && d.Name() != "Empty"
}

// typeName returns a field's type as Google's errors name it.
func typeName(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "TYPE_MAP"
	case f.Message() != nil:
		return "type.googleapis.com/" + string(f.Message().FullName())
	case f.Enum() != nil:
		return "type.googleapis.com/" + string(f.Enum().FullName())
	}
	return "TYPE_" + strings.ToUpper(f.Kind().String())
}

func literal(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	return cut(string(text))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
