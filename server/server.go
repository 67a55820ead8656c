// Package server is the process: which routes there are, who may call them,
// what surrounds every request, and how the process starts and ends.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/snapshot"
)

// Config is what a server serves. Jobs is nil in a process that callers do not
// use, Tasks in one that Cloud Tasks does not, and Dashboard where it is not enabled.
type Config struct {
	Version   string
	PublicURL string // where callers reach the API
	Jobs      *handlers.Jobs
	Keys      Keys     // who may use the API; without keys everybody may
	Origins   []string // of pages that may read jobs, as browsers write them
	Tasks     *handlers.Tasks
	Lanes     *handlers.Lanes
	OIDC      *OIDC // how deliveries prove where they come from
	Dashboard http.Handler
	Log       *slog.Logger
}

// New returns the handler of all routes.
func New(cfg Config) http.Handler {
	r := chi.NewRouter()
	r.Use(trace, accessLog(cfg.Log), recoverer(cfg.Log), keepType, allowOrigins(cfg.Origins), middleware.GetHead)
	r.NotFound(refusePath)
	r.MethodNotAllowed(refuseMethod)
	install(r, cfg)
	return r
}

// The paths below the worker's address that Cloud Tasks delivers to. Tasks name
// these paths: after a change of one, nothing takes the tasks that are still on
// a queue.
const (
	GeneratePath = "/tasks/generate"
	SweepPath    = "/tasks/sweep"
	WebhookPath  = "/tasks/webhook"
)

// eventsPath is where the events of a job are, below the job.
const eventsPath = "/events"

// DashboardPath is where operators' pages are, at it and below it.
const DashboardPath = "/admin/queues"

// install adds every route. A comment at each says who calls it.
func install(r chi.Router, cfg Config) {
	// Cloud Run's probes, and people, ask whether the process serves.
	r.Get("/health", handlers.Health(cfg.Version))
	// People and alerts ask how the lanes are doing. The answer names no tenant
	// and no key, and is kept for some seconds, since anybody may ask.
	r.Get("/health/lanes", cfg.Lanes.Health)

	if cfg.Jobs != nil {
		var api huma.API
		// Callers use these with an API key.
		r.Group(func(r chi.Router) {
			r.Use(cfg.Keys.authenticate, cfg.Keys.limitMemory)
			api = handlers.NewAPI(r, handlers.APIConfig{Version: cfg.Version, PublicURL: cfg.PublicURL, Open: len(cfg.Keys.entries) == 0})
			cfg.Jobs.RegisterGenerate(api, http.MethodPost, "/api/generate-images")
			cfg.Jobs.RegisterList(api, http.MethodGet, "/api/jobs")
			cfg.Jobs.RegisterUpload(api, http.MethodPost, "/api/uploads")
			cfg.Jobs.RegisterGet(api, http.MethodGet, snapshot.Path("{id}"))
			cfg.Jobs.RegisterDelete(api, http.MethodDelete, snapshot.Path("{id}"))
			cfg.Jobs.RegisterRetry(api, http.MethodPost, snapshot.Path("{id}")+"/retry")
			cfg.Jobs.RegisterCancel(api, http.MethodPost, snapshot.Path("{id}")+"/cancel")
			cfg.Jobs.RegisterWebhooks(api, http.MethodGet, snapshot.Path("{id}")+"/webhooks")
			cfg.Jobs.RegisterReplay(api, http.MethodPost, snapshot.Path("{id}")+"/webhooks/{webhook_id}/replay")
			// Servers and browsers follow a job here. Browsers read it and the
			// job itself with a token.
			r.Get(snapshot.Path("{id}")+eventsPath, cfg.Jobs.Events)
			handlers.DescribeEvents(api, snapshot.Path("{id}")+eventsPath)
		})
		// People who write a client read this.
		r.Get("/openapi.json", handlers.OpenAPI(api))
		r.Get("/docs", handlers.Docs(api))
		r.Get("/docs/style.css", handlers.DocsStyle)
	}

	if cfg.Dashboard != nil {
		// Operators open these pages in a browser. The dashboard's own table says
		// which role each route takes, and who gets in without one.
		r.Handle(DashboardPath, cfg.Dashboard)
		r.Handle(DashboardPath+"/*", cfg.Dashboard)
	}

	if cfg.Tasks != nil {
		// Cloud Tasks delivers here, with a token of the service account for
		// deliveries.
		r.With(cfg.OIDC.authenticate).Post(GeneratePath, cfg.Tasks.Generate)
		// Cloud Tasks asks here while there is work, and Cloud Scheduler, with
		// the same token.
		r.With(cfg.OIDC.authenticate).Post(SweepPath, cfg.Tasks.Sweep)
		// Cloud Tasks delivers the tries of webhooks here, with the same token.
		r.With(cfg.OIDC.authenticate).Post(WebhookPath, cfg.Tasks.Webhook)
	}
}

const (
	// headerTimeout bounds how long a request's headers may take.
	headerTimeout = 10 * time.Second
	// idleTimeout is longer than those of the load balancers in front.
	idleTimeout = 10 * time.Minute

	// Cloud Run kills the process 10 s after SIGTERM. Running work may end by
	// itself for the first 7 s. Then it must put itself back, and be done after
	// 9 s.
	drainAfter = 7 * time.Second
	exitAfter  = 9 * time.Second
)

// Run serves handler on ln until ctx ends, then drains. It takes no new
// connections and lets running requests end for a while. Then it calls abort,
// ends the requests' contexts, and waits for the requests to put their work
// back. It returns nil after an orderly end. For that, each request must end
// with its context or with what abort ends.
func Run(ctx context.Context, ln net.Listener, handler http.Handler, abort func(), log *slog.Logger) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	running := &inFlight{next: limitBodies(handler)}
	srv := &http.Server{
		Handler:           running,
		Protocols:         protocols(),
		HTTP2:             http2Config(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("server: serve on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	log.InfoContext(ctx, "shutting down", "reason", context.Cause(ctx))
	timer := time.AfterFunc(drainAfter, func() {
		abort()
		cut() // a request that waits for a job is answered with the job as it is
	})
	defer timer.Stop()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), exitAfter)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		if running.n.Load() == 0 { // connections that their callers do not close
			return srv.Close()
		}
		return errors.Join(fmt.Errorf("server: requests still running after %s: %w", exitAfter, err), srv.Close())
	}
	return nil
}
