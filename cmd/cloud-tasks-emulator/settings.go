package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// help is what --help prints.
//
//go:embed help.txt
var help string

const (
	defaultHost  = "localhost"
	defaultPort  = 8123
	defaultGrace = 8 * time.Second // Docker kills after ten
)

// settings are what the command line says.
type settings struct {
	host    string
	port    int
	queues  []namedQueue
	options cloudtasks.Options
	grace   time.Duration
	verbose bool
	check   bool
}

// texts is a flag that may be given several times.
type texts []string

func (t *texts) String() string { return "" }

func (t *texts) Set(value string) error {
	*t = append(*t, value)
	return nil
}

// parse reads the command line and the files that it names. It returns
// flag.ErrHelp for --help.
func parse(args []string) (settings, error) {
	var s settings
	var queues, files, accounts, hosts texts
	var speed float64
	o := &s.options
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&s.host, "host", defaultHost, "")
	f.IntVar(&s.port, "port", defaultPort, "")
	f.Var(&hosts, "allow-host", "")
	f.Var(&queues, "queue", "")
	f.Var(&files, "queues-file", "")
	f.BoolVar(&o.AutoCreateQueues, "auto-create-queues", false, "")
	f.StringVar(&o.StateDir, "state-dir", "", "")
	f.StringVar(&o.DefaultURL, "default-url", "", "")
	f.StringVar(&o.AppEngineURL, "app-engine-url", "", "")
	f.StringVar(&o.Issuer, "issuer", "", "")
	f.Var(&accounts, "service-account", "")
	f.Float64Var(&speed, "speed", 1, "")
	f.IntVar(&o.Duplicates.Every, "duplicate-every", 0, "")
	f.Float64Var(&o.Duplicates.Probability, "duplicate-probability", 0, "")
	f.DurationVar(&o.Duplicates.Delay, "duplicate-delay", 0, "")
	f.BoolVar(&o.SlowStart, "slow-start", false, "")
	f.BoolVar(&o.NoThrottling, "no-throttling", false, "")
	f.DurationVar(&o.TaskTombstone, "task-tombstone", time.Hour, "")
	f.DurationVar(&o.QueueTombstone, "queue-tombstone", 72*time.Hour, "")
	f.Uint64Var(&o.Seed, "seed", 0, "")
	f.DurationVar(&s.grace, "grace", defaultGrace, "")
	f.BoolVar(&s.verbose, "verbose", false, "")
	f.BoolVar(&s.check, "check", false, "")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("%q is no flag; queues are named with --queue", f.Arg(0))
	}
	o.ServiceAccounts, o.Hosts = accounts, hosts
	o.TaskTombstone, o.QueueTombstone = orNone(o.TaskTombstone), orNone(o.QueueTombstone)
	if speed > 0 && speed != 1 && speed <= maxSpeed {
		o.Clock = cloudtasks.NewFastClock(speed)
	}
	var errs []error
	s.queues, errs = readQueues(queues, files)
	return s, errors.Join(append(errs, s.invalid(speed)...)...)
}

// maxSpeed is the fastest clock: an hour in 4 milliseconds.
const maxSpeed = 1e6

// orNone turns a duration of zero, which means none here, into the negative one
// that means it in Options.
func orNone(d time.Duration) time.Duration {
	if d <= 0 {
		return -1
	}
	return d
}

// invalid returns what is wrong with the values of flags.
func (s *settings) invalid(speed float64) (errs []error) {
	d := s.options.Duplicates
	for _, check := range []struct {
		ok   bool
		text string
	}{
		{s.port >= 0 && s.port <= 65535, "--port must be from 0 to 65535"},
		{speed > 0 && speed <= maxSpeed, fmt.Sprintf("--speed must be above 0 and at most %.0f", maxSpeed)},
		{d.Every >= 0, "--duplicate-every must not be negative"},
		{d.Probability >= 0 && d.Probability <= 1, "--duplicate-probability must be from 0 to 1"},
		{d.Delay >= 0, "--duplicate-delay must not be negative"},
		{s.grace >= 0, "--grace must not be negative"},
	} {
		if !check.ok {
			errs = append(errs, errors.New(check.text))
		}
	}
	return errs
}
