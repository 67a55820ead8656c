package storage

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ai-worker/ai-worker/job"
)

const (
	// urlLifetime is the longest that R2 signs a URL for.
	urlLifetime = 7 * 24 * time.Hour
	// sourceLifetime gives a model time to fetch its input. It is longer than a
	// call may take, and short because the URL is given to others.
	sourceLifetime = time.Hour
	// inlineLimit is in bytes. It keeps a request below the model's limit of 100
	// MB, and bounds this process's memory.
	inlineLimit = 20 << 20
)

// URL returns where anybody can fetch the object under key. If there is a public
// URL, it is below that and valid without end. Otherwise it is at the S3
// endpoint, the only place where R2 accepts signatures, and valid until
// URLsExpire. It is signed as of the beginning of the day (UTC), so that it is
// the same for everybody until the next day, and caches can keep what is there.
// URL sends no request, and does not check whether the object exists.
func (r *R2) URL(key string) (string, error) {
	if r.publicURL != "" {
		return r.publicURL + "/" + key, nil
	}
	return r.presign(r.stable, r.get(key), urlLifetime)
}

// URLsExpire returns until when the URLs are valid that URL returns now: between
// six and seven days from now. It returns the zero time if they do not expire.
func (r *R2) URLsExpire() time.Time {
	if r.publicURL != "" {
		return time.Time{}
	}
	return dayOf(r.now()).Add(urlLifetime)
}

// downloadLifetime is for how long a download may be begun.
const downloadLifetime = 15 * time.Minute

// DownloadURL returns where a browser saves the object under key as a file of that
// name, for 15 minutes. It is at the S3 endpoint, also if there is a public URL:
// only there can the answer be told to be a file. DownloadURL sends no request.
func (r *R2) DownloadURL(key, name string) (string, error) {
	in := r.get(key)
	in.ResponseContentDisposition = aws.String(mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	return r.presign(r.presigner, in, downloadLifetime)
}

// Origin returns where the URLs that URL returns are: what a page has to be let
// load pictures from.
func (r *R2) Origin() (string, error) {
	link, err := r.URL("x")
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(link)
	if err != nil {
		return "", r.fail("name", "x", err)
	}
	return parsed.Scheme + "://" + parsed.Host, nil
}

// dayOf returns the beginning of a time's day, in UTC.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func (r *R2) presign(by *s3.PresignClient, in *s3.GetObjectInput, lifetime time.Duration) (string, error) {
	// Signing with static credentials waits for nothing that a context could end.
	request, err := by.PresignGetObject(context.Background(), in, s3.WithPresignExpires(lifetime))
	if err != nil {
		return "", r.fail("sign", aws.ToString(in.Key), err)
	}
	return request.URL, nil
}

// newPresigner returns a client that signs URLs as of the time that now returns.
func newPresigner(client *s3.Client, now func() time.Time) *s3.PresignClient {
	return s3.NewPresignClient(client, func(o *s3.PresignOptions) {
		o.Presigner = signer{v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), now}
	})
}

// A signer signs as of a time of its own. The client hands it the present time.
type signer struct {
	next *v4.Signer
	now  func() time.Time
}

// PresignHTTP implements s3.HTTPPresignerV4.
func (s signer) PresignHTTP(
	ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time,
	options ...func(*v4.SignerOptions),
) (url string, signed http.Header, err error) {
	return s.next.PresignHTTP(ctx, credentials, r, payloadHash, service, region, s.now(), options...)
}

// Source returns in as the model gets it. A caller's URL stays as it is. A stored
// object becomes a URL that is valid for an hour, so that its bytes never pass
// through this process. If the endpoint has no https, as in development, no model
// could fetch from it. Then the bytes are returned inline, and an object above 20
// MiB is an error.
func (r *R2) Source(ctx context.Context, in job.InputImage) (job.Source, error) {
	if in.Key == "" {
		return job.Source{URL: in.URL, ContentType: in.ContentType}, nil
	}
	if !r.reachable {
		return r.inline(ctx, in)
	}
	link, err := r.presign(r.presigner, r.get(in.Key), sourceLifetime)
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
