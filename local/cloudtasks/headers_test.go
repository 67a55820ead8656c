package cloudtasks_test

import (
	"fmt"
	"net/http"

	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

func mask(paths []string) *fieldmaskpb.FieldMask {
	if len(paths) == 0 {
		return nil
	}
	return &fieldmaskpb.FieldMask{Paths: paths}
}

// count is what one delivery's headers say about the deliveries before it.
type count struct{ Retry, Execution, Previous, Reason string }

func counts(all []delivery, prefix string) []count {
	var out []count
	for _, d := range all {
		previous, reason := "-", "-"
		if v, ok := d.header[prefix+"Taskpreviousresponse"]; ok {
			previous = v[0]
		}
		if v, ok := d.header[prefix+"Taskretryreason"]; ok {
			reason = v[0]
		}
		out = append(out, count{d.header.Get(prefix + "Taskretrycount"), d.header.Get(prefix + "Taskexecutioncount"), previous, reason})
	}
	return out
}

// The headers follow the sequence that was recorded against the real service.
func TestRecordedRetryHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, statuses(503, 404, 429, 500, 302, 200))
		b.queue(&cloudtaskspb.Queue{})
		b.create("x")
		time.Sleep(time.Hour)
		want := []count{
			{"0", "0", "-", "-"}, {"1", "0", "503", ""}, {"2", "1", "404", ""},
			{"3", "2", "429", ""}, {"4", "2", "500", ""}, {"5", "3", "302", ""},
		}
		if diff := cmp.Diff(want, counts(b.worker.deliveries(), "X-Cloudtasks-")); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	})
}

func TestRecordedAppEngineHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := statuses(503, 404, 429, 500, 302, 200, 200)
		b := setup(t, cloudtasks.Options{AppEngineURL: "http://engine.test/"}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 6 {
				<-r.Context().Done()
			}
			answer(n, w, r)
		})
		b.queue(&cloudtaskspb.Queue{})
		for _, id := range []string{"x", "y"} {
			if _, err := b.tryCreate(engineTask(id)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		all := b.worker.deliveries()
		want := []count{
			{"0", "0", "-", "-"}, {"1", "1", "503", "App Error"}, {"2", "2", "404", "App Error"},
			{"3", "3", "429", "App Error"}, {"4", "4", "500", "App Error"}, {"5", "5", "302", "App Error"},
			{"0", "0", "-", "-"}, {"1", "0", "0", "Instance Unavailable"},
		}
		if diff := cmp.Diff(want, counts(all, "X-Appengine-")); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		first := all[0]
		got := []string{first.url, first.method, first.body, first.header.Get("User-Agent"), first.header.Get("Content-Type")}
		if diff := cmp.Diff([]string{"http://engine.test/work?q=1", "POST", "hello", "AppEngine-Google; (+http://code.google.com/appengine)", "application/octet-stream"}, got); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
	})
}

func engineTask(id string) *cloudtaskspb.Task {
	return &cloudtaskspb.Task{Name: queueA + "/tasks/" + id, DispatchDeadline: durationpb.New(time.Minute), MessageType: &cloudtaskspb.Task_AppEngineHttpRequest{
		AppEngineHttpRequest: &cloudtaskspb.AppEngineHttpRequest{RelativeUri: "/work?q=1", Body: []byte("hello")},
	}}
}

