package chaos_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"os/exec"
	"path"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"

	"github.com/ai-worker/ai-worker/bench/fleet"
	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/local/gemini"
	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/redis/redistest"
)

const (
	queueParent    = "projects/p/locations/l"
	sweepQueue     = queueParent + "/queues/sweep"
	serviceAccount = "tasks@p.iam.gserviceaccount.com"
	bucket         = "pictures"
	web            = "web" // the tenant with most jobs

	// ratePerMinute is so high that Gemini's quota does not matter. Tasks that
	// are sent early or twice do not count in the queue's rate.
	ratePerMinute = "600"

	// A delivery comes again after that.
	retryFirst = 100 * time.Millisecond
	retryLast  = time.Second
)

// A deployment is the service and everything around it.
type deployment struct {
	t      *testing.T
	record *postgres
	redis  *redistest.Server
	queue  *cloudtasks.Emulator
	model  *model
	bucket *bucketFaults
	s3     *s3.Server
	proxy  *fleet.Proxy
	crew   *crew
	setups *setups
	// receiver is told of all jobs; nil for none.
	receiver *receiver

	changed chan struct{}   // closed once the last change of the lanes is done; for the test's own goroutine
	taken   map[trouble]int // how often each kind began; likewise

	whole       atomic.Bool  // the trouble is over, and the last deploy has begun
	troubled    string       // BUDGET until then
	room        int          // for how many pictures thrifty has a budget until then
	sweepStatus atomic.Int64 // of the last sweep's answer
	duplicates  atomic.Int64
	runEarly    atomic.Int64
}

// deploy starts the service and everything around it. With a receiver, the service
// is built so that it may call this machine.
func deploy(t *testing.T, seed uint64, long bool, p plan, to *receiver) *deployment {
	t.Helper()
	build := func(name string) string {
		program, err := fleet.Build(t.Context(), t.TempDir(), "github.com/ai-worker/ai-worker/cmd/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
	shipped := build("ai-worker")
	program, settings := shipped, []string(nil)
	if to != nil {
		program = build("internal/loopback")
		settings = []string{"WEBHOOK_SECRET=" + webhookSecret, "WEBHOOK_QUEUE=" + webhookQueue}
	}
	var err error
	d := &deployment{t: t, redis: redistest.Start(t), record: startPostgres(t), model: newModel(p.jobs), receiver: to}
	d.troubled, d.room = budgetFor(p.jobs, long), roomOf(p.jobs)
	d.setups, d.taken = &setups{all: []setup{{}}}, map[trouble]int{}
	d.startQueue(seed)
	keys := httptest.NewServer(d.queue.JWKS())
	t.Cleanup(keys.Close)
	address := d.startGemini(seed, long)
	d.startBucket(seed)
	if d.proxy, err = fleet.NewProxy(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.proxy.Close() })
	d.migrate(shipped)

	d.crew = newCrew(d, program, append(settings,
		"KEY_A="+keyOf("a"), "KEY_B="+keyOf("b"),
		"GEMINI_BASE_URL="+address, "GEMINI_RPM="+ratePerMinute, "WORKER_CONCURRENCY=20",
		"R2_ENDPOINT="+d.s3.URL(), "R2_ACCESS_KEY_ID=id", "R2_SECRET_ACCESS_KEY=secret", "R2_BUCKET="+bucket,
		"CLOUD_TASKS_ENDPOINT="+d.queue.Addr(), "TASKS_JWKS_URL="+keys.URL,
		"WORKER_URL="+d.proxy.URL(), "TASKS_SERVICE_ACCOUNT="+serviceAccount, "API_KEYS="+web+":"+apiKeyOf(web)+","+thrifty+":"+apiKeyOf(thrifty),
	))
	d.crew.startAll(t.Context())
	return d
}

// startQueue starts Cloud Tasks, which sends some deliveries twice. Retries
// come sooner than in production, and the queue does not slow down. Otherwise
// it would hardly send anything for a minute after each crash, which is when
// most happens.
func (d *deployment) startQueue(seed uint64) {
	d.t.Helper()
	var err error
	d.queue, err = cloudtasks.Start("127.0.0.1:0", cloudtasks.Options{
		Seed:         seed | 1, // 0 would mean a random seed
		NoThrottling: true,
		Duplicates:   cloudtasks.Duplicates{Probability: 0.1, Delay: 300 * time.Millisecond},
		OnDispatch: func(sent cloudtasks.Dispatch) {
			if sent.Duplicate {
				d.duplicates.Add(1)
			}
			if path.Base(sent.Queue) == path.Base(sweepQueue) && !sent.Duplicate {
				d.sweepStatus.Store(int64(sent.Status))
			}
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := d.queue.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			d.t.Error(err)
		}
	})
	for _, lane := range laneNames {
		if err := d.createQueue(d.t.Context(), d.setups.now().queue(lane)); err != nil {
			d.t.Fatal(err)
		}
	}
	if d.receiver != nil {
		if err := d.createQueue(d.t.Context(), webhookQueue); err != nil {
			d.t.Fatal(err)
		}
	}
	_, err = d.queue.Service().CreateQueue(d.t.Context(), &cloudtaskspb.CreateQueueRequest{
		Parent: queueParent, Queue: &cloudtaskspb.Queue{
			Name:        sweepQueue,
			RateLimits:  &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 10, MaxConcurrentDispatches: 20},
			RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: 1},
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *deployment) startGemini(seed uint64, hangs bool) (address string) {
	d.t.Helper()
	g, err := gemini.New(gemini.Options{Small: true, MinLatency: 200 * time.Millisecond, MaxLatency: 1500 * time.Millisecond, Seed: seed})
	if err != nil {
		d.t.Fatal(err)
	}
	g.Script(d.model.script(seed, hangs))
	srv := httptest.NewServer(g)
	d.t.Cleanup(srv.Close)
	return srv.URL
}

func (d *deployment) startBucket(seed uint64) {
	d.t.Helper()
	var err error
	if d.s3, err = s3.Start(s3.Options{Dir: d.t.TempDir(), Bucket: bucket}); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = d.s3.Close() })
	d.bucket = &bucketFaults{random: rand.New(rand.NewPCG(seed, 4))}
	d.s3.Fail(d.bucket.decide)
}

