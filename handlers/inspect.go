package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
)

// Bounds of what is in a body, besides its bytes. They are far above what any
// request needs, and keep small what decoding costs: a value of one byte takes
// dozens as an interface, and an error many more.
const (
	maxDepth  = 32   // of arrays and objects in each other, in one field
	maxValues = 4096 // in the whole body
	maxNumber = 64   // bytes of a number
	maxName   = 64   // bytes of a name of the API's own
	maxFaults = 20   // listed in one answer
)

// inspection goes once through a JSON object and notes what decoding would hide
// or pay for. encoding/json takes a name in any case, the last of two values
// with one name, and U+FFFD for what is no character. It copies nothing, so its
// cost is that of reading.
type inspection struct {
	raw    []byte // valid JSON
	pos    int
	values int // met so far
	schema *huma.Schema
	seen   map[string]bool
	faults []error
}

// A shape is what a value's decoding costs.
type shape struct {
	elements int // of an array itself; an empty one counts as 1
	depth    int // 0 for text, numbers and such
	number   int // bytes of the longest number
}

// inspect returns what is wrong with an object of the schema before it is
// decoded: names that the schema has not, or not in this case, names given
// twice, text that is not UTF-8, and too many or too deep values. The text must
// be valid JSON. The inspection ends where there are too many values or faults.
func inspect(raw []byte, schema *huma.Schema) []error {
	s := &inspection{raw: raw, schema: schema, seen: make(map[string]bool)}
	s.skipSpace()
	if s.raw[s.pos] != '{' {
		return []error{&huma.ErrorDetail{Location: "body", Message: validation.MsgExpectedObject}}
	}
	s.pos++
	for s.skipSpace(); s.raw[s.pos] != '}'; s.skipSpace() {
		s.inspectMember()
		if s.values > maxValues || len(s.faults) >= maxFaults {
			break
		}
	}
	return s.faults
}

// inspectMember goes over one name and its value, and the comma behind them.
func (s *inspection) inspectMember() {
	start := s.pos
	s.skipString()
	quoted := s.raw[start:s.pos]
	s.skipSpace()
	s.pos++ // the colon
	s.skipSpace()
	start = s.pos
	shape := s.skipValue()
	name, value := unquote(quoted), s.raw[start:s.pos]
	switch known := s.schema.Properties[name]; {
	case !isText(quoted):
		s.faults = append(s.faults, &huma.ErrorDetail{Location: "body", Message: notText})
	case known == nil:
		s.addFault(name, validation.MsgUnexpectedProperty+s.hint(name))
	case s.seen[name]:
		s.addFault(name, "is given twice; give it once")
	default:
		s.seen[name] = true
		s.checkValue(name, value, shape, known)
	}
	s.skipSpace()
	if s.raw[s.pos] == ',' {
		s.pos++
	}
}

// checkValue notes what decoding a value would hide or pay for.
func (s *inspection) checkValue(name string, value []byte, got shape, schema *huma.Schema) {
	switch {
	case value[0] == '[' && schema.MaxItems != nil && got.elements > *schema.MaxItems:
		s.addFault(name, fmt.Sprintf(validation.MsgExpectedMaxItems, *schema.MaxItems))
	case s.values > maxValues:
		s.addFault(name, fmt.Sprintf("has too many values; send at most %d in all", maxValues))
	case got.depth > maxDepth:
		s.addFault(name, fmt.Sprintf("is nested too deep; send at most %d levels", maxDepth))
	case got.number > maxNumber:
		s.addFault(name, fmt.Sprintf("has a number that is too long; send at most %d characters", maxNumber))
	case schema.Type == huma.TypeInteger && strings.IndexByte("-0123456789", value[0]) >= 0 && bytes.ContainsAny(value, ".eE"):
		// Huma takes 2.0 for an integer, and encoding/json does not.
		s.addFault(name, validation.MsgExpectedInteger+", without a point or an exponent")
	case !isText(value):
		s.addFault(name, notText)
	}
}

const notText = `must be UTF-8: send text in that encoding, and whole surrogate pairs after \u`

// hint returns what to write instead of a name that differs from a known one in
// case only, or "".
func (s *inspection) hint(name string) string {
	for known := range s.schema.Properties {
		if strings.EqualFold(known, name) {
			return fmt.Sprintf(": names are matched in their exact case, so write %q", known)
		}
	}
	return ""
}

func (s *inspection) addFault(name, message string) {
	s.faults = append(s.faults, &huma.ErrorDetail{Location: "body." + name, Message: message})
}

func (s *inspection) skipSpace() {
	for s.pos < len(s.raw) && strings.IndexByte(" \t\r\n", s.raw[s.pos]) >= 0 {
		s.pos++
	}
}

// skipString goes behind a string's closing quote.
func (s *inspection) skipString() {
	for s.pos++; s.raw[s.pos] != '"'; s.pos++ {
		if s.raw[s.pos] == '\\' {
			s.pos++
		}
	}
	s.pos++
}

// skipValue goes behind a value, whatever is in it, and returns its shape. It
// stops short where there are too many values.
func (s *inspection) skipValue() shape {
	got, depth := shape{elements: 1}, 0
	for s.values++; s.values <= maxValues || depth == 0; {
		switch c := s.raw[s.pos]; c {
		case '"':
			s.skipString()
		case '{', '[':
			s.pos++
			s.values++
			depth++
			got.depth = max(got.depth, depth)
		case '}', ']':
			s.pos++
			depth--
		case ',':
			s.pos++
			s.values++
			if depth == 1 {
				got.elements++
			}
		case ':', ' ', '\t', '\r', '\n':
			s.pos++
		default:
			got.number = max(got.number, s.skipWord())
		}
		if depth == 0 {
			break
		}
	}
	return got
}

// skipWord goes behind a number, true, false or null, and returns its length.
func (s *inspection) skipWord() int {
	start := s.pos
	for !strings.ContainsRune(",:]} \t\r\n", rune(s.raw[s.pos])) {
		s.pos++
	}
	return s.pos - start
}

// unquote returns the text of a JSON string. Of one that is too long for any
// name it returns the start, as it is written.
func unquote(quoted []byte) string {
	if len(quoted) > maxName*len(`\u0000`) {
		return strings.ToValidUTF8(string(quoted[1:maxName]), "") + "…"
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return string(quoted)
	}
	return text
}

// isText reports whether all text in a JSON value is UTF-8. An escape may stand
// for half of a surrogate pair, which is no character by itself.
func isText(raw []byte) bool {
	for i := 0; i < len(raw)-1; i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // what the backslash escapes
		if raw[i] != 'u' || !utf16.IsSurrogate(escaped(raw[i-1:])) {
			continue
		}
		if utf16.DecodeRune(escaped(raw[i-1:]), escaped(raw[i+5:])) == unicode.ReplacementChar {
			return false
		}
		i += 10 // the rest of both escapes
	}
	return utf8.Valid(raw)
}

// escaped returns the code unit that raw starts with as \uXXXX, or 0.
func escaped(raw []byte) rune {
	const size = len(`\uXXXX`)
	if len(raw) < size || raw[0] != '\\' || raw[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(raw[2:size]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}
