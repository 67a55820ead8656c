package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9/logging"
	"google.golang.org/api/option"
	googlehttp "google.golang.org/api/transport/http"

	"github.com/ai-worker/ai-worker/cmd/internal/service"
	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/snapshot"
	"github.com/ai-worker/ai-worker/storage"
)

const (
	// lookTimeout bounds one request of doctor's own.
	lookTimeout = 5 * time.Second
	// cloudPlatform is the scope of all of Google Cloud. The account's roles
	// say what is allowed.
	cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"
)

// errUnwell means that something is wrong, and that the report has said what.
var errUnwell = errors.New("doctor")

// examine reports what is wrong with the deployment that the settings describe.
// It closes nothing at the end: the process ends, and must not wait for a
// service that hangs.
func examine(ctx context.Context, flags doctorCommand, getenv func(string) string, stdout io.Writer) error {
	logging.Disable() // the Redis client's own, to standard error
	cfg, err := config.Load(getenv)
	faults, are := errors.AsType[config.Faults](err)
	if err != nil && !are {
		return err
	}
	p := newPatient(ctx, cfg, strings.TrimSpace(getenv("LANES")) != "")
	d := doctor.Doctor{Lanes: len(cfg.Lanes), Secrets: config.Secrets(getenv)}
	for _, f := range faults {
		d.Faults = append(d.Faults, doctor.Fault{Setting: f.Setting, Problem: f.Problem})
	}
	checks := p.checks(flags.Setup)
	if flags.Keys {
		checks = p.keys()
		d.Faults, checks = present(d.Faults, checks, getenv)
	}
	report := d.Examine(ctx, checks)
	write := report.WriteText
	if flags.JSON {
		write = report.WriteJSON
	}
	if err := write(stdout); err != nil {
		return err
	}
	if n := report.Count(doctor.Failed); n > 0 {
		return fmt.Errorf("%w: %d failed", errUnwell, n)
	}
	return nil
}

// A patient is a deployment with clients of all its services. They connect on
// first use.
type patient struct {
	cfg      config.Config
	lanes    []doctor.LaneSettings
	pool     *pgxpool.Pool
	poolErr  error
	pictures *storage.R2
	queues   doctor.Open[doctor.Queues]
	google   doctor.Open[*http.Client]
	http     *http.Client
}

