package enqueue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	// sweepInterval is the time between sweeps while there is work, and
	// soonInterval while there is work that a sweep was not done with.
	sweepInterval = 10 * time.Minute
	soonInterval  = time.Minute
	// sweepMargin is the least time until the sweep that is asked for, and the
	// most that clocks may differ. A sweep that comes early by this clock must
	// not ask for itself again. A submission must not ask for a sweep that has
	// already come.
	sweepMargin = time.Minute
	// furthest is how far ahead a sweep is asked for. Cloud Tasks takes tasks for 30 days
	// ahead.
	furthest = 29 * 24 * time.Hour
	// askTimeout bounds the time that a submission takes to ask for a sweep.
	askTimeout = 3 * time.Second
	// sweepDeadline is how long Cloud Tasks listens to a sweep.
	sweepDeadline = 3 * time.Minute
)

// nextSweep asks for sweeps while there is work, each by a task of its own, and
// for none while there is no work. Sweeps by the clock would wake a database
// that is suspended while idle.
//
// Time is divided into intervals, and sweeps come at the ends of intervals. A
// submission asks for one before its row is written, so no crash leaves a job
// without either. A sweep that leaves work behind asks for the next one. All
// ask under the same name, so that there is one sweep an interval.
type nextSweep struct {
	queue  Queue
	target Target
	asked  atomic.Int64 // the end of the last interval that was asked for, in Unix seconds
	soon   atomic.Int64 // the same for short intervals
	exact  atomic.Int64 // the same for times at which budgets begin
}

// askFor asks for a sweep at the end of the interval of now, or of the next
// interval if the end is closer than the margin. Each process asks once an
// interval. Without a queue for sweeps, only Cloud Scheduler asks for them.
func (n *nextSweep) askFor(ctx context.Context, now time.Time) error {
	return n.ask(ctx, now, sweepInterval, &n.asked)
}

// askForSoon does the same for short intervals.
func (n *nextSweep) askForSoon(ctx context.Context, now time.Time) error {
	return n.ask(ctx, now, soonInterval, &n.soon)
}

func (n *nextSweep) ask(ctx context.Context, now time.Time, interval time.Duration, asked *atomic.Int64) error {
	return n.askAt(ctx, now.Add(sweepMargin).Truncate(interval).Add(interval), asked)
}

// askAt asks for a sweep at a time, unless that was the last one that was asked for.
func (n *nextSweep) askAt(ctx context.Context, at time.Time, asked *atomic.Int64) error {
	if n.target.SweepQueue == "" || asked.Load() == at.Unix() { // a clock may have been ahead
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := n.queue.CreateTask(ctx, n.target.sweepRequest(at), gax.WithRetry(newRetryer))
	if err != nil && grpcstatus.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("enqueue: ask for a sweep: %w", err)
	}
	asked.Store(at.Unix())
	return nil
}

// sweepRequest returns the call that asks for a sweep at a time.
func (t Target) sweepRequest(at time.Time) *cloudtaskspb.CreateTaskRequest {
	sum := sha256.Sum256([]byte("sweep " + at.UTC().Format(time.RFC3339)))
	return &cloudtaskspb.CreateTaskRequest{Parent: t.SweepQueue, Task: &cloudtaskspb.Task{
		Name: t.SweepQueue + "/tasks/sweep-" + hex.EncodeToString(sum[:8]),
		MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: t.sign(&cloudtaskspb.HttpRequest{
			HttpMethod: cloudtaskspb.HttpMethod_POST,
			Url:        t.SweepURL,
			Headers:    map[string]string{"Content-Type": "application/json"},
		})},
		ScheduleTime:     timestamppb.New(at),
		DispatchDeadline: durationpb.New(sweepDeadline),
	}}
}

// sign makes Cloud Tasks sign the request as the service account, and returns
// it.
func (t Target) sign(req *cloudtaskspb.HttpRequest) *cloudtaskspb.HttpRequest {
	if t.ServiceAccount != "" {
		req.AuthorizationHeader = &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{
			ServiceAccountEmail: t.ServiceAccount,
			Audience:            t.Audience,
		}}
	}
	return req
}
