package storage

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// inspectLimit, in bytes, is more than any such object has.
const inspectLimit = 64 << 10

// InspectKey returns a key for an object that tries the bucket out. No picture
// and no other such object has the same key.
func InspectKey() string { return inspectPrefix + rand.Text() }

// PutOnce stores data under key, as Put stores a picture. If there is an object
// already, it stores nothing and reports false. Unlike a picture, the data must
// not be cached.
func (r *R2) PutOnce(ctx context.Context, key string, data []byte) (stored bool, err error) {
	err = r.put(ctx, &s3.PutObjectInput{
		Key:          aws.String(key),
		ContentType:  aws.String("text/plain"),
		CacheControl: aws.String("no-store"),
		IfNoneMatch:  aws.String(anyVersion),
	}, data)
	if statusOf(err) == http.StatusPreconditionFailed {
		return false, nil
	}
	if err != nil {
		return false, r.fail("put", key, err)
	}
	return true, nil
}

// Read returns the object under key, which must be small.
func (r *R2) Read(ctx context.Context, key string) ([]byte, error) {
	out, err := r.client.GetObject(ctx, r.get(key))
	if err != nil {
		return nil, r.fail("get", key, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, inspectLimit))
	if err != nil {
		return nil, r.fail("get", key, err)
	}
	return data, nil
}
