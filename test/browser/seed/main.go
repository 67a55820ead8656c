// Command seed fills a folder with a month of work, for `make dev` or a test to start
// on: 5,000 jobs of every state, with their pictures. It goes through the record, as
// the service does, with a clock of its own. What it makes is the same each time,
// but for the time that it ends at, which is now.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/ai-worker/ai-worker/record/memory"
)

// jobs is how many jobs have ended. Some more wait or are being drawn.
const jobs = 5000

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "seed: %v\n", err)
		os.Exit(1)
	}
}

// run fills the folder `.data` in the one that it is given.
func run(ctx context.Context, args []string) (err error) {
	if len(args) != 1 {
		return errors.New("name the folder in which the service is started, such as `seed .`")
	}
	dir := filepath.Join(args[0], ".data")
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there already: remove it, or name another folder", dir)
	}
	samples, err := drawSamples(ctx, filepath.Join(dir, "s3"))
	if err != nil {
		return err
	}
	end := time.Now().UTC().Truncate(time.Millisecond)
	p := &player{random: rand.New(rand.NewPCG(1, 2)), samples: samples, end: end, now: end}
	p.record, err = memory.Open(filepath.Join(dir, "record"), memory.WithClock(func() time.Time { return p.now }))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.record.Close()) }()
	return p.play(ctx)
}
