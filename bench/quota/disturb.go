package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// stallFor is how long Postgres or Redis stands still.
	stallFor = 6 * time.Second
	// disturbEvery is the time in which one thing happens, at a random moment.
	disturbEvery = 30 * time.Second
)

// A stretch is a time in which a service stood still.
type stretch struct{ start, end time.Time }

// disturb lets Postgres stand still, Redis stand still and an instance end, in
// turn and at random moments, for as long as window. It returns when services
// stood still.
func (b *bench) disturb(ctx context.Context, window time.Duration, seed uint64) ([]stretch, error) {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
	begin := time.Now()
	var stalls []stretch
	for n := range int(window / disturbEvery) {
		latest := disturbEvery - stallFor // so that a stall ends before the next thing happens
		at := time.Duration(n)*disturbEvery + time.Duration(random.Int64N(int64(latest)))
		if err := sleep(ctx, time.Until(begin.Add(at))); err != nil {
			return stalls, err
		}
		var err error
		switch from := time.Now(); n % 3 {
		case 0:
			err = b.stallPostgres(ctx)
			stalls = append(stalls, stretch{from, time.Now()})
		case 1:
			err = b.stall(ctx, b.redisPID)
			stalls = append(stalls, stretch{from, time.Now()})
		case 2:
			err = b.replace(ctx)
		}
		if err != nil {
			return stalls, err
		}
	}
	return stalls, nil
}

// stall stops processes for a while.
func (b *bench) stall(ctx context.Context, pids ...int) error {
	var errs []error
	for _, pid := range pids {
		errs = append(errs, syscall.Kill(pid, syscall.SIGSTOP))
	}
	errs = append(errs, sleep(ctx, stallFor))
	for _, pid := range pids {
		errs = append(errs, syscall.Kill(pid, syscall.SIGCONT))
	}
	return errors.Join(errs...)
}

// stallPostgres stops Postgres with all its processes for a while. The server
// must run on this machine.
func (b *bench) stallPostgres(ctx context.Context) error {
	children, err := childrenOf(b.postmasterPID)
	if err != nil {
		return err
	}
	return b.stall(ctx, append(children, b.postmasterPID)...)
}

// postmaster returns the number of the process that started the server.
func postmaster(ctx context.Context, databaseURL string) (pid int, err error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)::int`).Scan(&pid)
	return pid, err
}

// childrenOf returns the children of a process. It fails where there is no
// /proc.
func childrenOf(parent int) (children []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return nil, errors.Join(errors.New("-disturb needs /proc"), err)
	}
	for _, name := range stats {
		text, err := os.ReadFile(name) //nolint:gosec // the name is a number
		if err != nil {
			continue // it has ended
		}
		// The second field, the program's name in brackets, may have spaces.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(parent) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		children = append(children, pid)
	}
	return children, nil
}

// replace starts an instance, and tells the oldest one to end, as a deploy does.
func (b *bench) replace(ctx context.Context) error {
	if err := b.launch(ctx); err != nil {
		return err
	}
	old := b.instances[0]
	b.instances = b.instances[1:]
	b.proxy.Remove(old)
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return old.Stop(ctx)
}

// sleep waits for d. It fails if ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