// migrate makes the schema, and makes the database note the moves of images.
func (d *deployment) migrate(program string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), program, "migrate")
	cmd.Env = []string{"DATABASE_URL=" + d.record.url("migrate")}
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("migrate: %v\n%s", err, out)
	}
	if _, err := d.record.exec(d.t.Context(), auditSQL); err != nil {
		d.t.Fatal(err)
	}
}

// perform breaks and repairs things according to the plan.
func (d *deployment) perform(ctx context.Context, steps []step) {
	began := time.Now()
	for _, s := range steps {
		if !wait(ctx, s.at-time.Since(began)) || d.t.Failed() {
			return
		}
		d.take(ctx, s)
	}
}

func (d *deployment) take(ctx context.Context, s step) {
	if slices.Contains(changes, s.what) && d.taken[s.what] > 0 && d.isChanging() {
		return
	}
	if !s.ends {
		d.taken[s.what]++
	}
	switch s.what {
	case killWorker:
		if s.ends {
			d.crew.start(ctx, s.worker)
		} else {
			d.crew.kill(ctx, s.worker)
		}
	case deployWorker:
		d.crew.deploy(ctx, s.worker)
	case stopRedis:
		if s.ends {
			d.redis.Restart()
		} else {
			d.redis.Stop()
		}
	case cutRedis, stallRedis:
		link := d.crew.places[s.worker].redis
		switch {
		case s.ends:
			link.Mend()
		case s.what == cutRedis:
			link.Cut()
		default:
			link.Stall()
		}
	case pauseLane, removeLane, returnLanes, renameModel:
		d.change(ctx, s.what, s.lane)
	case crashRecord:
		if !s.ends {
			d.record.crash()
		} else if err := d.record.start(); err != nil {
			d.t.Error(err)
		}
	case cutRecord:
		const sql = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'worker-%'`
		limited, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, _ = d.record.exec(limited, sql) // if Postgres is down, the connections are cut already
	case failPictures:
		d.bucket.down.Store(!s.ends)
	}
}

// mend ends all trouble, as operators do: it makes everything around the
// service work again, and deploys the service again.
func (d *deployment) mend(ctx context.Context) {
	d.model.calm.Store(true)
	d.bucket.calm.Store(true)
	if d.receiver != nil {
		d.receiver.calm.Store(true)
	}
	d.whole.Store(true)
	d.change(ctx, returnLanes, "")
	d.crew.settle()
}
