package cloudtasks

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	betapb "cloud.google.com/go/cloudtasks/apiv2beta3/cloudtaskspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/local/transcode"
)

const (
	// headerTimeout bounds how long a client may take to send its headers.
	headerTimeout = 10 * time.Second
	// maxStreams is how many calls may be under way on one connection.
	maxStreams = 1000
)

// newHTTPServer returns the server for everything that comes over a port: gRPC over
// HTTP/2 without TLS, and REST over either version of HTTP.
func (e *Emulator) newHTTPServer() (*http.Server, error) {
	rest, err := transcode.New(maxMessage,
		transcode.Service{Desc: &cloudtaskspb.CloudTasks_ServiceDesc, Impl: e.Service()},
		transcode.Service{Desc: &betapb.CloudTasks_ServiceDesc, Impl: &beta{v2: e.Service()}},
		transcode.Service{Desc: locationsDesc(e.locations()), Rules: map[string]*annotations.HttpRule{
			"ListLocations": get("/{name=projects/*}/locations"),
			"GetLocation":   get("/{name=projects/*/locations/*}"),
		}},
		transcode.Service{Desc: &longrunningpb.Operations_ServiceDesc, Impl: e.operations(), Rules: map[string]*annotations.HttpRule{
			"GetOperation": get("/{name=projects/*/locations/*/operations/*}"),
		}},
	)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", e.servePage)
	mux.HandleFunc("GET /emulator/wait", e.serveWait)
	mux.HandleFunc("POST /emulator/reset", e.serveReset)
	mux.HandleFunc("GET /.well-known/openid-configuration", e.serveDiscovery)
	mux.Handle("GET "+googleCertsPath, e.JWKS())
	mux.HandleFunc("GET "+googlePEMsPath, e.servePEMs)
	mux.Handle("/v2/", e.withBuffer(rest))
	mux.Handle("/v2beta3/", e.withBuffer(rest))
	mux.HandleFunc("/projects/", firebase(rest))
	mux.HandleFunc("/", serveUnknown)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: e.split(e.guard(mux)), Protocols: protocols, ReadHeaderTimeout: headerTimeout,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog: slog.NewLogLogger(e.engine.log.Handler(), slog.LevelDebug),
	}, nil
}

// get returns the rule of a method that is mixed into both versions.
func get(path string) *annotations.HttpRule {
	return &annotations.HttpRule{
		Pattern:            &annotations.HttpRule_Get{Get: "/v2" + path},
		AdditionalBindings: []*annotations.HttpRule{{Pattern: &annotations.HttpRule_Get{Get: "/v2beta3" + path}}},
	}
}

// split hands gRPC to the gRPC server, and everything else to next.
func (e *Emulator) split(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			e.server.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guard keeps out web pages: every page that its user opens can reach this machine,
// and a task makes it send requests. Browsers name the page in Origin; clients of
// the API do not. A page whose own name somebody has pointed at this machine (DNS
// rebinding) shows in Host: such a name is of the public DNS, so it has a dot.
func (e *Emulator) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch site := r.Header.Get("Sec-Fetch-Site"); {
		case !e.answersTo(r.Host):
			transcode.WriteError(w, status.Errorf(codes.PermissionDenied,
				"This emulator answers to localhost, IP addresses and names of a private network only. To let it answer to %q, name it in Options.Hosts (--allow-host).", hostname(r.Host)))
		case r.Header.Get("Origin") != "", site != "" && site != "none" && site != "same-origin":
			transcode.WriteError(w, status.Error(codes.PermissionDenied, "This emulator takes nothing from web pages. Call it from a server or from a command line."))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// answersTo reports whether host, with or without a port, is a name of the
// emulator.
func (e *Emulator) answersTo(host string) bool {
	name := strings.ToLower(hostname(host))
	if net.ParseIP(name) != nil || !strings.Contains(name, ".") {
		return true // the names of containers have no dot
	}
	for _, private := range []string{".localhost", ".local", ".internal"} {
		if strings.HasSuffix(name, private) {
			return true
		}
	}
	return slices.ContainsFunc(e.engine.opts.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}

// firebase serves the paths of firebase-admin: with CLOUD_TASKS_EMULATOR_HOST set,
// it leaves the version out.
func firebase(rest http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r2 := r.Clone(r.Context())
		r2.URL.Path = "/v2" + r.URL.Path
		if r.URL.RawPath != "" {
			r2.URL.RawPath = "/v2" + r.URL.RawPath
		}
		rest.ServeHTTP(w, r2)
	}
}

// serveUnknown says what is served instead.
func serveUnknown(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if len(path) > maxShownPath {
		path = path[:maxShownPath] + "…"
	}
	transcode.WriteError(w, status.Error(codes.NotFound, fmt.Sprintf(
		"The requested URL %s was not found on this server. This emulator serves the versions v2 and v2beta3 of the Cloud Tasks API, under /v2/ and /v2beta3/.", strings.ToValidUTF8(path, "�"))))
}

// maxShownPath is how much of a path an error repeats, in bytes.
const maxShownPath = 200
