// Package chaos_test breaks everything around the built program, and the
// program itself, at random. Then it counts. No job may be lost. No picture may
// be lost, or paid for twice without a crash that explains it. Every counter
// must be right.
//
// `make test` runs it for a short time, `make chaos` for longer:
//
//	CHAOS_SECONDS=600 CHAOS_SEED=7 scripts/with-postgres.sh go test -v -count=1 -timeout=30m ./test/chaos
//
// The seed fixes every choice: what breaks, when and for how long, what Gemini
// and R2 answer to their nth request, and when which jobs are submitted. The
// machine's speed decides what is under way at those moments, and so which
// request is the nth.
//
// # Time
//
// Production waits longer than the test can: 60 s for a dead worker's lease,
// and up to five minutes between attempts. The test lets that time pass in two
// ways. Neither has an effect that time alone would not have.
//
//   - Leases of processes that are gone run out at once. Whose a lease is, is
//     known exactly: each process has a name of its own in Postgres, and a
//     trigger notes who claimed what. A living worker's lease is never touched.
//   - Tasks that wait for a later time are run early by RunTask, as anybody can
//     from the console. The service takes the coming of a task as its time, since
//     clocks differ.
//   - Pauses of lanes end at once, and the workers, which remember them, are
//     deployed again. The lanes are on probation then, as after any pause.
//
// # Old and new together
//
// With OLD=path of the program of the version before, each second process is one of
// it while things break, on the schema of the new one: they take calls, deliveries
// and sweeps at random. The last deploy leaves only new ones. `make rolling` does that.
//
// # Poison
//
// The requests of some jobs are refused in a way that closes lanes, whatever else
// happens. Callers go on asking for pictures until these jobs have failed.
package chaos_test

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	// shortSeconds is for how many seconds things break in `make test`.
	shortSeconds = 30
	// picturesPerSecond keeps three workers busy, but does not overload two
	// cores.
	picturesPerSecond = 3
	// endPatience bounds the wait for the next image to end once nothing breaks.
	endPatience = 100 * time.Second
	// hangPatience is added if Gemini may leave a request without an answer.
	// The worker ends such a request after two minutes.
	hangPatience = 150 * time.Second

	hurryEvery = 500 * time.Millisecond
	sweepEvery = 3 * time.Second
)

func TestChaos(t *testing.T) {
	t.Parallel()
	seed, length := settings(t)
	long := length > shortSeconds*time.Second
	t.Logf("CHAOS_SEED=%d CHAOS_SECONDS=%.0f", seed, length.Seconds())
	plan := newPlan(seed, length)
	d := deploy(t, seed, long, plan, nil)
	jobs := d.run(plan, long)
	if !t.Failed() {
		d.check(jobs)
	}
}

// run submits the jobs of a plan, breaks and repairs things meanwhile, and waits
// until everything has ended. It returns all jobs.
func (d *deployment) run(plan plan, long bool) []*submitted {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	helpers.Go(func() { every(ctx, hurryEvery, d.hurry) })
	helpers.Go(func() { every(ctx, sweepEvery, d.sweep) })

	var callers sync.WaitGroup
	jobs := make([]*submitted, len(plan.jobs))
	for n, p := range plan.jobs {
		jobs[n] = &submitted{number: n, planned: p}
		callers.Go(func() { d.submit(ctx, jobs[n]) })
	}
	d.perform(ctx, plan.steps)
	callers.Wait() // all is asked for while budgets are short

	whole := time.Now()
	d.mend(ctx)
	jobs = d.trickle(ctx, jobs)
	patience := endPatience
	if long {
		patience += hangPatience
	}
	d.awaitEnd(ctx, patience)
	d.awaitSettled(ctx)
	if d.receiver != nil {
		d.awaitTold(ctx)
	}
	cancel()
	helpers.Wait()
	d.t.Logf("everything has ended %.0f s after the trouble did", time.Since(whole).Seconds())
	d.crew.checkEnds(long)
	return jobs
}

// settings reads the seed and the length of the run.
func settings(t *testing.T) (seed uint64, length time.Duration) {
	t.Helper()
	number := func(name string, otherwise uint64) uint64 {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	seed = number("CHAOS_SEED", uint64(rand.Uint32()))
	return seed, time.Duration(number("CHAOS_SECONDS", shortSeconds)) * time.Second
}

// every calls f once an interval until ctx ends.
func every(ctx context.Context, interval time.Duration, f func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// until calls f until it returns true or ctx ends.
func until(ctx context.Context, f func() bool) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// wait waits for d, and reports whether ctx is still going on then.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
