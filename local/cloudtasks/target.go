package cloudtasks

import (
	"net"
	"net/http"
	"net/url"
	"strconv"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
)

// override applies a queue's HTTP target, which changes every HTTP task of the
// queue when it is sent (documented).
func (o *order) override(target *cloudtaskspb.HttpTarget) {
	if target == nil {
		return
	}
	o.url = overrideURL(o.url, target.GetUriOverride())
	if m := target.GetHttpMethod(); m != cloudtaskspb.HttpMethod_HTTP_METHOD_UNSPECIFIED {
		o.method = m.String()
		if o.method == http.MethodGet {
			o.body = nil // documented: ignored
		}
	}
	for _, h := range target.GetHeaderOverrides() {
		if name := h.GetHeader().GetKey(); name != "" && !reserved(name) {
			o.header.Set(name, h.GetHeader().GetValue())
		}
	}
	if target.GetOidcToken() != nil || target.GetOauthToken() != nil {
		o.oidc, o.oauth = target.GetOidcToken(), target.GetOauthToken()
	}
}

// overrideURL replaces the parts of raw that the override names. A URL that cannot
// be parsed stays as it is, and its delivery fails.
func overrideURL(raw string, o *cloudtaskspb.UriOverride) string {
	u, err := url.Parse(raw)
	if o == nil || err != nil {
		return raw
	}
	always := o.GetUriOverrideEnforceMode() != cloudtaskspb.UriOverride_IF_NOT_EXISTS
	if o.Scheme != nil && always {
		u.Scheme = "https"
		if o.GetScheme() == cloudtaskspb.UriOverride_HTTP {
			u.Scheme = "http"
		}
	}
	host, port := u.Hostname(), u.Port()
	if o.Host != nil && always {
		host = o.GetHost()
	}
	if o.Port != nil && (always || port == "") {
		port = strconv.FormatInt(o.GetPort(), 10)
	}
	u.Host = joinHost(host, port)
	if o.PathOverride != nil && (always || u.Path == "") {
		u.Path, u.RawPath = o.PathOverride.GetPath(), ""
	}
	if o.QueryOverride != nil && (always || u.RawQuery == "") {
		u.RawQuery = o.QueryOverride.GetQueryParams()
	}
	return u.String()
}

// joinHost joins host and port; port 0 means none (documented).
func joinHost(host, port string) string {
	if port == "" || port == "0" {
		return host
	}
	return net.JoinHostPort(host, port)
}
