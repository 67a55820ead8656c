package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"

	"github.com/ai-worker/ai-worker/record"
)

// checkWaiting finds out whether waiting images make progress. If not, it looks
// for the cause.
func (w Work) checkWaiting(ctx context.Context, b record.Backlog, states []record.LaneState) Finding {
	switch {
	case b.Waiting == 0:
		return ok("nothing waits")
	case b.Held > 0 && b.Held+b.Parked == b.Waiting:
		return warning("See the budgets' own lines.", "%s, the oldest since %s, all for a budget or a lane", waiting(b.Waiting), ago(b.Waits))
	case b.Parked == b.Waiting:
		return warning("Mend what the models' own lines say.", "%s, the oldest since %s, all for a lane", waiting(b.Waiting), ago(b.Waits))
	case b.Unsent > 0:
		return failed("The next sweep creates them, within ten minutes; now: "+w.sweep()+"\nIf that brings nothing, the queue's line says why they cannot be created.",
			"%s, the oldest since %s; %d of them without a task on a queue", waiting(b.Waiting), ago(b.Waits), b.Unsent)
	case b.Idle < stillAfter, b.Processing > 0 && b.Idle < deadAfter:
		return ok("%s, the oldest since %s, which take %s at the lanes' quota",
			waiting(b.Waiting), ago(b.Waits), ago(w.takes(b.Waiting)))
	}
	cause := w.findCause(ctx, states)
	if cause.harmless {
		return ok("%s, the oldest since %s: %s", waiting(b.Waiting), ago(b.Waits), cause.what)
	}
	return failed(cause.fix, "%s, the oldest since %s, and for %s none has been started: %s",
		waiting(b.Waiting), ago(b.Waits), ago(b.Idle), cause.what)
}

// takes returns how long all lanes together take for that many images.
func (w Work) takes(images int) time.Duration {
	rpm := 0
	for _, l := range w.Lanes {
		if !l.Quota.Paused {
			rpm += l.Quota.RPM
		}
	}
	return time.Duration(float64(images) / float64(max(rpm, 1)) * float64(time.Minute))
}

// A cause is why waiting images make no progress.
type cause struct {
	what, fix string
	harmless  bool // the cause is in order
}

// findCause looks at the lanes, the queues and their tasks, and returns the
// likely cause. It looks for the most certain causes first.
func (w Work) findCause(ctx context.Context, states []record.LaneState) cause {
	if w.allClosed(states) {
		return cause{what: "every lane is closed", fix: "Mend what the lanes' own lines say."}
	}
	client, err := w.Queues(ctx)
	if err != nil {
		return w.unknown()
	}
	var tasks []*cloudtaskspb.Task
	for _, l := range w.Lanes {
		if l.Quota.Paused {
			continue
		}
		q, err := client.GetQueue(ctx, &cloudtaskspb.GetQueueRequest{Name: l.Quota.Queue}, once())
		if err != nil {
			return cause{what: "a queue cannot be looked at", fix: "Mend what the queues' lines say."}
		}
		if q.GetState() == cloudtaskspb.Queue_PAUSED {
			return cause{what: "queue " + shortName(l.Quota.Queue) + " is paused", fix: "gcloud tasks queues resume " + l.queue()}
		}
		some, err := listTasks(ctx, client, l.Quota.Queue)
		if err != nil {
			return w.unknown()
		}
		tasks = append(tasks, some...)
	}
	return w.causeOf(tasks, time.Now())
}

func (w Work) allClosed(states []record.LaneState) bool {
	now := time.Now()
	open := 0
	for _, l := range w.Lanes {
		closed := slices.ContainsFunc(states, func(s record.LaneState) bool {
			return s.Name == l.Quota.Name && (s.Until.After(now) || s.PausedByHand())
		})
		if !closed && !l.Quota.Paused {
			open++
		}
	}
	return open == 0
}

// sample is how many tasks of each queue are looked at, at most.
const sample = 50

