package doctor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/lane"
)

// Queues is the part of the Cloud Tasks client that the checks use.
type Queues interface {
	GetQueue(context.Context, *cloudtaskspb.GetQueueRequest, ...gax.CallOption) (*cloudtaskspb.Queue, error)
	TestIamPermissions(context.Context, *iampb.TestIamPermissionsRequest, ...gax.CallOption) (*iampb.TestIamPermissionsResponse, error)
	ListTasks(context.Context, *cloudtaskspb.ListTasksRequest, ...gax.CallOption) *cloudtasks.TaskIterator
}

// Open makes a client when one is needed: looking for credentials takes time,
// and may fail.
type Open[T any] func(context.Context) (T, error)

const (
	// rateTolerance allows for the rounding of RPM ÷ 60.
	rateTolerance = 0.01
	// A queue with fewer attempts than fewAttempts does not outlast an outage:
	// it gives up on a task and deletes it. -1 means no limit.
	fewAttempts, unlimited = 100, -1

	permissionCreate = "cloudtasks.tasks.create" // for every picture
	permissionGet    = "cloudtasks.tasks.get"    // for the sweep
)

// once returns an option by which the client does not retry a call.
func once() gax.CallOption { return gax.WithRetry(func() gax.Retryer { return nil }) }

// Queue checks that a lane's queue is there, runs, and is set up for the lane.
func Queue(l LaneSettings, open Open[Queues]) Check {
	return Check{
		Name: "queue", Subject: l.Quota.Name, Needs: l.needs("CLOUD_TASKS_QUEUE", "CLOUD_TASKS_ENDPOINT"),
		Run: func(ctx context.Context) []Finding {
			client, err := open(ctx)
			if err != nil {
				return []Finding{noCredentials(err)}
			}
			q, err := client.GetQueue(ctx, &cloudtaskspb.GetQueueRequest{Name: l.Quota.Queue}, once())
			if grpcstatus.Code(err) == codes.PermissionDenied {
				// The permission to look at the queue is left out: the first
				// finding is about it.
				return append([]Finding{queueTrouble(l, err)}, checkPermissions(ctx, l, client, permissionCreate)...)
			}
			if err != nil {
				return []Finding{queueTrouble(l, err)}
			}
			findings := slices.Concat(queueState(l, q), queueRate(l, q), queueRetry(l, q),
				checkPermissions(ctx, l, client, permissionCreate, permissionGet))
			if len(findings) == 0 {
				findings = []Finding{ok("%s is running, %d a minute, %d at once", shortName(l.Quota.Queue), l.Quota.RPM, l.Quota.Concurrency)}
			}
			return findings
		},
	}
}

// SweepQueue checks the queue for the service's own sweeps, if there is one.
// This account must be allowed to put tasks there, but not to look at the
// queue.
func SweepQueue(name string, open Open[Queues]) Check {
	// The limits that terraform sets. They are more than the one task in ten
	// minutes needs.
	l := LaneSettings{Quota: lane.Lane{Name: "sweeps", Queue: name, RPM: 60, Concurrency: 2}}
	return Check{
		Name: "queue", Subject: l.Quota.Name, Needs: []string{"SWEEP_QUEUE", "CLOUD_TASKS_ENDPOINT"},
		Run: func(ctx context.Context) []Finding {
			if name == "" {
				return []Finding{skipped("SWEEP_QUEUE is not set: what a crash lost is found by Cloud Scheduler's sweep only")}
			}
			return ownQueue(ctx, l, open)
		},
	}
}

// ownQueue looks at a queue on which the service puts tasks of its own. Its name
// is that of the tasks. This account need not look at the queue.
func ownQueue(ctx context.Context, l LaneSettings, open Open[Queues]) []Finding {
	client, err := open(ctx)
	if err != nil {
		return []Finding{noCredentials(err)}
	}
	q, err := client.GetQueue(ctx, &cloudtaskspb.GetQueueRequest{Name: l.Quota.Queue}, once())
	if err != nil && (grpcstatus.Code(err) != codes.PermissionDenied || isDisabled(err)) {
		return []Finding{queueTrouble(l, err)}
	}
	findings := append(queueState(l, q), checkPermissions(ctx, l, client, permissionCreate)...)
	if len(findings) == 0 {
		findings = []Finding{ok("%s takes %s", shortName(l.Quota.Queue), l.Quota.Name)}
	}
	return findings
}

// noCredentials returns the finding for a Google client that cannot be made.
func noCredentials(err error) Finding {
	return failed("On a laptop: gcloud auth application-default login. On Cloud Run they come by themselves.",
		"there are no credentials for Google Cloud: %v", err)
}

func queueTrouble(l LaneSettings, err error) Finding {
	name := shortName(l.Quota.Queue)
	project, _ := place(l.Quota.Queue)
	switch message := grpcstatus.Convert(err).Message(); grpcstatus.Code(err) {
	case codes.NotFound:
		return failed("terraform apply, or: "+createQueue(l)+"\nA name that was deleted lately cannot be used again for days: raise its version in terraform.",
			"there is no queue %s", l.Quota.Queue)
	case codes.PermissionDenied:
		if isDisabled(err) {
			return failed("gcloud services enable cloudtasks.googleapis.com --project="+project, "Cloud Tasks is not enabled in project %s", project)
		}
		return warning(bindQueue(l, "roles/cloudtasks.viewer"),
			"this account may not look at queue %s, nor at its tasks, as the sweep must", name)
	case codes.Unauthenticated:
		return noCredentials(err)
	case codes.Unavailable, codes.DeadlineExceeded:
		return failed("Let this machine reach cloudtasks.googleapis.com, or start the emulator at CLOUD_TASKS_ENDPOINT.",
			"Cloud Tasks cannot be reached: %s", message)
	default:
		return failed("Check CLOUD_TASKS_QUEUE, or the queue in LANES.", "queue %s cannot be looked at: %v", l.Quota.Queue, err)
	}
}

