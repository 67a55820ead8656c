package terminal_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
)

const (
	begin = "\x1b[?2026h\r"
	end   = "\x1b[K\x1b[J\x1b[?2026l"
)

// step calls f, and returns what the screen wrote meanwhile.
func step(out *bytes.Buffer, f func()) string {
	out.Reset()
	f()
	return out.String()
}

func TestScreenDrawsInPlace(t *testing.T) {
	var out bytes.Buffer
	columns := 12
	s := terminal.New(&out, func() int { return columns }, true, true)
	for _, tt := range []struct {
		what string
		do   func()
		want string
	}{
		{"the first", func() { s.Draw("waits") }, begin + "waits" + end},
		{"the same", func() { s.Draw("waits") }, ""},
		{"too long", func() { s.Draw("waits for its turn") }, begin + "waits for …" + end},
		{"a line that stays", func() { s.Print("done") }, begin + "\x1b[Jdone\nwaits for …\x1b[?2026l"},
		// The line of 11 columns has become three of 5.
		{"a narrower terminal", func() { columns = 5; s.Draw("a") }, begin + "\x1b[A\x1b[Aa" + end},
		{"a question", func() { s.Ask("Cancel? ") }, "\r\x1b[JCancel? "},
		{"nothing beside the question", func() { s.Print("done"); s.Draw("b") }, ""},
		{"what was held", func() { s.Answered(false) }, "done\n"},
		{"the next", func() { s.Draw("c") }, begin + "c" + end},
		{"the end", func() { s.Close() }, begin + end},
	} {
		if got := step(&out, tt.do); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.want)
		}
	}
}

func TestScreenWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	s := terminal.Open(&out, func(string) string { return "" })
	s.Draw("waits")
	s.Print(s.Paint(terminal.Bad, "failed"))
	s.Close()
	if out.String() != "failed\n" {
		t.Errorf("%q", out.String())
	}
}

func TestColors(t *testing.T) {
	columns := func() int { return 80 }
	if got := terminal.New(nil, columns, true, true).Paint(terminal.Good, "done"); got != "\x1b[32mdone\x1b[m" {
		t.Errorf("%q", got)
	}
	if got := terminal.New(nil, columns, true, false).Paint(terminal.Good, "done"); got != "done" {
		t.Errorf("with NO_COLOR: %q", got)
	}
}

