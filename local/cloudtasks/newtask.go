package cloudtasks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// newTask returns the task that a request asks for as the service stores it:
// checked, with defaults filled in and reserved headers replaced. The task is not
// in the queue yet.
func (e *engine) newTask(q *queue, name string, in *cloudtaskspb.Task, now time.Time) (*task, error) {
	stored := &cloudtaskspb.Task{
		Name:             name,
		MessageType:      proto.Clone(in).(*cloudtaskspb.Task).GetMessageType(),
		CreateTime:       timestamppb.New(now.Truncate(time.Second)), // documented
		DispatchDeadline: in.GetDispatchDeadline(),
	}
	if r := stored.GetHttpRequest(); r != nil && r.GetUrl() == "" {
		r.Url = e.defaultURL(q)
	}
	if err := e.checkMessage(stored); err != nil {
		return nil, err
	}
	if err := setDeadline(stored); err != nil {
		return nil, err
	}
	if err := setRetry(stored, in, q); err != nil {
		return nil, err
	}
	due, err := e.scheduleTime(in, now)
	if err != nil {
		return nil, err
	}
	t := &task{pb: stored, queue: q, index: -1, previous: noPrevious}
	t.setDue(due)
	if size := proto.Size(stored); size > maxStoredTask {
		return nil, invalid("Task size too large: the stored task has %d bytes, the limit is %d.", size, maxStoredTask)
	}
	t.body = takeBody(stored)
	return t, nil
}

// defaultURL returns Options.DefaultURL for the tasks of a queue.
func (e *engine) defaultURL(q *queue) string {
	path, _ := parseQueue(q.name())
	return strings.NewReplacer("{project}", path.project, "{location}", path.location, "{queue}", path.queue).Replace(e.opts.DefaultURL)
}

// checkMessage checks what is to be sent, and fills in its defaults.
func (e *engine) checkMessage(t *cloudtaskspb.Task) error {
	switch {
	case t.GetHttpRequest() != nil:
		return e.checkHTTP(t.GetHttpRequest())
	case t.GetAppEngineHttpRequest() != nil:
		return checkAppEngine(t)
	}
	return invalid("Task.message_type is required: set http_request or app_engine_http_request.")
}

func (e *engine) checkHTTP(r *cloudtaskspb.HttpRequest) error {
	if r.GetUrl() == "" {
		return invalid(msgURLRequired)
	}
	if !strings.HasPrefix(r.GetUrl(), "http://") && !strings.HasPrefix(r.GetUrl(), "https://") {
		return invalid(msgURLScheme)
	}
	if len(r.GetUrl()) > maxURLLength {
		return invalid("HttpRequest.url has %d characters, the limit is %d.", len(r.GetUrl()), maxURLLength)
	}
	if r.GetHttpMethod() == cloudtaskspb.HttpMethod_HTTP_METHOD_UNSPECIFIED {
		r.HttpMethod = cloudtaskspb.HttpMethod_POST
	}
	if len(r.GetBody()) > 0 && !takesBody(r.GetHttpMethod(), cloudtaskspb.HttpMethod_PATCH) {
		return invalid("HttpRequest.body is allowed only with POST, PUT or PATCH, not with %s.", r.GetHttpMethod())
	}
	r.Headers = storedHeaders(r.GetHeaders(), reserved)
	r.Headers["User-Agent"] = httpUserAgent
	if n := headerBytes(r.GetHeaders()); n > maxHeaderBytes {
		return invalid("HttpRequest.headers have %d bytes, the limit is %d.", n, maxHeaderBytes)
	}
	return e.checkAccount(r)
}

// checkAccount checks the account whose token the delivery is to carry. Recorded:
// one that does not exist is NotFound.
func (e *engine) checkAccount(r *cloudtaskspb.HttpRequest) error {
	email := r.GetOidcToken().GetServiceAccountEmail()
	if r.GetOauthToken() != nil {
		email = r.GetOauthToken().GetServiceAccountEmail()
	}
	if r.GetAuthorizationHeader() == nil {
		return nil
	}
	if email == "" {
		return invalid("HttpRequest.authorization_header needs a service_account_email.")
	}
	if known := e.opts.ServiceAccounts; len(known) > 0 && !slices.Contains(known, email) {
		return status.Errorf(codes.NotFound, "The service account %s does not exist.", email)
	}
	return nil
}

