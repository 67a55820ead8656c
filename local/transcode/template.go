package transcode

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// A template is the path of an HTTP rule, such as
// /v2/{name=projects/*/locations/*/queues/*}:pause.
type template struct {
	path *regexp.Regexp
	vars []variable
}

// A variable is a part of the path that goes into a field.
type variable struct {
	field  string // such as queue.name
	single bool   // it has one segment, and may hold an escaped slash
}

// parseTemplate reads the path of an HTTP rule.
func parseTemplate(path string) (template, error) {
	if !strings.HasPrefix(path, "/") {
		return template{}, fmt.Errorf("the path %q does not begin with a slash", path)
	}
	var t template
	var b strings.Builder
	b.WriteString("^")
	rest := path
	for rest != "" {
		literal, after, found := strings.Cut(rest, "{")
		b.WriteString(segments(literal))
		if !found {
			break
		}
		inside, next, closed := strings.Cut(after, "}")
		if !closed {
			return template{}, fmt.Errorf("the path %q has a brace that is not closed", path)
		}
		field, pattern, ok := strings.Cut(inside, "=")
		if !ok {
			pattern = "*"
		}
		t.vars = append(t.vars, variable{field: field, single: pattern == "*"})
		b.WriteString("(" + segments(pattern) + ")")
		rest = next
	}
	expression := b.String()
	if !strings.Contains(path[strings.LastIndexAny(path, "/}"):], ":") {
		// Without a verb the last segment ends at a colon: what follows would be the
		// verb of another rule.
		for _, end := range []string{")", ""} {
			if begin, ok := strings.CutSuffix(expression, anySegment+end); ok {
				expression = begin + lastSegment + end
				break
			}
		}
	}
	var err error
	t.path, err = regexp.Compile(expression + "$")
	return t, err
}

const (
	anySegment  = "[^/]+"
	lastSegment = "[^/:]+"
)

// segments returns the expression of literal text in which * is one segment and
// ** is any number of them.
func segments(text string) string {
	quoted := regexp.QuoteMeta(text)
	quoted = strings.ReplaceAll(quoted, `\*\*`, ".+")
	return strings.ReplaceAll(quoted, `\*`, anySegment)
}

// match returns the values of the variables in a path as it was sent, by their
// fields, if the path fits.
func (t template) match(escaped string) (map[string]string, bool) {
	found := t.path.FindStringSubmatch(escaped)
	if found == nil {
		return nil, false
	}
	vars := make(map[string]string, len(t.vars))
	for i, v := range t.vars {
		value, err := url.PathUnescape(found[i+1])
		if err != nil {
			return nil, false
		}
		if !v.single && strings.Count(value, "/") != strings.Count(found[i+1], "/") {
			value = found[i+1] // an escaped slash parts no segments
		}
		vars[v.field] = value
	}
	return vars, true
}
