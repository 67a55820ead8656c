package cloudtasks_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

func TestQueueChecks(t *testing.T) {
	limits := func(perSecond float64, concurrent int32) *cloudtaskspb.Queue {
		return &cloudtaskspb.Queue{Name: queueA, RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: perSecond, MaxConcurrentDispatches: concurrent}}
	}
	retries := func(c *cloudtaskspb.RetryConfig) *cloudtaskspb.Queue {
		return &cloudtaskspb.Queue{Name: queueA, RetryConfig: c}
	}
	for name, c := range map[string]struct {
		queue   *cloudtaskspb.Queue
		message string // "" is accepted
	}{
		"highest":             {limits(500, 5000), ""},
		"rate too high":       {limits(500.1, 0), "RateLimits.maxDispatchesPerSecond must be less than or equal to 500."},
		"rate negative":       {limits(-1, 0), "RateLimits.maxDispatchesPerSecond cannot be negative."},
		"rate not a number":   {limits(math.NaN(), 0), "RateLimits.maxDispatchesPerSecond cannot be negative."},
		"concurrent too high": {limits(0, 5001), "RateLimits.maxConcurrentDispatches must be less than or equal to 5000."},
		"concurrent negative": {limits(0, -1), "RateLimits.maxConcurrentDispatches cannot be negative."},
		"burst is ignored":    {&cloudtaskspb.Queue{Name: queueA, RateLimits: &cloudtaskspb.RateLimits{MaxBurstSize: -1}}, ""},
		"attempts":            {retries(&cloudtaskspb.RetryConfig{MaxAttempts: -2}), "RetryConfig.maxAttempts must be greater or equal to -1."},
		"doublings":           {retries(&cloudtaskspb.RetryConfig{MaxDoublings: -1}), "RetryConfig.maxDoublings cannot be negative."},
		"backoff negative":    {retries(&cloudtaskspb.RetryConfig{MinBackoff: durationpb.New(-1)}), "RetryConfig.minBackoff cannot be negative."},
		"backoff order":       {retries(retry(10*time.Second, 5*time.Second, 1, 1)), "RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff."},
		"minimum over default maximum": {retries(&cloudtaskspb.RetryConfig{MinBackoff: durationpb.New(2 * time.Hour)}),
			"RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff."},
		"name": {&cloudtaskspb.Queue{Name: "not-a-valid-queue-name"}, `Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".`},
		"queue id with underscore": {&cloudtaskspb.Queue{Name: location + "/queues/a_b"},
			`Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".`},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, cloudtasks.Options{}, nil)
			_, err := b.tasks.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: c.queue})
			check(t, err, codes.InvalidArgument, c.message)
			if strings.HasPrefix(c.message, "Queue name") {
				return
			}
			b = setup(t, cloudtasks.Options{}, nil)
			b.queue(&cloudtaskspb.Queue{})
			_, err = b.tasks.UpdateQueue(b.ctx, &cloudtaskspb.UpdateQueueRequest{Queue: c.queue})
			check(t, err, codes.InvalidArgument, c.message)
		})
	}
}

// check compares an error's code and message; an empty message means no error.
func check(t *testing.T, err error, code codes.Code, message string) {
	t.Helper()
	if message == "" {
		code = codes.OK
	}
	if status.Code(err) != code || status.Convert(err).Message() != message {
		t.Errorf("error is %v, want %s %q", err, code, message)
	}
}

