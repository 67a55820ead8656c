// Package service puts the service together from its settings. Production and
// development differ only in the record that they hand over, and in where the
// settings point.
package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/snapshot"
	"github.com/ai-worker/ai-worker/storage"
	"github.com/ai-worker/ai-worker/sweep"
	"github.com/ai-worker/ai-worker/worker"
)

// dispatchDeadline is how long Cloud Tasks listens to a delivery. It must be
// above worker.Limits.DeliveryTimeout, and below Cloud Run's request time-out.
const dispatchDeadline = 10 * time.Minute

// Service is the service, put together.
type Service struct {
	handler http.Handler
	drain   func()                  // begins nothing new from then on
	abort   context.CancelCauseFunc // cuts what runs
	redis   *redis.Client
	queue   *cloudtasks.Client
	sweeper *sweep.Sweeper
	pacers  []*lane.Pacer
	log     *slog.Logger
}

// New puts the service together on a record. It connects to nothing yet. The
// caller closes the record.
func New(ctx context.Context, cfg config.Config, rec record.Record, version string, log *slog.Logger) (*Service, error) {
	process, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	draining, drain := context.WithCancel(context.WithoutCancel(ctx))
	s := &Service{drain: drain, abort: abort, log: log}
	goredis.SetLogger(redisLog{log})
	var err error
	if s.redis, err = redis.NewClient(cfg.RedisURL.Reveal(), log); err != nil {
		return nil, err
	}
	if s.queue, err = NewQueueClient(ctx, cfg.Tasks); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	pictures, lanes := newPictures(cfg.R2), lanesOf(cfg)
	published := snapshot.NewRecord(rec, s.redis, newRenderer(cfg, pictures), log)
	var producer *enqueue.Producer
	budgets := newBudgetBook(cfg, func() *enqueue.Webhooks { return producer.Webhooks() }, log)
	producer = enqueue.New(enqueue.Config{
		Record: published, Queue: s.queue, Inputs: pictures, Lanes: lanes, MaxWaiting: cfg.MaxWaiting, Process: process, Log: log,
		Target: newTarget(cfg.Tasks), Budgets: budgets,
	})
	hooks, err := newWebhooks(cfg, published, producer, draining.Done(), log)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}

	s.sweeper = &sweep.Sweeper{
		Record: published, Producer: producer, Lanes: lanes, Objects: pictures, Retention: cfg.Retention, Log: log,
		Webhooks: hooks.ofSweeps(cfg.Tasks), Budgets: budgets,
	}
	operators := &operatorJobs{cfg, published, producer, hooks.queue, s.sweeper}
	s.sweeper.Retrier = &bulkRetrier{operators}
	board, err := newDashboard(cfg, lanes, published, pictures, operators, log)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	routes := server.Config{
		Version: version, PublicURL: cfg.PublicURL, Log: log, Lanes: &handlers.Lanes{Lanes: lanes, Record: published, Log: log},
		Dashboard: board,
	}
	if cfg.Role.API() {
		routes.Jobs = &handlers.Jobs{
			Producer: producer, Snapshots: published, Record: published, Remover: s.sweeper, Uploader: pictures,
			Models: models(cfg), Draining: draining, Log: log, Webhooks: hooks, CheckURL: hooks.checkURL,
		}
		routes.Origins = cfg.Origins
		addKeys(&routes, cfg.APIKeys)
	}
	if cfg.Role.Worker() {
		if routes.OIDC, err = newOIDC(ctx, cfg.Tasks, log); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		w, err := s.newWorker(ctx, cfg, published, pictures, producer, budgets, draining.Done())
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		routes.Tasks = &handlers.Tasks{Worker: w, Sweeper: s.sweeper, Process: process, Log: log, Webhooks: hooks.deliverer}
	}
	s.handler = server.New(routes)
	return s, nil
}

// newPictures returns the bucket that pictures are in.
func newPictures(cfg config.R2) *storage.R2 {
	return storage.NewR2(storage.Config{
		Endpoint: cfg.Endpoint, AccessKeyID: cfg.AccessKeyID, SecretAccessKey: cfg.SecretAccessKey.Reveal(),
		Bucket: cfg.Bucket, PublicURL: cfg.PublicURL,
	})
}

// addKeys lets tenants in by their keys, within their limits.
func addKeys(routes *server.Config, keys []config.APIKey) {
	for _, key := range keys {
		routes.Keys.Add(key.Tenant, key.Key.Reveal(), key.Weight)
		routes.Keys.Limit(key.Tenant, handlers.Limits{MaxWaiting: key.MaxWaiting, MaxCostMicros: key.MaxCostMicros})
	}
}

// lanesOf returns the lanes of the settings, without their keys.
func lanesOf(cfg config.Config) []lane.Lane {
	lanes := make([]lane.Lane, len(cfg.Lanes))
	for i, l := range cfg.Lanes {
		lanes[i] = l.Lane
	}
	return lanes
}

// newRenderer returns what makes snapshots of jobs.
func newRenderer(cfg config.Config, pictures *storage.R2) snapshot.Renderer {
	lanes := make([]snapshot.Lane, len(cfg.Lanes))
	for i, l := range cfg.Lanes {
		lanes[i] = snapshot.Lane{
			Name: l.Lane.Name, Models: append([]string{l.Lane.Model}, l.Lane.AlsoServes...), RPM: l.Lane.RPM, Paused: l.Lane.Paused,
		}
	}
	return snapshot.Renderer{
		Lanes: lanes, Now: time.Now, BaseURL: cfg.PublicURL, ImageURL: pictures.URL, URLsExpire: pictures.URLsExpire,
		Budgets: cfg.Budgets,
	}
}

