package transcode

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// bindBody writes a body of JSON into the message or into the field that the rule
// names. No body means an empty one. It refuses fields that do not exist, as
// Google does.
func bindBody(m protoreflect.Message, field string, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	path := ""
	switch field {
	case "":
		if strings.TrimSpace(string(body)) == "{}" {
			return nil
		}
		return status.Error(codes.InvalidArgument, "This method takes no body.")
	case "*":
	default:
		m, path = m.Mutable(m.Descriptor().Fields().ByName(protoreflect.Name(field))).Message(), field
	}
	return unmarshal(body, m, path)
}

// Unmarshal reads JSON into a message as a body is read: names are those of the
// proto file or of JSON, and an error names all fields that are wrong, by their
// paths.
func Unmarshal(text []byte, m proto.Message) error { return unmarshal(text, m.ProtoReflect(), "") }

func unmarshal(text []byte, m protoreflect.Message, path string) error {
	if err := check(m.Descriptor(), text, path); err != nil {
		return err
	}
	if err := protojson.Unmarshal(text, m.Interface()); err != nil {
		return invalidJSON(err)
	}
	return nil
}

// position is where protojson says that an error is. It is left out of messages,
// because bodies are often made by programs, in one line.
var position = regexp.MustCompile(`^proto:[\s\x{a0}]*(syntax error )?(\(line \d+:\d+\): )?`)

// invalidJSON returns Google's error for a body that cannot be read.
func invalidJSON(err error) error {
	return violation("", "Invalid JSON payload received. "+cut(position.ReplaceAllString(err.Error(), "")))
}

// bindQuery writes the parameters of a query into fields that are neither in the
// body nor unknown.
func bindQuery(m protoreflect.Message, body string, query url.Values) error {
	var found violations
	for _, name := range sortedKeys(query) {
		parent, field := resolve(m, body, name)
		if field == nil {
			found.addf("", "Invalid JSON payload received. Unknown name %q: Cannot bind query parameter. Field '%s' could not be found in request message.", cut(name), cut(name))
			continue
		}
		for _, value := range query[name] {
			if !set(parent, field, value) {
				found.addf(string(field.Name()), "Invalid value at '%s' (%s), %q", field.Name(), typeName(field), cut(value))
			}
		}
	}
	return found.err()
}

// resolve returns the field that a parameter names and the message that has it, or
// no field. Names are those of the proto file or of JSON.
func resolve(m protoreflect.Message, body, name string) (protoreflect.Message, protoreflect.FieldDescriptor) {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		field := fieldByName(m.Descriptor(), part)
		if field == nil || body == "*" || i == 0 && body != "" && string(field.Name()) == body {
			return nil, nil
		}
		if i == len(parts)-1 {
			if field.IsMap() || field.Message() != nil && !wellKnown(field.Message()) {
				return nil, nil
			}
			return m, field
		}
		if field.Message() == nil || field.IsList() || field.IsMap() || wellKnown(field.Message()) {
			return nil, nil
		}
		m = m.Mutable(field).Message()
	}
	return nil, nil
}

func fieldByName(d protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if f := d.Fields().ByJSONName(name); f != nil {
		return f
	}
	return d.Fields().ByTextName(name)
}

// number is the text of an enum's number.
var number = regexp.MustCompile(`^-?\d+$`)

// set writes the text of a parameter into a field. It reports whether the text is
// a value of the field's type.
func set(m protoreflect.Message, field protoreflect.FieldDescriptor, text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	if field.Message() != nil && field.Message().FullName() == "google.protobuf.FieldMask" {
		m.Set(field, protoreflect.ValueOfMessage(fieldMask(text).ProtoReflect()))
		return true
	}
	literal, err := json.Marshal(text)
	if err != nil {
		return false
	}
	if field.Kind() == protoreflect.BoolKind || field.Kind() == protoreflect.EnumKind && number.MatchString(text) {
		literal = []byte(text)
	}
	if field.IsList() {
		literal = slices.Concat([]byte("["), literal, []byte("]"))
	}
	one := m.New().Interface()
	if !json.Valid(literal) || protojson.Unmarshal(slices.Concat([]byte(`{"`+field.JSONName()+`":`), literal, []byte("}")), one) != nil {
		return false
	}
	proto.Merge(m.Interface(), one)
	return true
}

// fieldMask reads a mask of a query: paths parted by commas, in the names of the
// proto file or of JSON. Whoever uses the mask says which paths exist.
func fieldMask(text string) *fieldmaskpb.FieldMask {
	mask := &fieldmaskpb.FieldMask{}
	for path := range strings.SplitSeq(text, ",") {
		if path = strings.TrimSpace(path); path != "" {
			mask.Paths = append(mask.Paths, snakeCase(path))
		}
	}
	return mask
}

// snakeCase turns maxAttempts into max_attempts.
func snakeCase(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// bindPath writes the variables of the path into their fields. The path is right
// where the body says something else.
func bindPath(m protoreflect.Message, vars map[string]string) error {
	for _, name := range sortedKeys(vars) {
		parent, field := resolve(m, "", name)
		if field == nil || !set(parent, field, vars[name]) {
			return status.Errorf(codes.InvalidArgument, "The path has no valid %s.", name)
		}
	}
	return nil
}
