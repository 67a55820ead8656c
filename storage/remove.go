package storage

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

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
