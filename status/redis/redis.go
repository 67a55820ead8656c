// Package redis decorates a record with Redis: every transition leaves the
// job's snapshot there, as callers see it, and tells subscribers. Polling then
// costs the database nothing, and a web app may read the snapshot itself.
//
// Redis is never the truth and never fails a job. While it is away, callers
// are served from the record; what it missed meanwhile is made up for when it
// is back, and no reader trusts an unfinished job's snapshot for longer than
// MaxAge.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

const (
	// TTL is how long a snapshot stays after its last change.
	TTL = 24 * time.Hour
	// MaxAge is how long the snapshot of an unfinished job is believed: the
	// bound on how late a reader learns of a change that Redis missed. That
	// of a finished job is final.
	MaxAge = 5 * time.Second

	dialTimeout = time.Second
	ioTimeout   = 500 * time.Millisecond
	maxRetries  = 1
)

// ErrBadURL: the URL cannot be parsed. The parser's own words are left out,
// because they can quote the password.
var ErrBadURL = errors.New("redis: REDIS_URL is not a valid URL; it looks like rediss://default:password@host:6379")

// SnapshotKey is where the snapshot of a job is kept, a JSON string.
func SnapshotKey(id string) string { return "job:" + id }

// EventsChannel is where every new snapshot of a job is published.
func EventsChannel(id string) string { return "job:" + id + ":events" }

// CancelChannel is where the ID of every canceled job is published.
const CancelChannel = "jobs:canceled"

// NewClient prepares a client for the server at url. It connects on first use.
func NewClient(url string) (*goredis.Client, error) {
	opts, err := goredis.ParseURL(url)
	if err != nil {
		return nil, ErrBadURL
	}
	opts.DialTimeout = dialTimeout
	opts.ReadTimeout = ioTimeout
	opts.WriteTimeout = ioTimeout
	opts.MaxRetries = maxRetries
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true
	// Upstash knows neither CLIENT SETINFO nor maintenance notifications, and
	// every command is billed.
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return goredis.NewClient(opts), nil
}

// Store is a status.Store whose transitions are published.
type Store struct {
	status.Store
	render func(job.Job) ([]byte, error)
	cache  *cache
	cancels
}

var _ status.Store = (*Store)(nil)

// New decorates inner. render is the job as callers see it, a JSON object that
// says "version" before anything a caller may choose.
func New(inner status.Store, client *goredis.Client, render func(job.Job) ([]byte, error), log *slog.Logger) *Store {
	s := &Store{Store: inner, render: render, cache: newCache(client, log)}
	s.cancels.cache = s.cache
	return s
}

// Create implements status.Store.
func (s *Store) Create(ctx context.Context, sub status.Submission) (job.Job, []job.Task, error) {
	j, tasks, err := s.Store.Create(ctx, sub)
	if err != nil {
		return j, tasks, err
	}
	// What callers look for first in a new job is when it will start.
	shown := j
	if read, err := s.Get(ctx, j.ID); err == nil && read.Version == j.Version {
		shown = read
	}
	s.publish(ctx, shown, nil)
	return j, tasks, nil
}

// Claim implements status.Store.
func (s *Store) Claim(ctx context.Context, r status.ClaimRequest) (status.Claim, error) {
	c, err := s.Store.Claim(ctx, r)
	s.publish(ctx, c.Job, err)
	return c, err
}

// Succeed implements status.Store.
func (s *Store) Succeed(ctx context.Context, c status.Claim, r status.Success) (job.Job, error) {
	j, err := s.Store.Succeed(ctx, c, r)
	s.publish(ctx, j, err)
	return j, err
}

// Fail implements status.Store.
func (s *Store) Fail(ctx context.Context, c status.Claim, reason job.Error) (job.Job, error) {
	j, err := s.Store.Fail(ctx, c, reason)
	s.publish(ctx, j, err)
	return j, err
}

// Requeue implements status.Store.
func (s *Store) Requeue(ctx context.Context, c status.Claim, r status.Requeue) (job.Job, job.Task, error) {
	j, task, err := s.Store.Requeue(ctx, c, r)
	s.publish(ctx, j, err)
	return j, task, err
}

// Cancel implements status.Store, and tells those who work on the job.
func (s *Store) Cancel(ctx context.Context, id string) (job.Job, error) {
	j, err := s.Store.Cancel(ctx, id)
	s.publish(ctx, j, err)
	if err == nil {
		s.cache.tell(ctx, id)
	}
	return j, err
}

// Reap implements status.Store.
func (s *Store) Reap(ctx context.Context, grace time.Duration, limit int) ([]job.Job, []job.Task, error) {
	jobs, tasks, err := s.Store.Reap(ctx, grace, limit)
	s.publishAll(ctx, jobs, err)
	return jobs, tasks, err
}

// Expire implements status.Store.
func (s *Store) Expire(ctx context.Context, reason job.Error, limit int) ([]job.Job, error) {
	jobs, err := s.Store.Expire(ctx, reason, limit)
	s.publishAll(ctx, jobs, err)
	return jobs, err
}

func (s *Store) publishAll(ctx context.Context, jobs []job.Job, err error) {
	for _, j := range jobs {
		s.publish(ctx, j, err)
	}
}

// publish leaves j's snapshot in Redis, unless err says that there was no
// transition. It never fails; see cache.put.
func (s *Store) publish(ctx context.Context, j job.Job, err error) {
	if err != nil {
		return
	}
	snap, err := s.snapshot(j)
	if err != nil {
		s.cache.log.ErrorContext(ctx, "a job cannot be rendered", "job_id", j.ID, "error", err)
		return
	}
	s.cache.put(ctx, snap)
}

func (s *Store) snapshot(j job.Job) (status.Snapshot, error) {
	doc, err := s.render(j)
	if err != nil {
		return status.Snapshot{}, fmt.Errorf("redis: render job %s: %w", j.ID, err)
	}
	return status.Snapshot{JSON: doc, ID: j.ID, Tenant: j.Tenant, Version: j.Version, Status: j.Status}, nil
}

// Snapshot returns the job as callers see it, from Redis where that can be
// believed, else from the record. It fails with status.ErrNotFound.
func (s *Store) Snapshot(ctx context.Context, id string) (status.Snapshot, error) {
	if snap, ok := s.cache.get(ctx, id); ok {
		return snap, nil
	}
	j, err := s.Get(ctx, id)
	if err != nil {
		return status.Snapshot{}, err
	}
	snap, err := s.snapshot(j)
	if err != nil {
		return status.Snapshot{}, err
	}
	s.cache.put(ctx, snap)
	return snap, nil
}

// recheck is how often Await looks for itself, in case Redis is away or an
// event was lost.
const recheck = 2 * time.Second

// Await returns the job's snapshot once the job has ended, or as it is when
// ctx does. It fails with status.ErrNotFound.
func (s *Store) Await(ctx context.Context, id string) (status.Snapshot, error) {
	events, stop := s.cache.subscribe(ctx, id)
	defer stop()
	read := context.WithoutCancel(ctx) // so that the end of ctx still gets an answer
	for {
		snap, err := s.Snapshot(read, id)
		if err != nil || snap.Status.Terminal() {
			return snap, err
		}
		select {
		case <-ctx.Done():
			return snap, nil
		case <-events:
		case <-time.After(recheck):
		}
	}
}