// read returns a job of JSON.
func read(t *testing.T, text string) (j client.Job) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestProgress(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	waiting := `{"id":"j","status":"queued","queue_position":3,"estimated_start_at":"2026-11-26T12:01:30Z",
		"progress":{"total":2,"queued":2},"images":[{"status":"queued","waiting_for":"quota"}]}`
	for name, tt := range map[string]struct {
		job     string
		columns int
		want    string
	}{
		"room for all":     {waiting, 80, "0 of 2 pictures, 3 ahead, starts in 1m30s, waits for quota, 14s"},
		"40 columns":       {waiting, 40, "0 of 2 pictures, 3 ahead, 14s"},
		"room for little":  {waiting, 12, "0 of 2 pictures"},
		"one that is next": {strings.Replace(waiting, `"queue_position":3`, `"queue_position":0`, 1), 50, "0 of 2 pictures, next in line, starts in 1m30s"},
		"under way":        {`{"id":"j","status":"processing","progress":{"total":2,"processing":1,"succeeded":1}}`, 80, "1 of 2 pictures, 1 drawing, 14s"},
	} {
		if got := terminal.Progress(read(t, tt.job), now, now.Add(-14*time.Second), tt.columns); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestRowsFitTheWidth(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	j := read(t, `{"id":"01a21900-0898-729d-b152-e7f77cc0ccee","status":"processing","created_at":"2026-11-26T09:00:00Z","cost_usd":0.068,
		"progress":{"total":2,"succeeded":1},"input":{"prompt":"赤い狐\u001b[2J`+strings.Repeat(" a red fox", 20)+`"}}`)
	for _, columns := range []int{20, 40, 89, 90, 200} {
		row := terminal.Row(j, now, columns)
		for line := range strings.Lines(row) {
			if got := ansi.StringWidth(strings.TrimSpace(line)); got > columns || strings.ContainsRune(line, '\x1b') {
				t.Errorf("%d columns have a line of %d: %q", columns, got, line)
			}
		}
	}
	want := "01a21900-0898-729d-b152-e7f77cc0ccee\n  processing  1/2  3h  $0.068  赤い狐 […"
	if got := terminal.Row(j, now, 40); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if terminal.Header(40) != "" || terminal.Header(90) == "" {
		t.Error("a head is for tables, and only for them")
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b]0;title\x07b\r\nc":    "a ]0;title b c",
		"safe \u202etxt.exe\u2066 b": "safe txt.exe b",
		"赤い狐 👩‍🎨":                    "赤い狐 👩‍🎨",
		"\u009b31m":                  "31m",
	} {
		if got := terminal.Clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 11 * time.Minute: "11m", 3 * time.Hour: "3h", 50 * time.Hour: "2d",
	} {
		if got := terminal.Duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for answer, want := range map[string]bool{"y\n": true, "YES\r\n": true, "y": true, "n\n": false, "\n": false, "": false, "yesterday\n": false} {
		if got := terminal.ReadYes(strings.NewReader(answer)); got != want {
			t.Errorf("%q: %v", answer, got)
		}
	}
}

func TestDetect(t *testing.T) {
	for name, tt := range map[string]struct {
		env  map[string]string
		want terminal.Protocol
	}{
		"kitty":         {map[string]string{"TERM": "xterm-kitty"}, terminal.Kitty},
		"Ghostty":       {map[string]string{"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, terminal.Kitty},
		"iTerm2":        {map[string]string{"TERM_PROGRAM": "iTerm.app"}, terminal.ITerm2},
		"iTerm2 by ssh": {map[string]string{"LC_TERMINAL": "iTerm2"}, terminal.ITerm2},
		"WezTerm":       {map[string]string{"TERM_PROGRAM": "WezTerm"}, terminal.ITerm2},
		"foot":          {map[string]string{"TERM": "foot"}, terminal.Sixel},
		"Konsole":       {map[string]string{"KONSOLE_VERSION": "230804"}, terminal.Sixel},
		"old Konsole":   {map[string]string{"KONSOLE_VERSION": "210800"}, terminal.None},
		"tmux in kitty": {map[string]string{"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1", "TMUX": "x"}, terminal.None},
		"xterm":         {map[string]string{"TERM": "xterm-256color"}, terminal.None},
	} {
		if got := terminal.Detect(func(name string) string { return tt.env[name] }); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestPreviews(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 100, 200))); err != nil {
		t.Fatal(err)
	}
	// A picture that is twice as high as wide has 20 rows and so 20 columns.
	for protocol, want := range map[terminal.Protocol]string{
		terminal.Kitty: "\x1b_Gf=100,q=2,c=20,", terminal.ITerm2: "\x1b]1337;File=", terminal.Sixel: "\x1bP0;1q\"1;1;100;200",
	} {
		got, err := protocol.Encode(picture.Bytes(), 80)
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, %v", protocol, got[:min(60, len(got))], err)
		}
		if protocol == terminal.ITerm2 && !strings.Contains(got, "width=20;") {
			t.Errorf("%q has another width", got[:60])
		}
		// PNG begins with \x89PNG, which is iVBORw in base64.
		if protocol != terminal.Sixel && !strings.Contains(got, "iVBORw") {
			t.Errorf("%s: no picture in %q", protocol, got)
		}
		if _, err := protocol.Encode([]byte("<html>"), 80); err == nil {
			t.Errorf("%s shows what is no picture", protocol)
		}
	}
}
