package storage

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ai-worker/ai-worker/job"
)

const (
	// urlLifetime is the most that R2 signs a URL for.
	urlLifetime = 7 * 24 * time.Hour
	// sourceLifetime leaves a model time to fetch its input: longer than a call
	// may take, and short because the URL leaves the house.
	sourceLifetime = time.Hour
	// inlineLimit is in bytes, and keeps an input out of the model's limit of
	// 100 MB a request and this process's memory.
	inlineLimit = 20 << 20
)

// URL is where anybody can fetch the object under key: below the public URL if
// there is one, and without end; else at the S3 endpoint, which is the only
// place where R2 knows signatures, for seven days. It does not tell whether the
// object exists, and sends no request.
func (r *R2) URL(key string) (string, error) {
	if r.publicURL != "" {
		return r.publicURL + "/" + key, nil
	}
	return r.presign(key, urlLifetime)
}

func (r *R2) presign(key string, lifetime time.Duration) (string, error) {
	// Signing with static credentials waits for nothing that a context could end.
	request, err := r.presigner.PresignGetObject(context.Background(), r.get(key), s3.WithPresignExpires(lifetime))
	if err != nil {
		return "", r.fail("sign", key, err)
	}
	return request.URL, nil
}

// Source is in as a model is handed it. A caller's URL stays what it is; a
// stored object becomes a URL that is good for an hour, so that its bytes never
// pass through here. Only behind an endpoint without https, as in development,
// where no model could fetch it, the bytes come inline; then an object above
// 20 MiB is an error.
func (r *R2) Source(ctx context.Context, in job.InputImage) (job.Source, error) {
	if in.Key == "" {
		return job.Source{URL: in.URL, ContentType: in.ContentType}, nil
	}
	if !r.reachable {
		return r.inline(ctx, in)
	}
	link, err := r.presign(in.Key, sourceLifetime)
	return job.Source{URL: link, ContentType: in.ContentType}, err
}

func (r *R2) inline(ctx context.Context, in job.InputImage) (job.Source, error) {
	out, err := r.client.GetObject(ctx, r.get(in.Key))
	if err != nil {
		return job.Source{}, r.fail("get", in.Key, err)
	}
	defer out.Body.Close()
	size := aws.ToInt64(out.ContentLength)
	if size > inlineLimit {
		return job.Source{}, r.fail("get", in.Key, fmt.Errorf("%d bytes are over the limit of %d", size, inlineLimit))
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(out.Body, data); err != nil {
		return job.Source{}, r.fail("get", in.Key, err)
	}
	if in.ContentType == "" {
		in.ContentType = aws.ToString(out.ContentType)
	}
	return job.Source{Data: data, ContentType: in.ContentType}, nil
}

func (r *R2) get(key string) *s3.GetObjectInput {
	return &s3.GetObjectInput{Bucket: aws.String(r.bucket), Key: aws.String(key)}
}