func TestTaskChecks(t *testing.T) {
	alter := func(f func(*cloudtaskspb.Task)) *cloudtaskspb.Task {
		task := httpTask("")
		f(task)
		return task
	}
	url := func(url string) *cloudtaskspb.Task {
		return alter(func(t *cloudtaskspb.Task) { t.GetHttpRequest().Url = url })
	}
	deadline := func(d time.Duration) *cloudtaskspb.Task {
		return alter(func(t *cloudtaskspb.Task) { t.DispatchDeadline = durationpb.New(d) })
	}
	scheduled := func(d time.Duration) *cloudtaskspb.Task {
		return alter(func(t *cloudtaskspb.Task) { t.ScheduleTime = timestamppb.New(time.Now().Add(d)) })
	}
	named := func(name string) *cloudtaskspb.Task {
		return alter(func(t *cloudtaskspb.Task) { t.Name = name })
	}
	body := func(m cloudtaskspb.HttpMethod) *cloudtaskspb.Task {
		return alter(func(t *cloudtaskspb.Task) {
			t.GetHttpRequest().HttpMethod, t.GetHttpRequest().Body = m, []byte("x")
		})
	}
	header := func(n int) *cloudtaskspb.Task {
		return alter(func(t *cloudtaskspb.Task) {
			t.GetHttpRequest().Headers = map[string]string{"X": strings.Repeat("x", n)}
		})
	}
	account := func(email string) *cloudtaskspb.Task {
		return alter(func(t *cloudtaskspb.Task) {
			t.GetHttpRequest().AuthorizationHeader = &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{ServiceAccountEmail: email}}
		})
	}
	for name, c := range map[string]struct {
		task *cloudtaskspb.Task
		code codes.Code
	}{
		"no task":                {nil, codes.InvalidArgument},
		"no message":             {&cloudtaskspb.Task{}, codes.InvalidArgument},
		"no url":                 {url(""), codes.InvalidArgument},
		"no scheme":              {url("example.com/path"), codes.InvalidArgument},
		"other scheme":           {url("ftp://example.com/"), codes.InvalidArgument},
		"bad escape is accepted": {url("http://example.com/%zz"), codes.OK},
		"longest url":            {url("http://e.com/" + strings.Repeat("x", 2083-13)), codes.OK},
		"url too long":           {url("http://e.com/" + strings.Repeat("x", 2084-13)), codes.InvalidArgument},
		"shortest deadline":      {deadline(15 * time.Second), codes.OK},
		"deadline too short":     {deadline(15*time.Second - 1), codes.InvalidArgument},
		"longest deadline":       {deadline(30 * time.Minute), codes.OK},
		"deadline too long":      {deadline(30*time.Minute + 1), codes.InvalidArgument},
		"deadline of nothing":    {deadline(0), codes.InvalidArgument},
		"in 719 hours":           {scheduled(719 * time.Hour), codes.OK},
		"in 721 hours":           {scheduled(721 * time.Hour), codes.InvalidArgument},
		"in the past":            {scheduled(-time.Hour), codes.OK},
		"longest name":           {named(queueA + "/tasks/" + strings.Repeat("x", 500)), codes.OK},
		"name too long":          {named(queueA + "/tasks/" + strings.Repeat("x", 501)), codes.InvalidArgument},
		"name with spaces":       {named(queueA + "/tasks/not a valid id"), codes.InvalidArgument},
		"name without tasks":     {named(queueA), codes.InvalidArgument},
		"name in another queue":  {named(queueA + "b/tasks/x"), codes.InvalidArgument},
		"body with PATCH":        {body(cloudtaskspb.HttpMethod_PATCH), codes.OK},
		"body with GET":          {body(cloudtaskspb.HttpMethod_GET), codes.InvalidArgument},
		"body with DELETE":       {body(cloudtaskspb.HttpMethod_DELETE), codes.InvalidArgument},
		"large headers":          {header(80<<10 - 100), codes.OK},
		"headers too large":      {header(80 << 10), codes.InvalidArgument},
		"known account":          {account("known@p.iam.gserviceaccount.com"), codes.OK},
		"unknown account":        {account("unknown@p.iam.gserviceaccount.com"), codes.NotFound},
		"token without account":  {account(""), codes.InvalidArgument},
		"task backoff order":     {alter(func(t *cloudtaskspb.Task) { t.RetryConfig = retry(2, 1, 0, 0) }), codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, cloudtasks.Options{ServiceAccounts: []string{"known@p.iam.gserviceaccount.com"}}, nil)
			b.queue(&cloudtaskspb.Queue{})
			_, err := b.tryCreate(c.task)
			wantCode(t, "CreateTask", err, c.code)
		})
	}
}

