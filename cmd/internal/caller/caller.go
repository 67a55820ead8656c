// Package caller is the command line for those who ask for pictures: `generate` and
// `jobs`. It is for people on a terminal and for scripts. Of the service it knows the
// API only, like any other caller.
package caller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
)

// Environment is what a command gets from its process.
type Environment struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Signals        <-chan os.Signal // what asks the command to end
}

const (
	urlVariable = "AI_WORKER_URL"
	keyVariable = "AI_WORKER_KEY"
	defaultURL  = "http://localhost:8080"
)

// Connection has the flags that say where the service is and who asks.
type Connection struct {
	URL     string `name:"url" placeholder:"URL" help:"Where the service is. Or AI_WORKER_URL; http://localhost:8080 if absent."`
	KeyFile string `placeholder:"FILE" help:"File that has the API key. Or AI_WORKER_KEY has the key itself."`
}

// Output has the flag that says what results look like.
type Output struct {
	JSON bool `name:"json" help:"Print JSON, as is done anyway where standard output is no terminal."`
}

// A session is one command with what it works on.
type session struct {
	*Environment

	client *client.Client
	screen *terminal.Screen
	asJSON bool
	url    string // of the service, without a password, for people
	flags  string // of Connection, as they were given, for commands that are proposed
}

// open returns the session of a command. It sends nothing yet.
func (c Connection) open(env *Environment, out Output) (*session, error) {
	s := &session{Environment: env, screen: terminal.Open(env.Stderr, env.Getenv), asJSON: out.JSON || !terminal.IsTerminal(env.Stdout)}
	address := cmp.Or(c.URL, env.Getenv(urlVariable), defaultURL)
	s.url = redacted(address)
	key, err := c.key(env.Getenv)
	if err != nil {
		return nil, err
	}
	s.client, err = client.New(client.Config{
		URL: address, Key: key, IsGuess: c.URL == "" && env.Getenv(urlVariable) == "", OnRetry: s.sayRetry,
	})
	if err != nil {
		return nil, usage(err)
	}
	for _, flag := range [][2]string{{"--url", c.URL}, {"--key-file", c.KeyFile}} {
		if flag[1] != "" {
			s.flags += " " + flag[0] + " " + shellQuote(flag[1])
		}
	}
	return s, nil
}

// redacted returns an address without the password that it may have.
func redacted(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		return u.Redacted()
	}
	return address
}

// key returns the API key, or nothing for a service that has none.
func (c Connection) key(getenv func(string) string) (string, error) {
	if c.KeyFile == "" {
		return strings.TrimSpace(getenv(keyVariable)), nil
	}
	text, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return "", usage(fmt.Errorf("--key-file: %w", err))
	}
	key := strings.TrimSpace(string(text))
	if key == "" {
		return "", usage(fmt.Errorf("--key-file: %s is empty", c.KeyFile))
	}
	return key, nil
}

// sayRetry tells people why nothing happens.
func (s *session) sayRetry(after time.Duration, reason error) {
	s.screen.Print(fmt.Sprintf("%s; trying again in %s", terminal.Clean(reason.Error()), terminal.Duration(after+time.Second-1)))
}

// run calls f, whose context a signal ends.
func (s *session) run(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-s.Signals:
			cancel(errInterrupted)
		case <-done:
		}
	}()
	err := f(ctx)
	close(done)
	<-stopped // what follows reads the signals itself
	return err
}

// isPerson reports whether somebody sees questions and can answer them.
func (s *session) isPerson() bool {
	return terminal.IsTerminal(s.Stdin) && terminal.IsTerminal(s.Stderr)
}

// command returns a command that a person can paste.
func (s *session) command(words ...string) string {
	for i := range words {
		words[i] = shellQuote(words[i])
	}
	return "ai-worker " + strings.Join(words, " ") + s.flags
}

// shellQuote returns a word as a shell reads it.
func shellQuote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("-_./:@%+,=", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// print prints a result.
func (s *session) print(lines ...string) error {
	_, err := fmt.Fprintln(s.Stdout, strings.Join(lines, "\n"))
	return err
}

// isRefusal reports whether the service has refused a request, and so has not done
// what it asked for.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Status >= 300 && e.Status < 500 && e.Status != 408
}

// mayBeAccepted reports whether a request failed in such a way that the service may
// have accepted it all the same.
func mayBeAccepted(err error) bool {
	return err != nil && !isRefusal(err) && !client.NothingListens(err)
}
