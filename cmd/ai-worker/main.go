// Command ai-worker is the service: it accepts jobs for pictures and works on
// them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build.
var version = "dev"

const usage = `Usage: ai-worker COMMAND

  serve      the API and Cloud Tasks' deliveries (ROLE=api or worker for one of them)
  migrate    bring the database at DATABASE_URL to the newest schema
  doctor     check every setting and every service, and say how to mend what is wrong;
             --json for machines, --setup to leave out what is running already
  version    print the version

Settings come from the environment; the README lists them.
`

// errUsage means that the command line is not understood.
var errUsage = errors.New("unknown command")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// The first signal asks for an orderly end. A second one ends the process
	// at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "ai-worker: %v\n\n%s", err, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "ai-worker: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) != 1 && (len(args) == 0 || args[0] != "doctor") {
		return fmt.Errorf("%w: one command is expected, and %d words were given", errUsage, len(args))
	}
	switch args[0] {
	case "doctor":
		return examine(ctx, args[1:], getenv, stdout)
	case "serve":
		return serve(ctx, getenv, stderr)
	case "migrate":
		return migrate(ctx, getenv, stdout)
	case "version":
		_, err := fmt.Fprintln(stdout, version)
		return err
	case "help", "-h", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	default:
		return fmt.Errorf("%w: %q", errUsage, args[0])
	}
}
