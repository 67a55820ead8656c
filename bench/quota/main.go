// Command quota measures how much of a quota of requests a minute the service
// uses, and whether it ever crosses the quota. It runs the built program, in
// one and in several instances, with a real Postgres and Redis and with the
// bursts of Cloud Tasks. Its stand-in for Gemini refuses every request that is
// one too many in any 60 s.
//
//	scripts/with-postgres.sh go run ./bench/quota -rpm 10,60 -instances 1,3 -for 3m
//
// With -disturb, Postgres and Redis stand still for 6 s at random moments, and
// instances are told to end and are replaced.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ai-worker/ai-worker/bench/fleet"
)

// program is the program that is measured.
const program = "github.com/ai-worker/ai-worker/cmd/ai-worker"

// errMissed says that a run crossed its quota or left too much of it unused.
var errMissed = errors.New("the target was missed")

// options are the command line.
type options struct {
	rates, instances []int
	window           time.Duration
	minLatency       time.Duration
	maxLatency       time.Duration
	pictureBytes     int
	parallel         int
	logs             string
	disturb          bool
	seed             uint64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr) //nolint:forbidigo // this is a command
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quota:", err)
		os.Exit(1) //nolint:forbidigo // this is a command
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	database := getenv("TEST_DATABASE_URL")
	if database == "" {
		return errors.New("TEST_DATABASE_URL is not set: run it with scripts/with-postgres.sh")
	}
	dir, err := os.MkdirTemp("", "quota-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path, err := fleet.Build(ctx, dir, program)
	if err != nil {
		return err
	}

	var results []*result
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(opts.parallel)
	for _, rpm := range opts.rates {
		for _, instances := range opts.instances {
			r := &result{rpm: rpm, instances: instances}
			results = append(results, r)
			g.Go(func() error {
				fmt.Fprintf(stderr, "%s  %4d RPM, %d instances: measuring\n", time.Now().Format(time.TimeOnly), rpm, instances)
				err := measure(ctx, r, opts, path, database, filepath.Join(dir, strconv.Itoa(rpm)+"-"+strconv.Itoa(instances)))
				if err != nil {
					return fmt.Errorf("%d RPM, %d instances: %w", rpm, instances, err)
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return report(stdout, results)
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var rates, instances string
	f := flag.NewFlagSet("quota", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&rates, "rpm", "10,60,1000", "quotas to measure, in requests a minute")
	f.StringVar(&instances, "instances", "1,3", "numbers of instances to measure each quota with")
	f.DurationVar(&o.window, "for", 0, "how long to measure once the pipeline is full (default 3m, from 1000 RPM on 2m)")
	f.DurationVar(&o.minLatency, "min-latency", 2*time.Second, "shortest time that a picture takes")
	f.DurationVar(&o.maxLatency, "max-latency", 20*time.Second, "longest time that a picture takes")
	f.IntVar(&o.pictureBytes, "picture-bytes", 1_500_000, "size of a picture")
	f.IntVar(&o.parallel, "parallel", 2, "measurements at once; each has services of its own")
	f.StringVar(&o.logs, "logs", "", "directory for what the instances log and when requests came (default nowhere)")
	f.BoolVar(&o.disturb, "disturb", false, "stop Postgres and Redis for 6 s, and replace an instance, in turn, one every 30 s; one measurement at a time")
	f.Uint64Var(&o.seed, "seed", 1, "of the moments at which -disturb does that")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.disturb {
		o.parallel = 1 // they share Postgres
	}
	var errs [2]error
	o.rates, errs[0] = numbers("rpm", rates)
	o.instances, errs[1] = numbers("instances", instances)
	if o.minLatency < 0 || o.maxLatency < o.minLatency || o.parallel < 1 {
		errs[0] = errors.Join(errs[0], errors.New("-max-latency must be at least -min-latency, and -parallel at least 1"))
	}
	return o, errors.Join(errs[:]...)
}

// numbers reads a list such as 10,60.
func numbers(flagName, list string) ([]int, error) {
	var all []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-%s: %q is not a number above 0", flagName, text)
		}
		all = append(all, n)
	}
	return all, nil
}

// For the fastest rates, one minute has enough requests for a good figure.
const (
	defaultWindow = 3 * time.Minute
	fastRPM       = 1000
	fastWindow    = 2 * time.Minute
)

// windowFor returns for how long a rate is measured.
func (o options) windowFor(rpm int) time.Duration {
	switch {
	case o.window > 0:
		return o.window
	case rpm >= fastRPM:
		return fastWindow
	default:
		return defaultWindow
	}
}

// concurrency returns how many requests at once a rate needs if every picture
// takes the maximum latency, and two more.
func (o options) concurrency(rpm int) int {
	return int(float64(rpm)*o.maxLatency.Minutes()) + 3
}
