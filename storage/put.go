package storage

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/ai-worker/ai-worker/job"
)

const (
	// immutable: the bytes under a key never change, so any cache may keep them
	// for a year, the longest that caches honour.
	immutable = "public, max-age=31536000, immutable"
	// anyVersion in If-None-Match makes a PUT fail where an object exists.
	anyVersion = "*"
)

// Put stores the picture of an image and returns the stored object.
//
// An object is never replaced: if there is one already, Put returns it and
// drops pic. It is pic itself if an earlier attempt succeeded and its answer
// was lost. If it is another picture, that one was paid for and may already
// have been seen.
//
// After an error it is not known whether the picture is stored. ErrDenied is in
// the error when a retry cannot help before a setting is corrected.
func (r *R2) Put(ctx context.Context, jobID string, index int, pic job.Picture) (job.Object, error) {
	key := imageKey(jobID, index)
	err := r.put(ctx, &s3.PutObjectInput{
		Key:                aws.String(key),
		ContentType:        aws.String(pic.ContentType),
		ContentDisposition: aws.String(`inline; filename="` + fileName(key, pic.ContentType) + `"`),
		CacheControl:       aws.String(immutable),
		IfNoneMatch:        aws.String(anyVersion),
		Metadata:           encodeMetadata(pic),
	}, pic.Data, signedHash(pic.SHA256))
	if statusOf(err) == http.StatusPreconditionFailed {
		obj, _, err := r.stat(ctx, key)
		return obj, err
	}
	if err != nil {
		return job.Object{}, r.fail("put", key, err)
	}
	return pic.Object(key), nil
}

// PutInput stores the n-th picture that came with a job, and returns its key.
// It may store the same bytes again.
func (r *R2) PutInput(ctx context.Context, jobID string, n int, data []byte, contentType string) (string, error) {
	key := inputKey(jobID, n)
	err := r.put(ctx, &s3.PutObjectInput{
		Key:         aws.String(key),
		ContentType: aws.String(contentType),
		// These are a caller's bytes. Whatever they are, a browser must not run
		// them as a page of the bucket's public domain.
		ContentDisposition: aws.String("attachment"),
	}, data)
	if err != nil {
		return "", r.fail("put", key, err)
	}
	return key, nil
}

// put sends data as the body of in. It makes no copy: every attempt reads data
// again.
func (r *R2) put(ctx context.Context, in *s3.PutObjectInput, data []byte, options ...func(*s3.Options)) error {
	sum := md5.Sum(data)
	in.Bucket = aws.String(r.bucket)
	in.Body = bytes.NewReader(data)
	in.ContentLength = aws.Int64(int64(len(data)))
	in.ContentMD5 = aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	_, err := r.client.PutObject(ctx, in, options...)
	return err
}

// signedHash makes the SDK sign the given SHA-256 of the body, instead of
// reading the body once more to compute it. If it is empty, the SDK computes
// it.
func signedHash(sha256 string) func(*s3.Options) {
	set := middleware.InitializeMiddlewareFunc("KnownPayloadHash", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		return next.HandleInitialize(v4.SetPayloadHash(ctx, sha256), in)
	})
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(set, middleware.Before)
	})
}
