package handlers

import (
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

// inspection goes once through a JSON object and notes what decoding would hide
// or pay for. encoding/json takes a name in any case, the last of two values
// with one name, and U+FFFD for what is no character. It copies nothing, so its cost is that of reading.
type inspection struct {
	raw    []byte // valid JSON
	pos    int
	schema *huma.Schema
	seen   map[string]bool
	faults []error
}

// inspect returns what is wrong with an object of the schema before it is
// decoded: names that the schema has not, or not in this case, and names given
// twice, and text that is not UTF-8. The text must be valid JSON.
func inspect(raw []byte, schema *huma.Schema) []error {
	s := &inspection{raw: raw, schema: schema, seen: make(map[string]bool)}
	s.skipSpace()
	if s.raw[s.pos] != '{' {
		return []error{&huma.ErrorDetail{Location: "body", Message: validation.MsgExpectedObject}}
	}
	s.pos++
	for s.skipSpace(); s.raw[s.pos] != '}'; s.skipSpace() {
		s.inspectMember()
	}
	return s.faults
}

// inspectMember goes over one name and its value, and the comma behind them.
func (s *inspection) inspectMember() {
	start := s.pos
	s.skipString()
	name := s.raw[start:s.pos]
	s.skipSpace()
	s.pos++ // the colon
	s.skipSpace()
	start = s.pos
	s.skipValue()
	s.checkMember(name, s.raw[start:s.pos])
	s.skipSpace()
	if s.raw[s.pos] == ',' {
		s.pos++
	}
}

func (s *inspection) checkMember(quoted, value []byte) {
	name := unquote(quoted)
	switch {
	case !isText(quoted):
		s.faults = append(s.faults, &huma.ErrorDetail{Location: "body", Message: notText})
		return
	case s.schema.Properties[name] == nil:
		s.addFault(name, validation.MsgUnexpectedProperty+s.hint(name))
	case s.seen[name]:
		s.addFault(name, "is given twice; give it once")
	case !isText(value):
		s.addFault(name, notText)
	}
	s.seen[name] = true
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

// skipValue goes behind a value, whatever is in it.
func (s *inspection) skipValue() {
	for depth := 0; ; {
		switch s.raw[s.pos] {
		case '"':
			s.skipString()
			if depth == 0 {
				return
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of the object that the value is in
				return
			}
			if depth--; depth == 0 {
				s.pos++
				return
			}
		case ',':
			if depth == 0 {
				return
			}
		}
		s.pos++
	}
}

// unquote returns the text of a JSON string.
func unquote(quoted []byte) string {
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
