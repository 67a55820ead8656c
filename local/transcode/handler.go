// Package transcode serves gRPC services as REST with JSON bodies, by the
// google.api.http rules of their methods, in the way of Google's own front ends:
// the same paths, query parameters, names of enums, base64 and error bodies.
package transcode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A Service is a gRPC service and what implements it.
type Service struct {
	Desc *grpc.ServiceDesc
	Impl any
	// Rules are the HTTP rules of methods, by their short names, in place of those
	// in the service's own file. A service that is mixed into another one has paths
	// of that one's version. With any, methods without one are not served.
	Rules map[string]*annotations.HttpRule
}

// A Handler is an http.Handler that calls the methods of its services.
type Handler struct {
	routes  []route
	maxBody int64
}

// A route is one way to call one method.
type route struct {
	verb     string // GET, POST, …
	template template
	body     string // the field that the body has; "*" for the whole message; "" for none
	method   grpc.MethodDesc
	impl     any
}

// New returns a handler for services. A body may have maxBody bytes. New fails if
// a service is not linked into the program or has a rule that it cannot read.
func New(maxBody int64, services ...Service) (*Handler, error) {
	h := &Handler{maxBody: maxBody}
	for _, s := range services {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(s.Desc.ServiceName))
		if err != nil {
			return nil, fmt.Errorf("transcode: %w", err)
		}
		methods := d.(protoreflect.ServiceDescriptor).Methods()
		for _, m := range s.Desc.Methods {
			rule := s.Rules[m.MethodName]
			if s.Rules == nil {
				rule, _ = proto.GetExtension(methods.ByName(protoreflect.Name(m.MethodName)).Options(), annotations.E_Http).(*annotations.HttpRule)
			}
			if rule == nil {
				continue
			}
			for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
				added, err := newRoute(r, m, s.Impl)
				if err != nil {
					return nil, fmt.Errorf("transcode: %s.%s: %w", s.Desc.ServiceName, m.MethodName, err)
				}
				h.routes = append(h.routes, added)
			}
		}
	}
	return h, nil
}

func newRoute(rule *annotations.HttpRule, m grpc.MethodDesc, impl any) (route, error) {
	verb, path := pattern(rule)
	t, err := parseTemplate(path)
	return route{verb: verb, template: t, body: rule.GetBody(), method: m, impl: impl}, err
}

func pattern(rule *annotations.HttpRule) (verb, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Custom:
		return p.Custom.GetKind(), p.Custom.GetPath()
	}
	return "", ""
}

// ServeHTTP calls the method that a request is for, and answers with its message
// or with Google's error body.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt, vars := h.match(r.Method, r.URL.EscapedPath())
	if rt == nil {
		WriteError(w, status.Errorf(codes.NotFound, "The requested URL %s was not found on this server for %s.", cut(r.URL.Path), cut(r.Method)))
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		WriteError(w, status.Error(codes.InvalidArgument, "The query cannot be parsed."))
		return
	}
	form, err := takeForm(query)
	if err != nil {
		WriteError(w, err)
		return
	}
	body, err := h.readBody(w, r)
	if err != nil {
		WriteError(w, err)
		return
	}
	out, err := rt.call(r.Context(), func(in proto.Message) error {
		if err := bindBody(in.ProtoReflect(), rt.body, body); err != nil {
			return err
		}
		if err := bindQuery(in.ProtoReflect(), rt.body, query); err != nil {
			return err
		}
		return bindPath(in.ProtoReflect(), vars)
	})
	if err != nil {
		WriteError(w, err)
		return
	}
	write(w, http.StatusOK, form.marshal(out), form.indent)
}

// match returns the route of a request and the values of its path's variables, or
// nil.
func (h *Handler) match(verb, path string) (*route, map[string]string) {
	for i := range h.routes {
		if rt := &h.routes[i]; rt.verb == verb {
			if vars, ok := rt.template.match(path); ok {
				return rt, vars
			}
		}
	}
	return nil, nil
}

// call calls the method. It lets fill write the request.
func (rt *route) call(ctx context.Context, fill func(proto.Message) error) (proto.Message, error) {
	out, err := rt.method.Handler(rt.impl, ctx, func(in any) error { return fill(in.(proto.Message)) }, nil)
	if err != nil {
		return nil, err
	}
	return out.(proto.Message), nil
}

// readBody reads the body, which must be JSON if there is one. A type that a web
// page may send without asking is refused, as a side effect of this.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, status.Errorf(codes.InvalidArgument, "Request payload size exceeds the limit: %d bytes.", h.maxBody)
	case err != nil:
		return nil, status.Error(codes.InvalidArgument, "The body ended too early.")
	case len(body) == 0:
		return nil, nil
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, status.Error(codes.InvalidArgument, "Send Content-Type: application/json with a body of JSON.")
	}
	return body, nil
}

// A form is the form of an answer that a caller asks for.
type form struct {
	enumNumbers bool
	indent      bool
}

// takeForm removes the parameters that every Google API knows from a query, and
// returns what they ask for.
func takeForm(query url.Values) (form, error) {
	f := form{indent: true}
	for name := range query {
		value := query.Get(name)
		switch strings.TrimPrefix(name, "$") {
		case "alt":
			alt, encoding, _ := strings.Cut(value, ";")
			if alt != "json" || encoding != "" && encoding != "enum-encoding=int" {
				return f, status.Errorf(codes.InvalidArgument, "alt=%s is not served here, only json and json;enum-encoding=int.", cut(value))
			}
			f.enumNumbers = f.enumNumbers || encoding != ""
		case "prettyPrint":
			f.indent = value != "false"
		case "fields":
			return f, status.Error(codes.InvalidArgument, "fields is not served here: leave it out and take the whole answer.")
		case "access_token", "callback", "key", "oauth_token", "quotaUser", "uploadType", "upload_protocol", ".xgafv":
		default:
			continue
		}
		query.Del(name)
	}
	return f, nil
}

func (f form) marshal(m proto.Message) []byte {
	text, err := protojson.MarshalOptions{UseEnumNumbers: f.enumNumbers}.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("transcode: marshal %T: %v", m, err)) // a method has answered with a broken message
	}
	return text
}

// maxShown is how much of what a caller sent an error repeats, in bytes.
const maxShown = 200

func cut(text string) string {
	if len(text) > maxShown {
		return strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return strings.ToValidUTF8(text, "�")
}

// write answers with JSON, indented as Google's is unless the caller wants it
// compact.
func write(w http.ResponseWriter, code int, text []byte, indent bool) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(layOut(text, indent))
}

// layOut makes the spaces of JSON always the same: protojson varies its own on
// purpose.
func layOut(text []byte, indent bool) []byte {
	var value json.RawMessage = text
	var out []byte
	var err error
	if indent {
		out, err = json.MarshalIndent(value, "", "  ")
	} else {
		out, err = json.Marshal(value)
	}
	if err != nil {
		return text
	}
	return append(out, '\n')
}
