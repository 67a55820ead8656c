// Package enqueuetest has what a test hands a producer in place of Cloud Tasks
// and of the bucket.
package enqueuetest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/job"
)

// A Queue notes the requests to create tasks on it. It answers the first of
// them with Errs.
type Queue struct {
	mu       sync.Mutex
	Requests []*cloudtaskspb.CreateTaskRequest
	Errs     []error
	Refuse   func(name string) error // asked about each task that Errs leaves; nil lets all in
	Gone     []string                // names of tasks that are no longer on the queue
	Looked   atomic.Int64
}

// CreateTask notes the request, and repeats it as the real client does.
func (q *Queue) CreateTask(
	ctx context.Context, req *cloudtaskspb.CreateTaskRequest, opts ...gax.CallOption,
) (*cloudtaskspb.Task, error) {
	call := func(context.Context, gax.CallSettings) error {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.Requests = append(q.Requests, req)
		if len(q.Errs) == 0 {
			if q.Refuse != nil {
				return q.Refuse(req.GetTask().GetName())
			}
			return nil
		}
		err := q.Errs[0]
		q.Errs = q.Errs[1:]
		return err
	}
	return req.GetTask(), gax.Invoke(ctx, call, opts...)
}

// GetTask finds every task but those in Gone.
func (q *Queue) GetTask(
	_ context.Context, req *cloudtaskspb.GetTaskRequest, _ ...gax.CallOption,
) (*cloudtaskspb.Task, error) {
	q.Looked.Add(1)
	if slices.Contains(q.Gone, req.GetName()) {
		return nil, grpcstatus.Error(codes.NotFound, "gone")
	}
	return &cloudtaskspb.Task{Name: req.GetName()}, nil
}

// Inputs notes the keys of the pictures that are uploaded, until they are removed.
type Inputs struct {
	Stored []string // and not removed
	Err    error
}

// Remove forgets the keys.
func (i *Inputs) Remove(_ context.Context, keys ...string) error {
	i.Stored = slices.DeleteFunc(i.Stored, func(key string) bool { return slices.Contains(keys, key) })
	return nil
}

// PutInput notes the key, and answers with Err.
func (i *Inputs) PutInput(_ context.Context, jobID string, n int, _ []byte, _ string) (string, error) {
	key := jobID + "/" + strconv.Itoa(n)
	i.Stored = append(i.Stored, key)
	return key, i.Err
}

// TakeUpload notes the key. It finds an upload if its ID begins with "0".
func (i *Inputs) TakeUpload(_ context.Context, _, id, jobID string, n int) (job.InputImage, error) {
	if !strings.HasPrefix(id, "0") {
		return job.InputImage{}, &job.NoUploadError{ID: id, Why: "There is no such upload."}
	}
	return i.keep(jobID, n, "image/png")
}

// CheckUpload finds what TakeUpload does, and notes nothing.
func (i *Inputs) CheckUpload(_ context.Context, _, id string) error {
	if !strings.HasPrefix(id, "0") {
		return &job.NoUploadError{ID: id, Why: "There is no such upload."}
	}
	return nil
}

// CopyInput notes the key.
func (i *Inputs) CopyInput(_ context.Context, _, contentType, jobID string, n int) (job.InputImage, error) {
	return i.keep(jobID, n, contentType)
}

func (i *Inputs) keep(jobID string, n int, contentType string) (job.InputImage, error) {
	key, err := i.PutInput(context.Background(), jobID, n, nil, contentType)
	return job.InputImage{Key: key, ContentType: contentType}, err
}

// RemoveInput forgets the key.
func (i *Inputs) RemoveInput(_ context.Context, jobID string, n int) error {
	i.Stored = slices.DeleteFunc(i.Stored, func(key string) bool { return key == jobID+"/"+strconv.Itoa(n) })
	return nil
}
