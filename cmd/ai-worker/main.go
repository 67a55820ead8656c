// Command ai-worker is the service: it accepts jobs for pictures and works on
// them. It is also the command line of those who ask for pictures.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/ai-worker/ai-worker/cmd/internal/caller"
)

// version is set by the build.
var version = "dev"

// A process is what a command gets from outside.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// commands is the command line.
type commands struct {
	Generate caller.Generate `cmd:"" group:"For those who ask for pictures:" help:"Ask for pictures, and wait for them."`
	Jobs     caller.Jobs     `cmd:"" group:"For those who ask for pictures:" help:"List, show, follow, cancel, retry and remove jobs."`

	Serve    serveCommand    `cmd:"" group:"For those who run the service:" help:"The API and Cloud Tasks' deliveries (ROLE=api, worker or dashboard for a part)."`
	Migrate  migrateCommand  `cmd:"" group:"For those who run the service:" help:"Bring the database at DATABASE_URL to the newest schema."`
	Doctor   doctorCommand   `cmd:"" group:"For those who run the service:" help:"Check every setting and every service, and say how to mend what is wrong."`
	Password passwordCommand `cmd:"" group:"For those who run the service:" help:"Read a password, and print the hash of it for DASHBOARD_USERS."`
	Version  versionCommand  `cmd:"" group:"For those who run the service:" help:"Print the version."`
	Help     struct{}        `cmd:"" hidden:""`
}

const description = `The service's settings come from the environment; the README lists them. Those who ask for pictures name it with AI_WORKER_URL and AI_WORKER_KEY.`

func main() {
	p := process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(p.main(os.Args[1:]))
}

// main runs a command, and returns its exit code.
func (p process) main(args []string) int {
	err := p.run(args)
	if err == nil {
		return 0
	}
	fmt.Fprintf(p.stderr, "ai-worker: %v\n", err)
	if bad, ok := errors.AsType[*misuse](err); ok {
		fmt.Fprintln(p.stderr)
		_ = bad.help(p.stderr) // there is nobody to tell
		return caller.ExitUsage
	}
	return caller.ExitCode(err)
}

// A misuse is a command line that is not understood.
type misuse struct {
	err  error
	help func(io.Writer) error // prints the help of the command that was meant
}

func (m *misuse) Error() string { return m.err.Error() }

func (p process) run(args []string) error {
	var all commands
	helped := false
	parser, err := kong.New(&all,
		kong.Name("ai-worker"), kong.Description(description), kong.Writers(p.stdout, p.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Exit(func(int) { helped = true }), // --help would end the process
	)
	if err != nil {
		return err
	}
	if len(args) == 1 && args[0] == "help" {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	switch {
	case helped:
		return nil
	case err != nil:
		return asMisuse(parser, args, err)
	default:
		return p.call(command)
	}
}

// asMisuse returns a parser's error as a misuse.
func asMisuse(parser *kong.Kong, args []string, err error) error {
	failed, ok := errors.AsType[*kong.ParseError](err)
	if ok && failed.Context.Selected() != nil {
		words := strings.TrimSpace(failed.Context.Selected().Path())
		return &misuse{err, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "See: ai-worker %s --help\n", words)
			return err
		}}
	}
	switch _, guess, _ := strings.Cut(err.Error(), ", did you mean"); {
	case len(args) == 0:
		err = errors.New("a command is expected")
	case guess != "":
		err = fmt.Errorf("unknown command: %q, did you mean%s", args[0], guess)
	case !strings.HasPrefix(args[0], "-"):
		err = fmt.Errorf("unknown command: %q", args[0])
	}
	return &misuse{err, func(w io.Writer) error {
		parser.Stdout = w
		_, err := parser.Parse([]string{"--help"})
		return err
	}}
}

// call runs a command that was parsed.
func (p process) call(command *kong.Context) error {
	switch words := strings.Fields(command.Command()); words[0] {
	case "generate", "jobs": // they ask what a signal is meant to do
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
		defer signal.Stop(signals)
		command.BindTo(context.Background(), (*context.Context)(nil))
		return command.Run(&caller.Environment{
			Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr, Getenv: p.getenv, Signals: signals,
		})
	default:
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		// The first signal asks for an orderly end. A second one ends the process
		// at once.
		context.AfterFunc(ctx, stop)
		command.BindTo(ctx, (*context.Context)(nil))
		return command.Run(p)
	}
}

type serveCommand struct{}

// Run implements the command.
func (serveCommand) Run(ctx context.Context, p process) error { return serve(ctx, p.getenv, p.stderr) }

type migrateCommand struct{}

// Run implements the command.
func (migrateCommand) Run(ctx context.Context, p process) error {
	return migrate(ctx, p.getenv, p.stdout)
}

type doctorCommand struct {
	JSON  bool `name:"json" help:"Print JSON, for machines."`
	Setup bool `help:"Leave out what is running already."`
	Keys  bool `help:"Look only at what is outside of Google Cloud and has its settings: the database, Redis, the bucket, the keys of lanes. For before anything is deployed."`
}

// Run implements the command.
func (d doctorCommand) Run(ctx context.Context, p process) error {
	return examine(ctx, d, p.getenv, p.stdout)
}

type passwordCommand struct{}

// Run implements the command.
func (passwordCommand) Run(p process) error { return password(p.stdin, p.stdout, p.stderr) }

type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run(p process) error {
	_, err := fmt.Fprintln(p.stdout, version)
	return err
}