// listTasks returns the first tasks of a queue, each with the result of its
// last delivery.
func listTasks(ctx context.Context, client Queues, queue string) ([]*cloudtaskspb.Task, error) {
	it := client.ListTasks(ctx, &cloudtaskspb.ListTasksRequest{Parent: queue, PageSize: sample}, once())
	var tasks []*cloudtaskspb.Task
	for len(tasks) < sample {
		t, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// causeOf returns why tasks are not delivered, or why their deliveries fail.
func (w Work) causeOf(tasks []*cloudtaskspb.Task, now time.Time) cause {
	if len(tasks) == 0 {
		return cause{
			what: "the queues hold no task of theirs",
			fix:  "Run the sweep, which looks for tasks that are gone after 10 minutes: " + w.sweep(),
		}
	}
	later := 0
	answers := make(map[codes.Code]int)
	example := make(map[codes.Code]string)
	for _, t := range tasks {
		last := t.GetLastAttempt()
		switch {
		case last.GetResponseStatus().GetCode() != 0:
			code := codes.Code(last.GetResponseStatus().GetCode())
			answers[code]++
			example[code] = last.GetResponseStatus().GetMessage()
		case t.GetScheduleTime().AsTime().After(now):
			later++
		}
	}
	if code, n := most(answers); n > 0 {
		return w.refused(code, example[code])
	}
	if later == len(tasks) {
		return cause{what: "they wait for a later time, as after a failure", harmless: true}
	}
	return cause{
		what: "their tasks are due, and Cloud Tasks has not delivered them",
		fix: "Look at the queue's line. A queue that was idle for long takes minutes to wake; " +
			"one whose worker answered 429 or 503 is slowed down, and recovers by itself.",
	}
}

// most returns the code that came most often. If several did, it returns the
// smallest.
func most(answers map[codes.Code]int) (code codes.Code, n int) {
	for c, m := range answers {
		if m > n || m == n && c < code {
			code, n = c, m
		}
	}
	return code, n
}

// refused returns the cause that the answers to deliveries point to.
func (w Work) refused(code codes.Code, example string) cause {
	const worker = "gcloud run services logs read ai-worker --region=REGION"
	c := cause{what: fmt.Sprintf("deliveries end with %q", example)}
	switch code {
	case codes.PermissionDenied:
		c.fix = "Let Cloud Tasks call the worker: gcloud run services add-iam-policy-binding ai-worker --region=REGION --member=serviceAccount:" +
			w.Account + " --role=roles/run.invoker"
	case codes.Unauthenticated:
		c.fix = "The API, which signs, and the worker must have the same TASKS_SERVICE_ACCOUNT, WORKER_URL and TASKS_AUDIENCE. " +
			`The worker's log says which differs, in "delivery refused": ` + worker
	case codes.NotFound:
		c.fix = "Set WORKER_URL to the worker's address; tasks that are there keep the old one: a purged queue is filled again by the sweep."
	case codes.Unavailable:
		c.fix = "Look at the delivery line. If the worker answers: it could not reach the database, or Cloud Run had no instance left; its log tells: " + worker
	case codes.DeadlineExceeded:
		c.fix = "The worker does not answer within the task's 10 minutes: raise its CPU, memory and instances. Its log: " + worker
	case codes.ResourceExhausted:
		c.fix = "Cloud Run is out of instances: raise the worker's max_instances or its concurrency, or lower the lanes'."
	case codes.Aborted:
		c.fix = "A worker died, and what it held comes back by itself a minute after. If it goes on dying, raise its memory. Its log: " + worker
	default:
		c.fix = "The worker's log says why: " + worker
	}
	return c
}

// unknown returns the cause for a case in which one can only guess.
func (w Work) unknown() cause {
	return cause{
		what: "no delivery gets through",
		fix: "Mend what other lines say; else the worker's log tells whether deliveries come: " +
			"gcloud run services logs read ai-worker --region=REGION",
	}
}
