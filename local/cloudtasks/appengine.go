package cloudtasks

import (
	"net/http"
	"strings"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
)

// appEngineOrder returns the request for the next attempt of an App Engine task,
// with the headers recorded for one.
func (e *engine) appEngineOrder(t *task) order {
	r := t.pb.GetAppEngineHttpRequest()
	o := order{method: r.GetHttpMethod().String(), header: make(http.Header), body: t.body, appEngine: true}
	routing := r.GetAppEngineRouting()
	if over := t.queue.pb.GetAppEngineRoutingOverride(); over != nil {
		routing = over
	}
	base := e.opts.AppEngineURL
	if base == "" {
		path, _ := parseQueue(t.queue.name())
		base = "https://" + appEngineHost(path.project, routing)
	}
	o.url = strings.TrimSuffix(base, "/") + r.GetRelativeUri()
	for name, value := range r.GetHeaders() {
		o.header.Set(name, value)
	}
	o.header.Del("Content-Length")
	o.describe("X-AppEngine-", t)
	return o
}

// appEngineHost returns the host where a project's App Engine answers, in the
// form without a region.
func appEngineHost(project string, r *cloudtaskspb.AppEngineRouting) string {
	host := project + ".appspot.com"
	for _, part := range []string{r.GetService(), r.GetVersion(), r.GetInstance()} {
		if part != "" {
			host = part + "-dot-" + host
		}
	}
	return host
}
