package handlers

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// APIConfig is what the API's description says of the process that serves it.
type APIConfig struct {
	Version string
	// PublicURL is where callers reach the API. If it is empty, the description
	// says that the API is where the description is.
	PublicURL string
	Open      bool // no API key is asked for
}

// NewAPI returns an API without operations on a router.
func NewAPI(r chi.Router, cfg APIConfig) huma.API {
	api := humachi.New(r, newConfig(cfg))
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
func newConfig(c APIConfig) huma.Config {
	cfg := huma.DefaultConfig("ai-worker", c.Version)
	cfg.Info.Description = "Asks for pictures, and tells how they are doing. " +
		"Fields, headers and codes are added, never changed: ignore what you do not know."
	cfg.Servers = []*huma.Server{{URL: c.PublicURL}}
	if c.PublicURL == "" {
		cfg.Servers[0].URL = "/"
	}
	cfg.Components.SecuritySchemes = securitySchemes()
	cfg.Security = []map[string][]string{{apiKeyScheme: {}}}
	if c.Open {
		cfg.Security = append(cfg.Security, map[string][]string{}) // or none
	}
	cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[anyObject]())
	cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[problem]())
	cfg.OnAddOperation = append(cfg.OnAddOperation, describe)
	// The description is served at a path that needs no API key. No page is
	// served that loads scripts from elsewhere.
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.CreateHooks = nil // answers are the job alone, without a $schema
	cfg.Transformers = append(cfg.Transformers, shorten, advise)
	return cfg
}

// Names of the security schemes.
const (
	apiKeyScheme       = "apiKey"
	tokenScheme        = "browserToken"
	tokenInQueryScheme = "browserTokenInQuery"
)

// securitySchemes returns the ways to prove who sends a request.
func securitySchemes() map[string]*huma.SecurityScheme {
	return map[string]*huma.SecurityScheme{
		apiKeyScheme: {Type: "http", Scheme: "bearer", Description: "The key of an entry of the service's API_KEYS."},
		tokenScheme: {
			Type: "http", Scheme: "bearer", BearerFormat: "JWT",
			Description: "A token for reading one job, which a server makes from its API key for a browser: " +
				"HS256, with the job's id as sub, the scope read, iat, and exp at most 24 hours ahead. " +
				"Its key is the HMAC-SHA256 of the text \"ai-worker browser token v1\" with the API key as key, and kid is the first 16 hex digits of that key's SHA-256.",
		},
		tokenInQueryScheme: {
			Type: "apiKey", In: "query", Name: "token",
			Description: "The same token in the address, for EventSource, which cannot send a header. Send it in one of the two places only.",
		},
	}
}

// readSecurity returns what an operation that reads one job asks for: an API key,
// or a browser token, besides what all operations of api take.
func readSecurity(api huma.API) []map[string][]string {
	return slices.Concat(api.OpenAPI().Security, []map[string][]string{{tokenScheme: {}}, {tokenInQueryScheme: {}}})
}

// takesTokens reports whether an operation takes browser tokens.
func takesTokens(op *huma.Operation) bool {
	return slices.ContainsFunc(op.Security, func(one map[string][]string) bool { return one[tokenInQueryScheme] != nil })
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
