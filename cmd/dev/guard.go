package main

import (
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/server"
)

// A guard keeps out what a web page could send, for a service that asks for no
// API key: every page that its user opens can reach this machine.
type guard struct {
	hosts   []string // names of this process, in lower case
	origins http.CrossOriginProtection
	next    http.Handler
}

// newGuard returns next behind a guard. This process answers to the names that
// its settings give it.
func newGuard(cfg config.Config, next http.Handler) *guard {
	g := &guard{hosts: []string{"localhost", strings.ToLower(cfg.Dev.Host)}, next: next}
	for _, address := range []string{cfg.PublicURL, cfg.Tasks.WorkerURL} {
		if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
			g.hosts = append(g.hosts, strings.ToLower(u.Hostname()))
		}
	}
	return g
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch err := g.origins.Check(r); {
	case !g.answersTo(r.Host):
		handlers.WriteProblem(w, http.StatusForbidden, "Without API_KEYS the service answers to its own names only. "+
			"Use localhost or an IP address, or set DEV_HOST or PUBLIC_URL to the name, or API_KEYS.")
	case err != nil:
		handlers.WriteProblem(w, http.StatusForbidden, "Without API_KEYS the service takes nothing from web pages of another origin. "+
			"Send it from a server, or set API_KEYS.")
	case r.Method == http.MethodPost && !isJSON(r) && !isDashboard(r):
		handlers.WriteProblem(w, http.StatusUnsupportedMediaType, "Send Content-Type: application/json.")
	default:
		g.next.ServeHTTP(w, r)
	}
}

// answersTo reports whether host, with or without a port, is one of this
// process. Any IP address is: a page whose name somebody has pointed at this
// machine (DNS rebinding) sends that name.
func (g *guard) answersTo(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return net.ParseIP(host) != nil || slices.Contains(g.hosts, strings.ToLower(host))
}

// isDashboard reports whether a request is for the operators' pages, which send
// forms, and look at where each comes from themselves.
func isDashboard(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, server.DashboardPath+"/")
}

// isJSON reports whether a request has a body of JSON, or neither a body nor a
// type. A page can send any other type to another origin without asking first.
func isJSON(r *http.Request) bool {
	value := r.Header.Get("Content-Type")
	if value == "" {
		return r.ContentLength == 0
	}
	mediaType, _, err := mime.ParseMediaType(value)
	return err == nil && mediaType == "application/json"
}