func newPatient(ctx context.Context, cfg config.Config, listed bool) *patient {
	p := &patient{cfg: cfg, http: &http.Client{
		Timeout:       lookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if len(cfg.Lanes) == 0 { // LANES cannot be read: one empty lane stands for the checks to skip
		p.cfg.Lanes = []config.KeyedLane{{}}
	}
	for _, l := range p.cfg.Lanes {
		p.lanes = append(p.lanes, doctor.LaneSettings{Quota: l.Lane, Listed: listed})
	}
	p.pool, p.poolErr = postgres.NewPool(ctx, cfg.DatabaseURL.Reveal())
	p.pictures = storage.NewR2(storage.Config{
		Endpoint: cfg.R2.Endpoint, AccessKeyID: cfg.R2.AccessKeyID, SecretAccessKey: cfg.R2.SecretAccessKey.Reveal(),
		Bucket: cfg.R2.Bucket, PublicURL: cfg.R2.PublicURL, AttemptTimeout: lookTimeout, MaxBackoff: time.Second,
	})
	p.queues = once(func(ctx context.Context) (doctor.Queues, error) { return service.NewQueueClient(ctx, cfg.Tasks) })
	p.google = once(func(ctx context.Context) (*http.Client, error) {
		client, _, err := googlehttp.NewClient(ctx, option.WithScopes(cloudPlatform))
		return client, err
	})
	return p
}

// once returns a function that creates a thing on its first call.
func once[T any](create func(context.Context) (T, error)) doctor.Open[T] {
	var (
		created sync.Once
		thing   T
		err     error
	)
	return func(ctx context.Context) (T, error) {
		created.Do(func() { thing, err = create(ctx) })
		return thing, err
	}
}

// keys returns the checks of what is outside of Google Cloud. They do not ask
// for a schema: it is to be made.
func (p *patient) keys() []doctor.Check {
	inspect := func(ctx context.Context) (postgres.Facts, error) {
		f, err := p.inspectDatabase(ctx)
		f.Pending = nil
		return f, err
	}
	checks := []doctor.Check{doctor.Database(inspect), doctor.Redis(p.inspectRedis), p.bucket()}
	for i, l := range p.lanes {
		checks = append(checks, p.gemini(l, p.cfg.Lanes[i].APIKey))
	}
	return checks
}

// present returns the checks that have at least one of their settings, and the
// faults of settings that those need.
func present(faults []doctor.Fault, checks []doctor.Check, getenv func(string) string) ([]doctor.Fault, []doctor.Check) {
	set := func(name string) bool { return strings.TrimSpace(getenv(name)) != "" }
	checks = slices.DeleteFunc(checks, func(c doctor.Check) bool { return !slices.ContainsFunc(c.Needs, set) })
	faults = slices.DeleteFunc(faults, func(f doctor.Fault) bool {
		return !slices.ContainsFunc(checks, func(c doctor.Check) bool { return slices.Contains(c.Needs, f.Setting) })
	})
	return faults, checks
}

// bucket returns the check of the bucket for pictures.
func (p *patient) bucket() doctor.Check {
	return doctor.Pictures{Bucket: p.pictures, Name: p.cfg.R2.Bucket, PublicURL: p.cfg.R2.PublicURL, HTTP: p.http}.Check()
}

// checks returns all checks in the order in which they are shown. With
// setupOnly it leaves out the checks of what runs already and of how its work
// is going: a deployment may be about to replace what runs.
func (p *patient) checks(setupOnly bool) []doctor.Check {
	tasks := p.cfg.Tasks
	emulator := tasks.Endpoint != ""
	checks := []doctor.Check{
		doctor.Database(p.inspectDatabase),
		doctor.Redis(p.inspectRedis),
		p.bucket(),
	}
	for i, l := range p.lanes {
		checks = append(checks, p.gemini(l, p.cfg.Lanes[i].APIKey))
	}
	for _, l := range p.lanes {
		checks = append(checks, doctor.Queue(l, p.queues))
	}
	checks = append(checks, doctor.SweepQueue(tasks.SweepQueue, p.queues),
		doctor.Webhooks(tasks.WebhookQueue, p.checkWebhooks(), p.queues), doctor.Concurrency(p.lanes, p.record()))
	if !setupOnly {
		checks = append(checks, doctor.Worker(doctor.Delivery{
			WorkerURL: tasks.WorkerURL, SweepPath: server.SweepPath, Audience: tasks.Audience, Account: tasks.ServiceAccount,
			Emulator: emulator, HTTP: p.http,
		}))
	}
	checks = append(checks,
		doctor.Account{
			Email: tasks.ServiceAccount, Queue: tasks.Queue, Emulator: emulator, IAM: doctor.GoogleIAM, Client: p.google,
		}.Check(),
		doctor.Clocks(
			doctor.Clock{Name: "R2", Ahead: doctor.HTTPClock(p.http, p.cfg.R2.Endpoint)},
			doctor.Clock{Name: "the worker", Ahead: doctor.HTTPClock(p.http, tasks.WorkerURL)},
			doctor.Clock{Name: "the database", Ahead: p.databaseAhead},
		))
	if !setupOnly {
		checks = append(checks, doctor.Work{
			Lanes: p.lanes, Record: p.record(), Queues: p.queues, Account: tasks.ServiceAccount, Budgets: p.cfg.Budgets,
		}.Check())
	}
	return checks
}

// checkWebhooks returns what says what is wrong with the settings of webhooks, or nil if
// nobody is told.
func (p *patient) checkWebhooks() func() error {
	if p.cfg.WebhookSecret == "" && p.cfg.BudgetWebhook == "" {
		return nil
	}
	return func() error { return service.CheckWebhooks(p.cfg) }
}

// gemini returns the check of a lane's key and model.
func (p *patient) gemini(l doctor.LaneSettings, key config.Secret) doctor.Check {
	if key == "" {
		return doctor.WithoutKey(l)
	}
	return doctor.Gemini(l, func(ctx context.Context, model string) error {
		g, err := generate.NewGemini(ctx, generate.Config{APIKey: key.Reveal(), BaseURL: p.cfg.Gemini.BaseURL})
		if err != nil {
			return err
		}
		return g.Inspect(ctx, model)
	})
}

// record returns the record, or nil if the address of its database cannot be
// parsed.
func (p *patient) record() doctor.Record {
	if p.poolErr != nil {
		return nil
	}
	return postgres.New(p.pool)
}

func (p *patient) inspectDatabase(ctx context.Context) (postgres.Facts, error) {
	if p.poolErr != nil {
		return postgres.Facts{Address: "DATABASE_URL"}, p.poolErr
	}
	return postgres.Inspect(ctx, p.pool)
}

func (p *patient) databaseAhead(ctx context.Context) (time.Duration, error) {
	f, err := p.inspectDatabase(ctx)
	return f.Ahead, err
}

func (p *patient) inspectRedis(ctx context.Context) (redis.Facts, error) {
	client, err := redis.NewClient(p.cfg.RedisURL.Reveal(), slog.New(slog.DiscardHandler))
	if err != nil {
		return redis.Facts{Address: "REDIS_URL"}, err
	}
	defer func() { _ = client.Close() }()
	probe := "doctor-" + rand.Text()
	return redis.Inspect(ctx, client, snapshot.Key(probe), snapshot.EventsChannel(probe))
}
