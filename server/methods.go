package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/ai-worker/ai-worker/handlers"
)

// refuseMethod answers a method that is not for the path, and tells which are
// (RFC 9110, section 15.5.6). OPTIONS asks just that.
func refuseMethod(w http.ResponseWriter, r *http.Request) {
	methods := allowed(r)
	if len(methods) == 0 { // the router refuses a method that it does not know before it looks for the path
		refusePath(w, r)
		return
	}
	allow := strings.Join(append(methods, http.MethodOptions), ", ")
	w.Header().Set("Allow", allow)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	handlers.WriteProblem(w, http.StatusMethodNotAllowed, shown(r.Method)+" is not for "+shown(r.URL.Path)+". Use one of "+allow+".")
}

// refusePath answers a request for a path that there is not.
func refusePath(w http.ResponseWriter, r *http.Request) {
	handlers.WriteProblem(w, http.StatusNotFound, "There is nothing at "+shown(r.URL.Path)+". The API is described at /openapi.json.")
}

// allowed returns the methods of the request's path, without OPTIONS. HEAD works
// where GET does.
func allowed(r *http.Request) []string {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	routes := chi.RouteContext(r.Context()).Routes
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	methods = slices.DeleteFunc(methods, func(method string) bool {
		return !routes.Match(chi.NewRouteContext(), method, path)
	})
	if i := slices.Index(methods, http.MethodGet); i >= 0 {
		methods = slices.Insert(methods, i+1, http.MethodHead)
	}
	return methods
}
