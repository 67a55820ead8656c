package e2e_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/local/gemini"
	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/redis/redistest"
)

const (
	queueName  = "projects/p/locations/l/queues/images"
	sweepQueue = "projects/p/locations/l/queues/sweep"
	bucket     = "pictures"
	apiKey     = "0123456789abcdef"
)

// A deployment is everything around the shipped program: a real Postgres and
// Redis, and servers that the real clients of Cloud Tasks, Gemini and R2 talk
// to.
type deployment struct {
	t        *testing.T
	database string
	redis    *redistest.Server
	queue    *cloudtasks.Emulator
	gemini   *gemini.Server
	s3       *s3.Server
	env      []string
	api      api
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, redis: redistest.Start(t)}
	empty := func(context.Context, string) error { return nil }
	d.database = postgrestest.New(t, fstest.MapFS{}, empty) // `ai-worker migrate` does the rest

	var err error
	if d.queue, err = cloudtasks.Start("127.0.0.1:0", cloudtasks.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := d.queue.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	_, err = d.queue.Service().CreateQueue(t.Context(), &cloudtaskspb.CreateQueueRequest{
		Parent: "projects/p/locations/l",
		Queue: &cloudtaskspb.Queue{
			Name:        queueName,
			RateLimits:  &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 10, MaxConcurrentDispatches: 5},
			RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: -1, MinBackoff: durationpb.New(100 * time.Millisecond)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.queue.Service().CreateQueue(t.Context(), &cloudtaskspb.CreateQueueRequest{
		Parent: "projects/p/locations/l", Queue: &cloudtaskspb.Queue{Name: sweepQueue},
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(d.queue.JWKS())
	t.Cleanup(keys.Close)

	if d.s3, err = s3.Start(s3.Options{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.s3.Close() })
	if d.gemini, err = gemini.New(gemini.Options{RPM: 600}); err != nil {
		t.Fatal(err)
	}
	model := httptest.NewServer(d.gemini)
	t.Cleanup(model.Close)

	port := freePort(t)
	d.api = api{t: t, base: "http://127.0.0.1:" + port, key: apiKey}
	d.env = []string{
		"PORT=" + port, "DATABASE_URL=" + d.database, "REDIS_URL=" + d.redis.URL(),
		"GEMINI_API_KEY=AIzaTest", "GEMINI_BASE_URL=" + model.URL, "GEMINI_RPM=600",
		"R2_ENDPOINT=" + d.s3.URL(), "R2_ACCESS_KEY_ID=id", "R2_SECRET_ACCESS_KEY=secret", "R2_BUCKET=" + bucket,
		"CLOUD_TASKS_QUEUE=" + queueName, "SWEEP_QUEUE=" + sweepQueue, "CLOUD_TASKS_ENDPOINT=" + d.queue.Addr(), "TASKS_JWKS_URL=" + keys.URL,
		"WORKER_URL=" + d.api.base, "TASKS_SERVICE_ACCOUNT=tasks@p.iam.gserviceaccount.com", "API_KEYS=web:" + apiKey,
	}
	return d
}

// freePort returns a port that nobody listens on. A restarted program can have
// it again, because it is below the ports that the kernel gives to outgoing
// connections.
func freePort(t *testing.T) string {
	t.Helper()
	var err error
	for range 20 {
		port := strconv.Itoa(20_000 + rand.IntN(10_000))
		var ln net.Listener
		if ln, err = net.Listen("tcp", ":"+port); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal(err)
	return ""
}

// migrate runs `ai-worker migrate`, and returns what it printed.
func (d *deployment) migrate() string {
	d.t.Helper()
	p := start(d.t, build(d.t, "ai-worker"), d.t.TempDir(), []string{"DATABASE_URL=" + d.database}, "migrate")
	if err := <-p.done; err != nil {
		d.t.Fatalf("migrate: %v\n%s", err, p.out)
	}
	return p.out.String()
}

// serve starts `ai-worker serve`, and returns it once it serves.
func (d *deployment) serve() *process {
	d.t.Helper()
	p := start(d.t, build(d.t, "ai-worker"), d.t.TempDir(), d.env, "serve")
	await(d.t, "ai-worker serving", startTimeout, d.api.healthy)
	return p
}

// expireLeases ends the leases that dead workers have left.
func (d *deployment) expireLeases() {
	d.t.Helper()
	d.exec(`UPDATE images SET due_at = now() WHERE status = 'processing'`)
}

// exec runs a statement on the database, without the service.
func (d *deployment) exec(sql string) {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.database)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(d.t.Context())
	if _, err := conn.Exec(d.t.Context(), sql); err != nil {
		d.t.Fatal(err)
	}
}

func TestWorkerDrawsPictures(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	if got := d.migrate(); !strings.Contains(got, "applied 00001") {
		t.Errorf("migrate printed %q", got)
	}
	if got := d.migrate(); !strings.Contains(got, "up to date") {
		t.Errorf("migrate again printed %q", got)
	}
	worker := d.serve()
	j := d.api.generate(`{"prompt":"A fox","count":3}`)
	j = d.api.poll(j.ID, "succeeded")
	for _, url := range j.Output {
		if format, _ := d.api.picture(url); format != "png" {
			t.Errorf("%s is %q", url, format)
		}
	}
	if got := d.gemini.Stats().Requests; got != 3 || len(j.Output) != 3 {
		t.Errorf("%d requests for %d pictures, want 3", got, len(j.Output))
	}
	// A refused image has failed for good, and says why.
	refused := d.api.generate(`{"prompt":"[[finish:SAFETY]] A fox"}`)
	refused = d.api.poll(refused.ID, "failed")
	if e := refused.Images[0].Error; e == nil || e.Code != "blocked" {
		t.Errorf("the refused picture's error is %+v", e)
	}
	worker.stop()
}

// The worker dies after the picture is stored and before it can record that.
func TestWorkerKilledBeforeItRecordsPaysOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.migrate()
	worker := d.serve()
	var uploaded atomic.Bool
	d.s3.Fail(func(r *http.Request) s3.Fault {
		switch {
		case r.Method == http.MethodGet: // the test's
			return s3.Fault{}
		case r.Method == http.MethodPut && uploaded.CompareAndSwap(false, true):
			return s3.Fault{Done: true, Cut: true}
		default: // the worker gets no answer, however long it lives
			return s3.Fault{Cut: true}
		}
	})
	j := d.api.generate(`{"prompt":"A fox"}`)
	await(t, "the upload", patience, func() bool { return strings.Contains(d.listBucket(), j.ID) })
	worker.kill()
	<-worker.done

	d.s3.Fail(nil)
	d.serve()
	d.expireLeases()
	j = d.api.poll(j.ID, "succeeded")
	if format, _ := d.api.picture(j.Output[0]); format != "png" {
		t.Errorf("the picture is %q", format)
	}
	if got := d.gemini.Stats().Requests; got != 1 {
		t.Errorf("%d requests, want 1: the picture was there", got)
	}
	if got := j.Images[0].Attempts; got != 2 {
		t.Errorf("%d attempts, want 2: the kill spent one", got)
	}
}

// listBucket returns R2's list of all objects.
func (d *deployment) listBucket() string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.s3.URL()+"/"+bucket+"?list-type=2", http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// If a job is canceled while Gemini draws, the worker cuts the call at once.
func TestWorkerCancelsARunningRequest(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.migrate()
	d.serve()
	j := d.api.generate(`{"prompt":"[[hang]] A fox"}`)
	await(t, "the request", patience, func() bool { return d.gemini.Stats().InFlight == 1 })
	var canceled job
	if _, err := d.api.call(http.MethodPost, "/api/jobs/"+j.ID+"/cancel", "", &canceled); err != nil {
		t.Fatal(err)
	}
	if canceled.Status != "canceled" {
		t.Errorf("the job is %s", canceled.Status)
	}
	// One second is promised; the rest is for a busy machine. Without Redis,
	// the worker would learn of it when it renews the lease, after 20 s.
	await(t, "the end of the request", 15*time.Second, func() bool { return d.gemini.Stats().InFlight == 0 })
	if got := d.api.get(j.ID).Status; got != "canceled" {
		t.Errorf("afterwards the job is %s", got)
	}
}

// After SIGTERM, the worker puts its image back and gives the attempt back.
// Another process draws the picture.
func TestWorkerPutsItsWorkBack(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.migrate()
	worker := d.serve()
	j := d.api.generate(`{"prompt":"[[hang*1]] A fox"}`)
	await(t, "the request", patience, func() bool { return d.gemini.Stats().InFlight == 1 })
	stopped := time.Now()
	worker.stop()
	// An orderly end means that it took 9 s at most.
	if took := time.Since(stopped); took < 6*time.Second {
		t.Errorf("it ended %s after SIGTERM, want 7 s for the work", took)
	}
	d.serve()
	j = d.api.poll(j.ID, "succeeded")
	if got := j.Images[0].Attempts; got != 1 {
		t.Errorf("%d attempts, want 1: a deploy spends none", got)
	}
}

// The process that records a job also puts a task for a sweep on the queue,
// which comes in one to eleven minutes. The test runs it at once.
func TestJobsHaveThemselvesSwept(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.migrate()
	d.serve()
	if _, err := d.queue.Service().PauseQueue(t.Context(), &cloudtaskspb.PauseQueueRequest{Name: queueName}); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	j := d.api.generate(`{"prompt":"A fox"}`)
	after := time.Now()
	if _, err := d.queue.Service().PurgeQueue(t.Context(), &cloudtaskspb.PurgeQueueRequest{Name: queueName}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.queue.Service().ResumeQueue(t.Context(), &cloudtaskspb.ResumeQueueRequest{Name: queueName}); err != nil {
		t.Fatal(err)
	}
	d.exec(`UPDATE images SET handed_out_at = handed_out_at - interval '1 hour', due_at = due_at - interval '1 hour'`)

	waiting, err := d.queue.Service().ListTasks(t.Context(), &cloudtaskspb.ListTasksRequest{Parent: sweepQueue})
	if err != nil {
		t.Fatal(err)
	}
	if len(waiting.GetTasks()) != 1 {
		t.Fatalf("%d sweeps are asked for, want 1", len(waiting.GetTasks()))
	}
	at := waiting.GetTasks()[0].GetScheduleTime().AsTime()
	if at.Sub(before) < time.Minute || at.Sub(after) > 11*time.Minute {
		t.Errorf("the sweep comes %v after the job was asked for", at.Sub(before))
	}
	if _, err := d.queue.Service().RunTask(t.Context(), &cloudtaskspb.RunTaskRequest{Name: waiting.GetTasks()[0].GetName()}); err != nil {
		t.Fatal(err)
	}
	d.api.poll(j.ID, "succeeded")
}

// A crash came after the row was written and before its tasks were put. Only
// the sweep can find that out.
func TestSweepSendsWhatACrashLeftOut(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.migrate()
	d.serve()
	if _, err := d.queue.Service().PauseQueue(t.Context(), &cloudtaskspb.PauseQueueRequest{Name: queueName}); err != nil {
		t.Fatal(err)
	}
	j := d.api.generate(`{"prompt":"A fox","count":2}`)
	if _, err := d.queue.Service().PurgeQueue(t.Context(), &cloudtaskspb.PurgeQueueRequest{Name: queueName}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.queue.Service().ResumeQueue(t.Context(), &cloudtaskspb.ResumeQueueRequest{Name: queueName}); err != nil {
		t.Fatal(err)
	}
	d.exec(`UPDATE images SET handed_out_at = handed_out_at - interval '1 hour', due_at = due_at - interval '1 hour'`)
	d.sweep()
	d.api.poll(j.ID, "succeeded")
}

// sweep makes Cloud Tasks call the sweep. Cloud Scheduler calls it with the
// same account.
func (d *deployment) sweep() {
	d.t.Helper()
	_, err := d.queue.Service().CreateTask(d.t.Context(), &cloudtaskspb.CreateTaskRequest{
		Parent: queueName,
		Task: &cloudtaskspb.Task{MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: &cloudtaskspb.HttpRequest{
			HttpMethod: cloudtaskspb.HttpMethod_POST,
			Url:        d.api.base + "/tasks/sweep",
			AuthorizationHeader: &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{
				ServiceAccountEmail: "tasks@p.iam.gserviceaccount.com", Audience: d.api.base,
			}},
		}}},
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// Redis goes away while a job runs, and comes back empty.
func TestWorkerWithoutRedis(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.migrate()
	d.serve()
	d.redis.Stop()
	j := d.api.generate(`{"prompt":"A fox"}`)
	d.api.poll(j.ID, "succeeded")
	d.redis.Restart()
	j = d.api.generate(`{"prompt":"Another fox"}`)
	d.api.poll(j.ID, "succeeded")
}

func TestWorkerTakesDeliveriesFromCloudTasksOnly(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.migrate()
	d.serve()
	stranger := d.api
	stranger.key = ""
	for _, token := range []string{"", "Bearer nonsense", "Bearer " + apiKey} {
		var problem struct{ Status int }
		_, err := stranger.call(http.MethodPost, "/tasks/generate", "{}", &problem, "Authorization", token)
		if err != nil || problem.Status != http.StatusUnauthorized {
			t.Errorf("%q: %d, %v; want 401", token, problem.Status, err)
		}
	}
}

func TestWorkerNamesEveryMissingSetting(t *testing.T) {
	t.Parallel()
	p := start(t, build(t, "ai-worker"), t.TempDir(), []string{"GEMINI_RPM=0"}, "serve")
	if err := <-p.done; err == nil {
		t.Fatal("it started")
	}
	for _, setting := range []string{
		"DATABASE_URL", "REDIS_URL", "GEMINI_API_KEY", "GEMINI_RPM", "R2_ACCOUNT_ID", "R2_ACCESS_KEY_ID",
		"R2_SECRET_ACCESS_KEY", "R2_BUCKET", "CLOUD_TASKS_QUEUE", "WORKER_URL", "TASKS_SERVICE_ACCOUNT", "API_KEYS",
	} {
		if !strings.Contains(p.out.String(), setting+" ") {
			t.Errorf("it does not name %s", setting)
		}
	}
}

func TestWorkerCommandLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"version"}, 0, "dev"},
		{[]string{"help"}, 0, "Usage: ai-worker"},
		{nil, 2, "Usage: ai-worker"},
		{[]string{"server"}, 2, `unknown command: "server"`},
		{[]string{"migrate"}, 1, "DATABASE_URL is missing"},
	} {
		p := start(t, build(t, "ai-worker"), t.TempDir(), nil, tt.args...)
		code := 0
		var exit *exec.ExitError
		if err := <-p.done; errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if code != tt.code || !strings.Contains(p.out.String(), tt.want) {
			t.Errorf("%v: exit code %d, want %d; printed %s", tt.args, code, tt.code, p.out)
		}
	}
}

// The shipped program has no part of the stand-ins.
func TestWorkerLinksNoStandIns(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../cmd/ai-worker").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := string(out)
	if !strings.Contains(deps, "/record/postgres") {
		t.Fatalf("these are not its packages: %s", deps)
	}
	for _, name := range []string{"ai-worker/local", "sqlite", "miniredis", "gofakes3"} {
		if strings.Contains(deps, name) {
			t.Errorf("ai-worker links %s", name)
		}
	}
}