// newTarget returns the addresses that deliveries call.
func newTarget(cfg config.Tasks) enqueue.Target {
	return enqueue.Target{
		GenerateURL: cfg.WorkerURL + server.GeneratePath, SweepURL: cfg.WorkerURL + server.SweepPath,
		ServiceAccount: cfg.ServiceAccount, Audience: cfg.Audience,
		DispatchDeadline: dispatchDeadline, SweepQueue: cfg.SweepQueue,
		Webhooks: enqueue.WebhookTarget{
			Queue: cfg.WebhookQueue, URL: cfg.WorkerURL + server.WebhookPath, DispatchDeadline: webhookDeadline,
		},
	}
}

// models returns the models that callers may ask for, the default one first.
func models(cfg config.Config) []job.Model {
	var models []job.Model
	for _, name := range cfg.Models() {
		models = append(models, generate.Model(name))
	}
	// Older names stand for what is drawn in their place.
	for _, l := range cfg.Lanes {
		for _, name := range l.Lane.AlsoServes {
			if _, known := job.FindModel(models, name); !known {
				m := generate.Model(l.Lane.Model)
				m.Name = name
				models = append(models, m)
			}
		}
	}
	return models
}

// redisLog logs, for debugging, what the Redis client would otherwise print by
// itself. Failures are logged where they matter.
type redisLog struct{ log *slog.Logger }

// Printf implements the client's logger.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, v...))
}

// NewQueueClient returns the client of Cloud Tasks, or of an emulator.
func NewQueueClient(ctx context.Context, cfg config.Tasks) (*cloudtasks.Client, error) {
	var opts []option.ClientOption
	if cfg.Endpoint != "" {
		opts = []option.ClientOption{
			option.WithEndpoint(cfg.Endpoint), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		}
	}
	client, err := cloudtasks.NewClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("client of Cloud Tasks (run `gcloud auth application-default login` on a laptop): %w", err)
	}
	return client, nil
}

func newOIDC(ctx context.Context, cfg config.Tasks, log *slog.Logger) (*server.OIDC, error) {
	validator, err := server.NewValidator(ctx, cfg.JWKSURL)
	if err != nil {
		return nil, err
	}
	return server.NewOIDC(validator, server.OIDCConfig{
		Audience: cfg.Audience, ServiceAccount: cfg.ServiceAccount, BehindCloudRun: cfg.BehindCloudRun,
	}, log)
}

func (s *Service) newWorker(
	ctx context.Context, cfg config.Config, published *snapshot.Record,
	pictures *storage.R2, producer *enqueue.Producer, budgets record.BudgetBook, draining <-chan struct{},
) (*worker.Worker, error) {
	instance := rand.Text()
	lanes := make([]worker.LaneConfig, len(cfg.Lanes))
	for i, l := range cfg.Lanes {
		gemini, err := generate.NewGemini(ctx, generate.Config{APIKey: l.APIKey.Reveal(), BaseURL: cfg.Gemini.BaseURL})
		if err != nil {
			return nil, fmt.Errorf("lane %s: its key, or GEMINI_BASE_URL: %w", l.Lane.Name, err)
		}
		s.pacers = append(s.pacers, lane.NewPacer(l.Lane, s.redis, instance, cfg.Instances, s.log))
		lanes[i] = worker.LaneConfig{
			Lane: l.Lane, Model: generate.Model(l.Lane.Model), Generator: gemini, Pacer: s.pacers[i],
		}
	}
	limits := worker.DefaultLimits()
	if err := limits.Check(dispatchDeadline); err != nil {
		return nil, err
	}
	return worker.New(worker.Config{
		Lanes: lanes, Record: published, Images: pictures, Router: producer, Cancels: published,
		Limits: limits, Draining: draining, Log: s.log, Budgets: budgets,
	}), nil
}

// Handler returns the handler of all routes of the service.
func (s *Service) Handler() http.Handler { return s.handler }

// Sweep does one sweep. In production Cloud Scheduler asks for it.
func (s *Service) Sweep(ctx context.Context) {
	if _, err := s.sweeper.Sweep(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "sweep met trouble", "error", err)
	}
}

// Run serves handler on ln until ctx ends and all work is done or put back. As
// soon as ctx ends, no image is claimed any more, and no request is sent. The
// handler may serve more than Handler does.
func (s *Service) Run(ctx context.Context, ln net.Listener, handler http.Handler) error {
	defer context.AfterFunc(ctx, s.drain)()
	err := server.Run(ctx, ln, handler, func() { s.abort(worker.ErrShutdown) }, s.log)
	s.leave(context.WithoutCancel(ctx))
	return err
}

// leaveTimeout bounds leave. The process is killed 10 s after it was told to
// end, and has taken up to 9 s.
const leaveTimeout = 300 * time.Millisecond

// leave gives up this instance's share of each quota. If Redis does not hear of
// it, the share is kept free for some minutes.
func (s *Service) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	for _, p := range s.pacers {
		if err := p.Leave(ctx); err != nil {
			s.log.InfoContext(ctx, "the share of this instance stays reserved for some minutes", "error", err)
			return
		}
	}
}

// Close closes all connections.
func (s *Service) Close() error {
	s.drain()
	s.abort(worker.ErrShutdown)
	err := s.redis.Close()
	if s.queue != nil {
		err = errors.Join(err, s.queue.Close())
	}
	return err
}