// checkAppEngine checks an App Engine request and fills in what the service was
// recorded to store.
func checkAppEngine(t *cloudtaskspb.Task) error {
	r := t.GetAppEngineHttpRequest()
	if r.GetRelativeUri() == "" {
		r.RelativeUri = "/"
	}
	if !strings.HasPrefix(r.GetRelativeUri(), "/") || strings.Contains(r.GetRelativeUri(), " ") || len(r.GetRelativeUri()) > maxURLLength {
		return invalid("AppEngineHttpRequest.relative_uri must begin with \"/\", hold no spaces and have at most %d characters.", maxURLLength)
	}
	if r.GetHttpMethod() == cloudtaskspb.HttpMethod_HTTP_METHOD_UNSPECIFIED {
		r.HttpMethod = cloudtaskspb.HttpMethod_POST
	}
	if len(r.GetBody()) > 0 && !takesBody(r.GetHttpMethod(), cloudtaskspb.HttpMethod_PUT) {
		return invalid("AppEngineHttpRequest.body is allowed only with POST or PUT, not with %s.", r.GetHttpMethod())
	}
	r.Headers = appEngineHeaders(r)
	if r.GetAppEngineRouting() == nil {
		r.AppEngineRouting = &cloudtaskspb.AppEngineRouting{}
	}
	queue, _, _ := splitTask(t.GetName())
	path, _ := parseQueue(queue)
	r.AppEngineRouting.Host = appEngineHost(path.project, r.GetAppEngineRouting())
	return nil
}

// appEngineHeaders returns the headers that are stored for an App Engine request:
// the caller's User-Agent with the service's after it, and a length and a type if
// there is a body.
func appEngineHeaders(r *cloudtaskspb.AppEngineHttpRequest) map[string]string {
	agent := appEngineUserAgent
	for name, value := range r.GetHeaders() {
		if strings.EqualFold(name, "User-Agent") && value != "" {
			agent = value + " " + appEngineUserAgent
		}
	}
	headers := storedHeaders(r.GetHeaders(), reserved)
	headers["User-Agent"] = agent
	if len(r.GetBody()) == 0 {
		return headers
	}
	headers["Content-Length"] = fmt.Sprint(len(r.GetBody()))
	for name := range headers {
		if strings.EqualFold(name, "Content-Type") {
			return headers
		}
	}
	headers["Content-Type"] = appEngineContentType
	return headers
}

// takesBody reports whether a method may have a body: POST and PUT may, and the
// third that the kind of target allows.
func takesBody(m, third cloudtaskspb.HttpMethod) bool {
	return m == cloudtaskspb.HttpMethod_POST || m == cloudtaskspb.HttpMethod_PUT || m == third
}

// storedHeaders copies headers without those that drop refuses. Names keep their
// case (recorded).
func storedHeaders(in map[string]string, drop func(string) bool) map[string]string {
	out := make(map[string]string, len(in)+1)
	for name, value := range in {
		if !drop(name) {
			out[name] = value
		}
	}
	return out
}

func headerBytes(headers map[string]string) (n int) {
	for name, value := range headers {
		n += len(name) + len(value)
	}
	return n
}

// setDeadline checks the dispatch deadline and cuts it to milliseconds
// (documented). An App Engine task keeps none of its own (recorded).
func setDeadline(t *cloudtaskspb.Task) error {
	limit := maxDeadline
	if t.GetAppEngineHttpRequest() != nil {
		limit = maxEngineDeadline
	}
	d := t.GetDispatchDeadline().AsDuration()
	switch {
	case t.GetDispatchDeadline() == nil && t.GetHttpRequest() != nil:
		d = defaultDeadline
	case t.GetDispatchDeadline() == nil || d == 0 && t.GetAppEngineHttpRequest() != nil:
		return nil
	case d < minDeadline || d > limit:
		return invalid("Task.dispatchDeadline must be between [%s, %s], it is %s.", minDeadline, limit, d)
	}
	t.DispatchDeadline = durationpb.New(d.Truncate(time.Millisecond))
	return nil
}

// setRetry checks the task's own retry configuration and fills in what it leaves
// out from the queue's (inferred).
func setRetry(t, in *cloudtaskspb.Task, q *queue) error {
	if in.GetRetryConfig() == nil {
		return nil
	}
	t.RetryConfig = proto.Clone(in.GetRetryConfig()).(*cloudtaskspb.RetryConfig)
	if err := checkRetry(t.GetRetryConfig()); err != nil {
		return err
	}
	fillRetry(t.GetRetryConfig(), q.pb.GetRetryConfig())
	return checkBackoffOrder(t.GetRetryConfig())
}

// scheduleTime returns when the first attempt is due. That is now when the request
// names no time or a past one (documented).
func (e *engine) scheduleTime(in *cloudtaskspb.Task, now time.Time) (time.Time, error) {
	if in.GetScheduleTime() == nil {
		return now, nil
	}
	at := fromWall(e.clock, in.GetScheduleTime().AsTime())
	if !in.GetScheduleTime().IsValid() || at.Sub(now) > maxScheduleAhead {
		return time.Time{}, invalid("Task.scheduleTime must be at most %s in the future.", maxScheduleAhead)
	}
	if at.Before(now) {
		return now, nil
	}
	return at, nil
}