// The limit counts the stored task, to the byte.
func TestTaskSize(t *testing.T) {
	b := setup(t, cloudtasks.Options{}, nil)
	b.queue(&cloudtaskspb.Queue{})
	b.pause()
	task := httpTask("small")
	task.GetHttpRequest().Body = make([]byte, 1<<20-400)
	task.ScheduleTime = timestamppb.New(time.Now().Add(time.Hour).Truncate(time.Second))
	stored, err := b.tryCreate(task)
	if err != nil {
		t.Fatal(err)
	}
	stored.View = 0
	room := 1<<20 - 7 - proto.Size(stored)
	for extra, want := range map[int]codes.Code{0: codes.OK, 1: codes.InvalidArgument} {
		task.Name = queueA + "/tasks/size" + fmt.Sprint(extra)
		task.GetHttpRequest().Body = make([]byte, 1<<20-400+room+extra)
		_, err := b.tryCreate(task)
		wantCode(t, fmt.Sprintf("%d bytes over the limit", extra), err, want)
	}
}

// Errors have the words of the service, where they are recorded.
func TestRecordedErrors(t *testing.T) {
	b := setup(t, cloudtasks.Options{}, nil)
	missing := location + "/queues/missing"
	noQueue := "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize."
	_, err := b.tasks.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: missing})
	check(t, err, codes.NotFound, noQueue)
	_, err = b.tasks.PurgeQueue(b.ctx, &cloudtaskspb.PurgeQueueRequest{Name: missing})
	check(t, err, codes.NotFound, noQueue)
	_, err = b.tasks.PauseQueue(b.ctx, &cloudtaskspb.PauseQueueRequest{Name: missing})
	check(t, err, codes.NotFound, noQueue)
	_, err = b.tasks.DeleteQueue(b.ctx, &cloudtaskspb.DeleteQueueRequest{Name: missing})
	check(t, err, codes.NotFound, "Requested entity was not found.")
	_, err = b.tryCreate(httpTask("x"))
	check(t, err, codes.NotFound, noQueue)

	b.queue(&cloudtaskspb.Queue{})
	_, err = b.tasks.CreateQueue(b.ctx, &cloudtaskspb.CreateQueueRequest{Parent: location, Queue: &cloudtaskspb.Queue{Name: queueA}})
	check(t, err, codes.AlreadyExists, "Queue already exists")
	_, err = b.get("x")
	check(t, err, codes.NotFound, "Requested entity was not found.")
	_, err = b.tasks.RunTask(b.ctx, &cloudtaskspb.RunTaskRequest{Name: queueA + "/tasks/x"})
	check(t, err, codes.NotFound, "Requested entity was not found.")
	other := httpTask("x")
	other.Name = missing + "/tasks/x"
	_, err = b.tryCreate(other)
	check(t, err, codes.InvalidArgument, fmt.Sprintf("The queue name from request ('%s') must be the same as the queue name in the named task ('%s').", queueA, missing))
	b.pause()
	b.create("x")
	_, err = b.tryCreate(httpTask("x"))
	check(t, err, codes.AlreadyExists, "Requested entity already exists")
	_, err = b.tryCreate(httpTask("not a valid id"))
	check(t, err, codes.InvalidArgument, `Task ID "not a valid id" can contain only letters ([A-Za-z]), numbers ([0-9]), hyphens (-), or underscores (_). Task ID must between 1 and 500 characters.`)
	if details := status.Convert(err).Details(); len(details) != 1 || details[0].(*errdetails.Help).GetLinks()[0].GetDescription() != "Definition of task ID" {
		t.Errorf("details are %v, want a link to the definition", details)
	}
}

func (b *bench) pause() {
	b.Helper()
	if _, err := b.tasks.PauseQueue(b.ctx, &cloudtaskspb.PauseQueueRequest{Name: queueA}); err != nil {
		b.Fatal(err)
	}
}
