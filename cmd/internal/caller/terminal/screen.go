// Package terminal shows a job to people: what happens, on lines that stay and on one
// that changes, and pictures where the terminal can. It sends no request.
package terminal

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// defaultWidth is the width of what is no terminal, or does not tell.
const defaultWidth = 80

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width returns the columns of a terminal.
func Width(stream any) int {
	if f, ok := stream.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return defaultWidth
}

// A Screen is where people see what happens. On a terminal its last line is live: it
// is drawn again in place. It is safe for concurrent use.
type Screen struct {
	out     io.Writer
	columns func() int
	live    bool // out can move its cursor
	color   bool

	mu    sync.Mutex // guards what follows
	shown string     // the live line
	held  *bytes.Buffer
}

// Open returns the screen of a stream.
func Open(out io.Writer, getenv func(string) string) *Screen {
	isTerminal := IsTerminal(out)
	return New(out, func() int { return Width(out) }, isTerminal && getenv("TERM") != "dumb",
		isTerminal && getenv("NO_COLOR") == "")
}

// New returns a screen of a width that may change. live says whether it can move its
// cursor, color whether it has colors.
func New(out io.Writer, columns func() int, live, color bool) *Screen {
	return &Screen{out: out, columns: columns, live: live, color: color && live}
}

// IsLive reports whether Draw draws.
func (s *Screen) IsLive() bool { return s.live }

// Columns returns the width of the screen.
func (s *Screen) Columns() int { return s.columns() }

// Sequences of terminals: ECMA-48, and synchronized output (mode 2026), by which a
// terminal shows a change as a whole. One that does not know that ignores it.
const (
	eraseRight = "\x1b[K"
	eraseBelow = "\x1b[J"
	syncBegin  = "\x1b[?2026h"
	syncEnd    = "\x1b[?2026l"
	reset      = "\x1b[m"
)

// A Color is how a line is meant.
type Color string

// Colors of the terminal's own palette.
const (
	Good Color = "\x1b[32m"
	Bad  Color = "\x1b[31m"
)

// Paint returns text in a color, where the screen has colors.
func (s *Screen) Paint(c Color, text string) string {
	if !s.color {
		return text
	}
	return string(c) + text + reset
}

// Print prints a line that stays, above the live one.
func (s *Screen) Print(line string) { s.above(line + "\n") }

// Show prints a picture, in the terminal's own form, above the live line.
func (s *Screen) Show(picture string) { s.above(picture + "\n") }

func (s *Screen) above(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		s.held.WriteString(text)
		return
	}
	if s.shown == "" {
		_, _ = io.WriteString(s.out, text) // there is nobody to tell
		return
	}
	_, _ = io.WriteString(s.out, syncBegin+s.home()+eraseBelow+text+s.shown+syncEnd)
}

// Draw shows line as the live one, cut to the width. An empty one takes it away. It
// writes nothing if nothing has changed, and at once if something has, so that
// nothing flickers.
func (s *Screen) Draw(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The last column stays free: some terminals wrap as soon as it is filled.
	if line = Cut(line, s.columns()-1); !s.live || s.held != nil || line == s.shown {
		return
	}
	_, _ = io.WriteString(s.out, syncBegin+s.home()+line+eraseRight+eraseBelow+syncEnd)
	s.shown = line
}

// home returns what moves the cursor to the beginning of the live line. If the
// terminal was made narrower, that line has become several.
func (s *Screen) home() string {
	rows := (max(0, ansi.StringWidth(s.shown)-1)) / max(1, s.columns())
	return "\r" + strings.Repeat("\x1b[A", rows)
}

// Ask shows a question in place of the live line. Until Answered, nothing else is
// shown.
func (s *Screen) Ask(question string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.out, s.home()+eraseBelow+question)
	s.shown, s.held = "", &bytes.Buffer{}
}

// Answered goes on after a question, and shows what came meanwhile. newline says that
// nobody has ended the question's line.
func (s *Screen) Answered(newline bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		return
	}
	if newline {
		s.held = bytes.NewBuffer(append([]byte("\n"), s.held.Bytes()...))
	}
	_, _ = s.out.Write(s.held.Bytes())
	s.held = nil
}

// Close takes the live line away.
func (s *Screen) Close() {
	s.Answered(true)
	s.Draw("")
}