// isDisabled reports whether the project has not enabled the API. Otherwise the
// account lacks the role.
func isDisabled(err error) bool {
	message := grpcstatus.Convert(err).Message()
	return strings.Contains(message, "SERVICE_DISABLED") || strings.Contains(message, "has not been used in project")
}

// createQueue returns the command that makes the lane's queue as terraform
// does.
func createQueue(l LaneSettings) string {
	return "gcloud tasks queues create " + l.queue() + limits(l) +
		" --max-attempts=-1 --max-retry-duration=0s --min-backoff=5s --max-backoff=300s --max-doublings=6"
}

func limits(l LaneSettings) string {
	return fmt.Sprintf(" --max-dispatches-per-second=%.6g --max-concurrent-dispatches=%d", l.rate(), l.Quota.Concurrency)
}

func bindQueue(l LaneSettings, role string) string {
	return "gcloud tasks queues add-iam-policy-binding " + l.queue() + " --member=serviceAccount:THIS_ACCOUNT --role=" + role
}

func queueState(l LaneSettings, q *cloudtaskspb.Queue) []Finding {
	name := shortName(l.Quota.Queue)
	switch q.GetState() { //nolint:exhaustive // an unspecified state is not known to be wrong
	case cloudtaskspb.Queue_PAUSED:
		if l.Quota.Paused {
			return []Finding{ok("queue %s is paused, as its lane is in the settings", name)}
		}
		return []Finding{failed("gcloud tasks queues resume "+l.queue(), "queue %s is paused: nothing on it is delivered", name)}
	case cloudtaskspb.Queue_DISABLED:
		return []Finding{failed("Enable billing and the App Engine application of the project; then: gcloud tasks queues resume "+l.queue(),
			"queue %s is disabled: nothing on it is delivered", name)}
	}
	return nil
}

// queueRate compares the queue with the lane: its rate must be the lane's
// quota, and its concurrency the lane's concurrency.
func queueRate(l LaneSettings, q *cloudtaskspb.Queue) []Finding {
	fix := "terraform apply, or: gcloud tasks queues update " + l.queue() + limits(l)
	var findings []Finding
	rate, want := q.GetRateLimits().GetMaxDispatchesPerSecond(), l.rate()
	switch {
	case rate < want*(1-rateTolerance):
		findings = append(findings, warning(fix, "queue %s delivers %s a minute at most, and the lane's quota is %d: part of it stays unused",
			shortName(l.Quota.Queue), aMinute(rate), l.Quota.RPM))
	case rate > want*(1+rateTolerance):
		findings = append(findings, warning(fix, "queue %s delivers up to %s a minute, and the lane's quota is %d: deliveries are sent away in vain",
			shortName(l.Quota.Queue), aMinute(rate), l.Quota.RPM))
	}
	if got := int(q.GetRateLimits().GetMaxConcurrentDispatches()); got != l.Quota.Concurrency {
		findings = append(findings, warning(fix, "queue %s delivers %d at once, and the lane is to have %d", shortName(l.Quota.Queue), got, l.Quota.Concurrency))
	}
	return findings
}

// aMinute formats a rate, given in requests a second, as requests a minute.
func aMinute(rate float64) string {
	return strconv.FormatFloat(math.Round(rate*60*100)/100, 'f', -1, 64)
}

func queueRetry(l LaneSettings, q *cloudtaskspb.Queue) []Finding {
	n := int(q.GetRetryConfig().GetMaxAttempts())
	if n == unlimited || n >= fewAttempts {
		return nil
	}
	return []Finding{warning("terraform apply, or: gcloud tasks queues update "+l.queue()+" --max-attempts=-1",
		"queue %s gives up after %s, and deletes the task; only the sweep brings it back", shortName(l.Quota.Queue), count(n, "attempt"))}
}

// checkPermissions asks which of the permissions this account has on the queue.
func checkPermissions(ctx context.Context, l LaneSettings, client Queues, want ...string) []Finding {
	answer, err := client.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: l.Quota.Queue, Permissions: want}, once())
	switch {
	case grpcstatus.Code(err) == codes.Unimplemented: // some emulators answer this
		return nil
	case err != nil:
		return []Finding{warning("Run this again; if it stays so, look at the account's roles on the queue.",
			"what this account may do to queue %s cannot be told: %v", shortName(l.Quota.Queue), err)}
	}
	var findings []Finding
	if !slices.Contains(answer.GetPermissions(), permissionCreate) {
		findings = append(findings, failed(bindQueue(l, "roles/cloudtasks.enqueuer"),
			"this account may not create tasks on queue %s", shortName(l.Quota.Queue)))
	}
	if slices.Contains(want, permissionGet) && !slices.Contains(answer.GetPermissions(), permissionGet) {
		findings = append(findings, warning(bindQueue(l, "roles/cloudtasks.viewer"),
			"this account may not look tasks up on queue %s, as the sweep must", shortName(l.Quota.Queue)))
	}
	return findings
}

// perMinute returns how many requests a minute atOnce parallel requests make,
// if each takes that many seconds.
func perMinute(atOnce int, seconds float64) int {
	return int(math.Floor(float64(atOnce) * 60 / seconds))
}
