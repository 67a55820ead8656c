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
	// sweepInterval lies between sweeps while there is work.
	sweepInterval = 10 * time.Minute
	// sweepMargin is how far a sweep is ahead at least, and how far clocks may
	// differ: one that comes early by this clock must not ask for itself, nor a
	// submission for one that has been.
	sweepMargin = time.Minute
	// askTimeout bounds what asking for a sweep adds to a submission.
	askTimeout = 3 * time.Second
	// sweepDeadline is how long Cloud Tasks listens to a sweep.
	sweepDeadline = 3 * time.Minute
)

// nextSweep has a sweep come by a task of its own while there is work, and none
// while there is not: a sweep that comes by the clock wakes a database that is
// suspended while idle.
//
// Time is divided into intervals. Who records a job asks for a sweep at the end
// of one, before the row is written, so that no crash leaves a job without
// either; and a sweep that leaves work behind asks for the next. All ask under
// the same name, so that there is one an interval.
type nextSweep struct {
	queue  Queue
	target Target
	asked  atomic.Int64 // the end of the last interval that was asked for, in Unix seconds
}

// askFor asks for a sweep at the end of the interval of now, give or take the
// margin, once an interval and process. Without a queue for it, only Cloud
// Scheduler asks for sweeps.
func (n *nextSweep) askFor(ctx context.Context, now time.Time) error {
	at := now.Add(sweepMargin).Truncate(sweepInterval).Add(sweepInterval)
	if n.target.SweepQueue == "" || n.asked.Load() == at.Unix() { // a clock may have been ahead
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := n.queue.CreateTask(ctx, n.target.sweepRequest(at), gax.WithRetry(newRetryer))
	if err != nil && grpcstatus.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("enqueue: ask for a sweep: %w", err)
	}
	n.asked.Store(at.Unix())
	return nil
}

// sweepRequest returns the call that asks for a sweep at a time.
func (t Target) sweepRequest(at time.Time) *cloudtaskspb.CreateTaskRequest {
	sum := sha256.Sum256([]byte("sweep " + at.UTC().Format(time.RFC3339)))
	return &cloudtaskspb.CreateTaskRequest{Parent: t.SweepQueue, Task: &cloudtaskspb.Task{
		Name: t.SweepQueue + "/tasks/sweep-" + hex.EncodeToString(sum[:8]),
		MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: t.signed(&cloudtaskspb.HttpRequest{
			HttpMethod: cloudtaskspb.HttpMethod_POST,
			Url:        t.SweepURL,
			Headers:    map[string]string{"Content-Type": "application/json"},
		})},
		ScheduleTime:     timestamppb.New(at),
		DispatchDeadline: durationpb.New(sweepDeadline),
	}}
}

// signed has Cloud Tasks sign a request as the service account.
func (t Target) signed(req *cloudtaskspb.HttpRequest) *cloudtaskspb.HttpRequest {
	if t.ServiceAccount != "" {
		req.AuthorizationHeader = &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{
			ServiceAccountEmail: t.ServiceAccount,
			Audience:            t.Audience,
		}}
	}
	return req
}
