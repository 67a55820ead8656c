package handlers

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// NewAPI returns an API without operations on a router.
func NewAPI(r chi.Router, version string) huma.API {
	api := humachi.New(r, newConfig(version))
	api.UseMiddleware(ignoreAccept, inspectBody(api))
	return api
}

// ignoreAccept drops a request's Accept header. All answers are JSON, and huma
// panics over a header such as "text/html; , */*".
func ignoreAccept(ctx huma.Context, next func(huma.Context)) {
	r, _ := humachi.Unwrap(ctx)
	r.Header.Del("Accept")
	next(ctx)
}

// newConfig returns the configuration of the API: how it is described, and how
// it answers errors.
func newConfig(version string) huma.Config {
	cfg := huma.DefaultConfig("ai-worker", version)
	cfg.Info.Description = "Asks for pictures, and tells how they are doing."
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"apiKey": {Type: "http", Scheme: "bearer", Description: "An entry of the service's API_KEYS."},
	}
	cfg.Security = []map[string][]string{{"apiKey": {}}}
	// The description is served at a path that needs no API key. No page is
	// served that loads scripts from elsewhere.
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.CreateHooks = nil // answers are the job alone, without a $schema
	cfg.Transformers = append(cfg.Transformers, shorten, advise)
	return cfg
}

// OpenAPI serves GET /openapi.json. The operations of api must be registered: the
// description is written once, since a stranger may ask for it.
func OpenAPI(api huma.API) http.HandlerFunc {
	doc, err := api.OpenAPI().MarshalJSON()
	return func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			WriteProblem(w, http.StatusInternalServerError, "The description cannot be written.")
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
		_, _ = w.Write(doc)
	}
}
