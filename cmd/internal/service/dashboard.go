package service

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/snapshot"
	"github.com/ai-worker/ai-worker/storage"
)

// newDashboard returns the operators' pages, or nil in a process that does not serve
// them. It fails if it cannot tell where the pictures are.
func newDashboard(cfg config.Config, lanes []lane.Lane, rec *snapshot.Record, pictures *storage.R2, jobs *operatorJobs, log *slog.Logger) (http.Handler, error) {
	if !cfg.Role.Dashboard() || !cfg.Dashboard.Enabled {
		return nil, nil //nolint:nilnil // server.Config takes none for none
	}
	origin, err := pictures.Origin()
	if err != nil {
		return nil, err
	}
	options := dashboard.Options{
		Record: rec, Sweeps: jobs.producer, Lanes: lanes, RPMSetting: `GEMINI_RPM, or "rpm" in LANES,`,
		Developer: cfg.Dev.Developer, Log: log,
		Pictures: dashboard.Pictures{
			URL: pictures.URL, Download: pictures.DownloadURL, Origin: origin, Least: dashboard.Role(cfg.Dashboard.Pictures),
		},
		Refusal: func(o job.Outcome, words string, at time.Time) (dashboard.Refusal, bool) {
			r, ok := generate.ReadRefusal(job.Code(o), words, at)
			return dashboard.Refusal(r), ok
		},
		Budgets: cfg.Budgets, Jobs: jobs, Models: models(cfg), LogsURL: cfg.Dashboard.LogsURL, TraceURL: cfg.Dashboard.TraceURL,
	}
	for _, u := range cfg.Dashboard.Users {
		options.Users = append(options.Users, dashboard.User{Name: u.Name, Role: dashboard.Role(u.Role), Hash: u.Hash.Reveal()})
	}
	if cfg.Dashboard.Audience != "" {
		options.IAP = &dashboard.IAP{Audience: cfg.Dashboard.Audience, Client: http.DefaultClient}
		for _, r := range cfg.Dashboard.IAPRoles {
			options.IAP.Roles = append(options.IAP.Roles, dashboard.IAPRole{Who: r.Who, Role: dashboard.Role(r.Role)})
		}
	}
	return dashboard.New(options), nil
}
