// Package files saves pictures where a template says. It never leaves half a file,
// and replaces none unless it is told to. It knows nothing of the service.
package files

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// DefaultName is the end of a template that names a folder only.
const DefaultName = "{id}_{index}.{ext}"

// A Template is a path with placeholders: {id}, {index}, {ext} and {prompt}.
type Template string

// Values is what the placeholders of one picture stand for.
type Values struct {
	ID          string // of the job
	Index       int    // of the picture
	ContentType string // such as image/png
	Prompt      string
}

var placeholders = regexp.MustCompile(`\{[^{}]*\}`)

// Parse returns the template that text is. A folder gets DefaultName. count is how
// many pictures there may be: each must have a path of its own.
func Parse(text string, count int) (Template, error) {
	if strings.TrimSpace(text) == "" {
		return "", fmt.Errorf("the path is empty; one is such as ./out/%s", DefaultName)
	}
	if info, err := os.Stat(text); strings.HasSuffix(text, "/") || (err == nil && info.IsDir()) {
		text = filepath.Join(text, DefaultName)
	}
	for _, p := range placeholders.FindAllString(text, -1) {
		switch p {
		case "{id}", "{index}", "{ext}", "{prompt}":
		default:
			return "", fmt.Errorf("%s is no placeholder; there are {id}, {index}, {ext} and {prompt}", p)
		}
	}
	if count > 1 && !strings.Contains(text, "{index}") {
		return "", fmt.Errorf("%d pictures need {index} in their path", count)
	}
	return Template(text), nil
}

// Path returns the path of one picture. What a value has cannot lead to another
// folder than the template's own.
func (t Template) Path(v Values) string {
	return strings.NewReplacer(
		"{id}", plain(v.ID), "{index}", strconv.Itoa(v.Index), "{ext}", extension(v.ContentType), "{prompt}", slug(v.Prompt),
	).Replace(string(t))
}

// extension returns the end of a picture's name.
func extension(contentType string) string {
	switch contentType {
	case "image/png":
		return "png"
	case "image/jpeg":
		return "jpg"
	case "image/webp":
		return "webp"
	default:
		return "bin"
	}
}

// plain returns an id without anything that a path could take for its own.
func plain(id string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || ('0' <= r && r <= '9') || ('a' <= r && r <= 'z') || ('A' <= r && r <= 'Z') {
			return r
		}
		return '_'
	}, id)
}

// maxSlug is how many characters of a prompt a name has at most.
const maxSlug = 40

// slug returns the beginning of a prompt as a part of a name: letters and digits,
// with dashes between the words.
func slug(prompt string) string {
	var b strings.Builder
	n := 0
	for _, word := range strings.FieldsFunc(strings.ToLower(prompt), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	}) {
		runes := []rune(word)
		if n > 0 && n+1+len(runes) > maxSlug {
			break
		}
		if n > 0 {
			b.WriteByte('-')
			n++
		}
		runes = runes[:min(len(runes), maxSlug)]
		b.WriteString(string(runes))
		n += len(runes)
	}
	if n == 0 {
		return "picture"
	}
	return b.String()
}
