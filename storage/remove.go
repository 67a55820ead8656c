package storage

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ai-worker/ai-worker/job"
)

// RemoveJob deletes all pictures that may be stored for a job: those that it names,
// and those that an attempt stored whose result was never recorded.
func (r *R2) RemoveJob(ctx context.Context, j job.Job) error {
	var keys []string
	for _, in := range j.Input.InputImages {
		if in.Key != "" {
			keys = append(keys, in.Key)
		}
	}
	for i := range j.Images {
		keys = append(keys, imageKey(j.ID, i))
	}
	return r.Remove(ctx, keys...)
}

// RemoveInput deletes the n-th picture that came with a job, if it is stored.
func (r *R2) RemoveInput(ctx context.Context, jobID string, n int) error {
	return r.Remove(ctx, inputKey(jobID, n))
}

// Remove deletes objects. An object that does not exist counts as deleted.
// Remove stops at the first that it cannot delete, and may be repeated.
func (r *R2) Remove(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		_, err := r.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(r.bucket), Key: aws.String(key)})
		if err != nil {
			return r.fail("delete", key, err)
		}
	}
	return nil
}
