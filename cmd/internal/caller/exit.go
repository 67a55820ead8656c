package caller

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
)

// Exit codes. Help and docs/cli.md have the same table.
const (
	ExitFailed      = 1   // the request was refused, or the service could not be asked
	ExitUsage       = 2   // the command line is wrong; nothing was sent
	ExitIncomplete  = 3   // the job has ended without all of its pictures
	ExitNotFound    = 4   // there is no such job
	ExitUnsaved     = 5   // the job has its pictures, and one could not be saved here
	ExitInterrupted = 130 // the command was interrupted
)

// ExitCodes is the table for people.
const ExitCodes = `Exit codes:
  0    done; of a job that was waited for: all pictures are there
  1    the request was refused, or the service could not be asked
  2    the command line is wrong; nothing was sent
  3    the job has ended without all of its pictures
  4    there is no such job
  5    a picture could not be saved here; the job has it
  130  interrupted; a job that was accepted goes on, unless it was canceled`

// An exit is an error that has its own exit code.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }

// errInterrupted means that a signal ended the command.
var errInterrupted = &exit{ExitInterrupted, errors.New("interrupted")}

// usage returns err as an error of the command line.
func usage(err error) error { return &exit{ExitUsage, err} }

// with returns err with a hint on a line of its own. The exit code stays.
func with(err error, hint string) error { return fmt.Errorf("%w\n%s", err, hint) }

// ExitCode returns the exit code of a command that ended with err.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if own, ok := errors.AsType[*exit](err); ok {
		return own.code
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusNotFound && strings.Contains(e.Call, "/api/jobs/") {
		return ExitNotFound
	}
	return ExitFailed
}

// explain returns err for people: what is wrong, where, and what mends it.
func (s *session) explain(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if _, done := errors.AsType[*explained](err); !ok || done {
		return err
	}
	return &explained{text: s.describe(e), err: err}
}

// An explained error reads as its text, and is otherwise the error itself.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

func (s *session) describe(e *client.Error) string {
	if client.NothingListens(e) {
		if s.url == defaultURL {
			return "nothing listens at " + s.url + ": start the service there with `make dev`, or say where it is with " +
				urlVariable + " or --url"
		}
		return "nothing listens at " + s.url + ": is that where the service is (" + urlVariable + ", --url), and does it run?"
	}
	lines := []string{terminal.Clean(e.Detail)}
	for _, f := range e.Fields {
		lines = append(lines, fmt.Sprintf("  %s: %s", flagOf(f.Location), terminal.Clean(f.Message)))
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		lines = append(lines, "Set "+keyVariable+" to an API key of the service, or name a file that has one with --key-file.")
	case e.RetryAfter > 0:
		lines = append(lines, "There may be room again in "+terminal.Duration(e.RetryAfter+time.Second-1)+".")
	case e.Status == 0:
		lines = append(lines, "The service should be at "+s.url+" ("+urlVariable+", --url).")
	}
	if e.Status >= http.StatusInternalServerError && e.RequestID != "" {
		lines = append(lines, "Its operators find the request as "+terminal.Clean(e.RequestID)+".")
	}
	return strings.Join(lines, "\n")
}

// flagOf returns the flag that a place in the request comes from.
func flagOf(location string) string {
	name, isBody := strings.CutPrefix(location, "body.")
	name, _, _ = strings.Cut(name, "[")
	switch {
	case !isBody:
		return terminal.Clean(location)
	case name == "prompt":
		return "the prompt"
	case name == "input_images":
		return "--input"
	case name == "webhook_events":
		return "--webhook-event"
	default:
		name, _, _ = strings.Cut(name, ".")
		return "--" + terminal.Clean(strings.ReplaceAll(name, "_", "-"))
	}
}