// The first delivery carries exactly these headers.
func TestFirstDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(&cloudtaskspb.Queue{})
		task := httpTask("id-1")

		task.ScheduleTime = timestamppb.New(time.Now().Add(time.Second + 250*time.Millisecond))
		at := task.ScheduleTime.AsTime()
		r := task.GetHttpRequest()
		r.HttpMethod = cloudtaskspb.HttpMethod_PUT
		r.Body = []byte(`{"a":1}`)
		r.Headers = map[string]string{
			"traceparent": "00-1-2-01", "X-Mine": "yes", "User-Agent": "mine", "x-cloudtasks-queuename": "mine",
			"X-CloudTasks-Made-Up": "mine", "X-Google-Thing": "mine", "X-AppEngine-Thing": "mine", "Host": "elsewhere", "content-length": "99",
		}
		if _, err := b.tryCreate(task); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		all := b.worker.deliveries()
		if len(all) != 1 {
			t.Fatalf("%d deliveries, want 1", len(all))
		}
		want := http.Header{
			"User-Agent":                      {"Google-Cloud-Tasks"},
			"X-Cloudtasks-Queuename":          {"a"},
			"X-Cloudtasks-Taskname":           {"id-1"},
			"X-Cloudtasks-Taskretrycount":     {"0"},
			"X-Cloudtasks-Taskexecutioncount": {"0"},
			"X-Cloudtasks-Tasketa":            {eta(at)},
			"Traceparent":                     {"00-1-2-01"},
			"X-Mine":                          {"yes"},
		}
		if diff := cmp.Diff(want, all[0].header); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if all[0].method != "PUT" || all[0].body != `{"a":1}` || all[0].url != target {
			t.Errorf("got %s %s with body %q", all[0].method, all[0].url, all[0].body)
		}
	})
}

// eta formats a schedule time in seconds with a fraction.
func eta(at time.Time) string {
	text := at.Format(".000000")
	return fmt.Sprint(at.Unix()) + text
}

// A worker that cannot be reached counts as no answer: previous response 0, no
// execution.
func TestUnreachableWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, cloudtasks.Options{}, nil)
		b.queue(&cloudtaskspb.Queue{})
		b.worker.answer = func(n int, _ http.ResponseWriter, _ *http.Request) {
			if n == 0 {
				panic(http.ErrAbortHandler)
			}
		}
		b.create("x")
		synctest.Wait()
		last := b.dispatches()[0]
		if last.Status != 0 || last.Err == nil || last.Outcome != cloudtasks.Retrying {
			t.Errorf("dispatch is %+v", last)
		}
		time.Sleep(time.Minute)
		want := []count{{"0", "0", "-", "-"}, {"1", "0", "0", ""}}
		if diff := cmp.Diff(want, counts(b.worker.deliveries(), "X-Cloudtasks-")); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	})
}

func TestHTTPTargetOverrides(t *testing.T) {
	https, host, port := cloudtaskspb.UriOverride_HTTPS, "other.test", int64(8443)
	base := func() *cloudtaskspb.UriOverride {
		return &cloudtaskspb.UriOverride{Scheme: &https, Host: &host, Port: &port,
			PathOverride:  &cloudtaskspb.PathOverride{Path: "/p"},
			QueryOverride: &cloudtaskspb.QueryOverride{QueryParams: "a=b"}}
	}
	gentle := base()
	gentle.UriOverrideEnforceMode = cloudtaskspb.UriOverride_IF_NOT_EXISTS
	for name, c := range map[string]struct {
		override *cloudtaskspb.UriOverride
		url      string
	}{
		"always":                {base(), "https://other.test:8443/p?a=b"},
		"if it does not exist":  {gentle, "http://worker.test:8443/tasks?a=b"},
		"nothing is overridden": {nil, target},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, cloudtasks.Options{}, nil)
				b.queue(&cloudtaskspb.Queue{HttpTarget: &cloudtaskspb.HttpTarget{
					UriOverride: c.override, HttpMethod: cloudtaskspb.HttpMethod_GET,
					HeaderOverrides: []*cloudtaskspb.HttpTarget_HeaderOverride{{Header: &cloudtaskspb.HttpTarget_Header{Key: "X-Mine", Value: "queue"}}},
				}})
				task := httpTask("x")
				task.GetHttpRequest().Body = []byte("ignored with GET")
				task.GetHttpRequest().Headers = map[string]string{"x-mine": "task"}
				if _, err := b.tryCreate(task); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				d := b.worker.deliveries()[0]
				got := []string{d.url, d.method, d.body, d.header.Get("X-Mine")}
				if diff := cmp.Diff([]string{c.url, "GET", "", "queue"}, got); diff != "" {
					t.Errorf("request (-want +got):\n%s", diff)
				}
			})
		})
	}
}
