package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ai-worker/ai-worker/bench/fleet"
	"github.com/ai-worker/ai-worker/local/s3"
)

const (
	bucket = "pictures"
	apiKey = "0123456789abcdef"
)

// A bench is the services and the instances of one measurement.
type bench struct {
	model     *quotaGemini
	proxy     *fleet.Proxy
	program   fleet.Program
	logs      string // directory for what instances print, with a prefix; may be empty
	instances []*fleet.Instance
	launched  int
	pictures  string // directory of the stored ones
	closes    []func() error

	postmasterPID, redisPID int
}

// start starts the services, and then the instances.
func (b *bench) start(ctx context.Context, r *result, o options, path, databaseServer, dir string) error {
	env, err := b.startStores(ctx, o, databaseServer, dir)
	if err != nil {
		return err
	}
	concurrency := o.concurrency(r.rpm)
	if b.model, err = newQuotaGemini(r.rpm, o); err != nil {
		return err
	}
	model, stopModel, err := serve(b.model)
	if err != nil {
		return err
	}
	b.closes = append(b.closes, stopModel)
	queue, err := startQueue(ctx, r.rpm, concurrency)
	if err != nil {
		return err
	}
	b.closes = append(b.closes, func() error {
		ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancel() // the requests under way are of no use
		if err := queue.Close(ended); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	keys, stopKeys, err := serve(queue.JWKS())
	if err != nil {
		return err
	}
	b.closes = append(b.closes, stopKeys)
	if b.proxy, err = fleet.NewProxy(); err != nil {
		return err
	}
	b.closes = append(b.closes, b.proxy.Close)

	env = append(env, "GEMINI_API_KEY=AIzaBench", "GEMINI_BASE_URL="+model,
		"GEMINI_RPM="+strconv.Itoa(r.rpm), "WORKER_CONCURRENCY="+strconv.Itoa(concurrency),
		"WORKER_MAX_INSTANCES="+strconv.Itoa(r.instances),
		"CLOUD_TASKS_QUEUE="+queueName, "CLOUD_TASKS_ENDPOINT="+queue.Addr(), "TASKS_JWKS_URL="+keys,
		"WORKER_URL="+b.proxy.URL(), "TASKS_SERVICE_ACCOUNT=tasks@p.iam.gserviceaccount.com", "API_KEYS=web:"+apiKey,
		"MAX_WAITING_PICTURES=10000000") // all of a run at once
	b.program = fleet.Program{Path: path, Args: []string{"serve"}, Env: env}
	if o.logs != "" {
		b.logs = filepath.Join(o.logs, fmt.Sprintf("%d-%d", r.rpm, r.instances))
	}
	migrate := exec.CommandContext(ctx, path, "migrate")
	migrate.Env = env
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w\n%s", err, out)
	}
	for range r.instances {
		if err := b.launch(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startStores starts what keeps data, and returns the settings to reach it by.
func (b *bench) startStores(ctx context.Context, o options, databaseServer, dir string) (env []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	database, drop, err := newDatabase(ctx, databaseServer)
	if err != nil {
		return nil, err
	}
	b.closes = append(b.closes, drop)
	if o.disturb {
		if b.postmasterPID, err = postmaster(ctx, database); err != nil {
			return nil, err
		}
	}
	redis, server, err := startRedis(ctx, dir)
	if err != nil {
		return nil, err
	}
	b.redisPID = server.Pid
	b.closes = append(b.closes, func() error { kill(server); return nil })
	store, err := s3.Start(s3.Options{Dir: dir, Bucket: bucket})
	if err != nil {
		return nil, err
	}
	b.closes, b.pictures = append(b.closes, store.Close), filepath.Join(dir, bucket)
	return []string{
		"DATABASE_URL=" + database, "REDIS_URL=" + redis,
		"R2_ENDPOINT=" + store.URL(), "R2_ACCESS_KEY_ID=id", "R2_SECRET_ACCESS_KEY=secret", "R2_BUCKET=" + bucket,
	}, nil
}

// launch starts one more instance.
func (b *bench) launch(ctx context.Context) error {
	b.launched++
	log, err := openLog(b.logs, strconv.Itoa(b.launched)+".log")
	if err != nil {
		return err
	}
	b.closes = append(b.closes, log.Close)
	started, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	program := b.program
	program.Log = log
	i, err := fleet.Start(started, program)
	if err != nil {
		return err
	}
	b.closes = append(b.closes, func() error { i.Kill(); return nil })
	b.instances = append(b.instances, i)
	b.proxy.Add(i)
	return nil
}

// openLog opens a file for what an instance prints. Without a directory, that
// is dropped.
func openLog(dir, name string) (*os.File, error) {
	if dir == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(dir, name)) //nolint:gosec // where the user wants it
}

// close ends everything, in the reverse order of the start.
func (b *bench) close() error {
	var errs []error
	for _, closeIt := range slices.Backward(b.closes) {
		errs = append(errs, closeIt())
	}
	return errors.Join(errs...)
}
