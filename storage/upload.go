package storage

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/picture"
)

const (
	// ticketLifetime is how long a caller may take to begin an upload.
	ticketLifetime = 15 * time.Minute
	// UploadLifetime is for how long an upload can be used. After that a sweep
	// removes it.
	UploadLifetime = 24 * time.Hour
)

// uploadKey returns the key of a tenant's upload. It begins with the ID, which
// begins with the time, so that a list has the oldest first. A tenant's name may
// hold what a key should not.
func uploadKey(tenant, id string) string {
	return uploadPrefix + id + "/" + base64.RawURLEncoding.EncodeToString([]byte(tenant))
}

// SignUpload returns a ticket for a picture of a tenant's. Size, in bytes, and
// type are part of the signature: the bucket refuses anything else.
// SignUpload sends no request.
func (r *R2) SignUpload(tenant, contentType string, size int64) (job.UploadTicket, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return job.UploadTicket{}, fmt.Errorf("storage: new upload: %w", err)
	}
	key := uploadKey(tenant, id.String())
	// Signing with static credentials waits for nothing that a context could end.
	signed, err := r.presigner.PresignPutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String(r.bucket), Key: aws.String(key),
		ContentType: aws.String(contentType), ContentLength: aws.Int64(size),
	}, s3.WithPresignExpires(ticketLifetime))
	if err != nil {
		return job.UploadTicket{}, r.fail("sign", key, err)
	}
	return job.UploadTicket{
		ID: id.String(), URL: signed.URL, Header: map[string]string{"Content-Type": contentType},
		ExpiresAt: r.now().Add(ticketLifetime).UTC().Truncate(time.Second),
	}, nil
}

// TakeUpload stores a tenant's upload as the n-th input of a job. It may be
// repeated, and the upload may be taken by other jobs too. It fails with
// a *job.NoUploadError if the upload is not there, is no picture, or is replaced
// meanwhile.
func (r *R2) TakeUpload(ctx context.Context, tenant, id, jobID string, n int) (job.InputImage, error) {
	contentType, etag, err := r.inspectUpload(ctx, tenant, id)
	if err != nil {
		return job.InputImage{}, err
	}
	img, err := r.copyInput(ctx, uploadKey(tenant, id), etag, contentType, jobID, n)
	if statusOf(err) == http.StatusPreconditionFailed {
		return job.InputImage{}, &job.NoUploadError{ID: id, Why: "Another picture was put in its place just now. Send the request again."}
	}
	return img, err
}

// CheckUpload fails as TakeUpload would, and stores nothing.
func (r *R2) CheckUpload(ctx context.Context, tenant, id string) error {
	_, _, err := r.inspectUpload(ctx, tenant, id)
	return err
}

// inspectUpload returns the type of the picture that a tenant has uploaded, and
// the entity tag of the bytes that were looked at. It fails with a
// *job.NoUploadError.
func (r *R2) inspectUpload(ctx context.Context, tenant, id string) (contentType, etag string, err error) {
	head, etag, err := r.beginning(ctx, uploadKey(tenant, id))
	if errors.Is(err, ErrNotFound) {
		return "", "", &job.NoUploadError{ID: id, Why: fmt.Sprintf(
			"There is no such upload. Put the picture to the URL that POST /api/uploads returns; it can be used for %.0f hours.",
			UploadLifetime.Hours())}
	}
	if err != nil {
		return "", "", err
	}
	inside, err := picture.Inspect(head)
	if err != nil {
		return "", "", &job.NoUploadError{ID: id, Why: fmt.Sprintf(
			"It is no picture, or one whose size is not told in its first %d KiB. Upload one of %s.",
			picture.MaxHeader>>10, strings.Join(picture.Types(), ", "))}
	}
	return inside.ContentType, etag, nil
}

// beginning returns the first bytes of an object, enough to inspect a picture, and
// the object's ETag.
func (r *R2) beginning(ctx context.Context, key string) (begin []byte, etag string, err error) {
	in := r.get(key)
	in.Range = aws.String("bytes=0-" + strconv.Itoa(picture.MaxHeader-1))
	out, err := r.client.GetObject(ctx, in)
	if err != nil {
		return nil, "", r.fail("get", key, err)
	}
	defer out.Body.Close()
	var head bytes.Buffer
	if _, err := io.Copy(&head, io.LimitReader(out.Body, picture.MaxHeader)); err != nil {
		return nil, "", r.fail("get", key, err)
	}
	return head.Bytes(), aws.ToString(out.ETag), nil
}

// CopyInput stores the object under key once more, as the n-th input of a job. It
// fails with a *job.NoUploadError if there is no such object.
func (r *R2) CopyInput(ctx context.Context, key, contentType, jobID string, n int) (job.InputImage, error) {
	return r.copyInput(ctx, key, "", contentType, jobID, n)
}

// copyInput does what CopyInput does. Unless etag is empty, it fails with status
// 412 if the object is another one by now.
func (r *R2) copyInput(ctx context.Context, key, etag, contentType, jobID string, n int) (job.InputImage, error) {
	to := inputKey(jobID, n)
	var ifMatch *string
	if etag != "" {
		ifMatch = aws.String(etag)
	}
	_, err := r.client.CopyObject(ctx, &s3.CopyObjectInput{
		CopySourceIfMatch: ifMatch,
		Bucket:            aws.String(r.bucket), Key: aws.String(to), CopySource: aws.String(r.bucket + "/" + key),
		MetadataDirective: "REPLACE", ContentType: aws.String(contentType),
		ContentDisposition: aws.String("attachment"), // as PutInput
	})
	if statusOf(err) == http.StatusNotFound && codeOf(err) != codeNoSuchBucket {
		return job.InputImage{}, &job.NoUploadError{ID: key, Why: "The picture is not stored any more."}
	}
	if err != nil {
		return job.InputImage{}, r.fail("copy", key, err)
	}
	return job.InputImage{Key: to, ContentType: contentType}, nil
}

// removingAtOnce bounds how many uploads are deleted at the same time.
const removingAtOnce = 8

// RemoveUploads deletes uploads that were signed before a time, a page at most,
// and reports whether there may be more. It costs one operation of class A. One
// that cannot be deleted keeps no other back: RemoveUploads counts what it
// deleted, and returns the first error of the rest.
func (r *R2) RemoveUploads(ctx context.Context, before time.Time) (n int, more bool, err error) {
	out, err := r.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: aws.String(r.bucket), Prefix: aws.String(uploadPrefix),
	})
	if err != nil {
		return 0, false, r.fail("list", uploadPrefix, err)
	}
	end := uploadPrefix + firstID(before)
	more = aws.ToBool(out.IsTruncated)
	var removed atomic.Int64
	var g errgroup.Group
	g.SetLimit(removingAtOnce)
	for _, o := range out.Contents {
		key := aws.ToString(o.Key)
		if key >= end {
			more = false
			break
		}
		g.Go(func() error {
			err := r.Remove(ctx, key)
			if err == nil {
				removed.Add(1)
			}
			return err
		})
	}
	err = g.Wait()
	return int(removed.Load()), more, err
}
