package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/test/need"
)

// A pane is a command on a real terminal: one of tmux.
type pane struct {
	t      *testing.T
	socket string
}

// openPane runs `ai-worker` with args on a terminal of 40 columns. At the end the
// terminal shows its exit code.
func openPane(t *testing.T, dir string, env []string, args ...string) *pane {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		need.Missing(t, "tmux is not installed")
	}
	short, err := os.MkdirTemp("", "tmux-") //nolint:usetesting // the path of a socket may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	p := &pane{t: t, socket: filepath.Join(short, "s")}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the terminal shows at last:\n%s", p.screen())
		}
		_ = exec.Command("tmux", "-S", p.socket, "kill-server").Run()
		_ = os.RemoveAll(short)
	})
	words := []string{"-u", "-S", p.socket, "-f", "/dev/null", "new-session", "-d", "-x", "40", "-y", "40", "-c", dir}
	for _, setting := range append([]string{"NO_COLOR=1"}, env...) {
		words = append(words, "-e", setting)
	}
	// Ctrl-C reaches the shell too, which is to go on.
	script := []string{`trap : INT; "$@"; echo "exit code $?"; exec cat`, "sh", build(t, "ai-worker")}
	words = append(words, "exec sh -c "+shellQuote(append(script, args...)))
	if out, err := exec.CommandContext(t.Context(), "tmux", words...).CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	return p
}

// shellQuote returns words as a shell reads them.
func shellQuote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// screen returns what the terminal shows. Lines that were wrapped are one.
func (p *pane) screen() string {
	out, err := exec.Command("tmux", "-S", p.socket, "capture-pane", "-p", "-J").Output()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// rows returns the rows of the terminal that are not empty.
func (p *pane) rows() []string {
	out, err := exec.Command("tmux", "-S", p.socket, "capture-pane", "-p").Output()
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// shows waits until the terminal shows a text.
func (p *pane) shows(text string) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("%q on the terminal", text), patience, func() bool { return strings.Contains(p.screen(), text) })
}

// record returns what tells what has been written to the terminal from now on, with
// its commands.
func (p *pane) record() func() string {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "written")
	if out, err := exec.Command("tmux", "-S", p.socket, "pipe-pane", "exec cat >"+shellQuote([]string{file})).CombinedOutput(); err != nil {
		p.t.Fatalf("tmux: %v\n%s", err, out)
	}
	await(p.t, "the recording", patience, func() bool { _, err := os.Stat(file); return err == nil })
	return func() string {
		text, _ := os.ReadFile(file)
		return string(text)
	}
}

// keys types, by tmux' names of keys.
func (p *pane) keys(keys ...string) {
	p.t.Helper()
	if err := exec.Command("tmux", append([]string{"-S", p.socket, "send-keys"}, keys...)...).Run(); err != nil {
		p.t.Fatal(err)
	}
}
