package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ai-worker/ai-worker/job"
)

// Names of an object's metadata; on the wire each follows "x-amz-meta-".
const (
	metaWidth        = "width"  // pixels
	metaHeight       = "height" // pixels
	metaSHA256       = "sha256"
	metaModelVersion = "model-version" // escaped as in a URL's path
	// What the picture cost, so that this is known if its worker dies.
	metaTokens = "tokens"      // prompt, text, thought, image and total, with spaces between
	metaCost   = "cost-micros" // millionths of a US dollar
)

// modelVersionLimit is in bytes. R2 refuses an object with more than 8 KB of
// metadata, and a picture must not be lost because of a long model name.
const modelVersionLimit = 512

// Stat describes the picture that Put stored for an image, if there is one, and what
// the answer that it came in was charged for. It does not read the picture.
//
// A bucket that does not exist looks like a missing picture, because the answer
// has no body. Put distinguishes the two.
func (r *R2) Stat(ctx context.Context, jobID string, index int) (obj job.Object, a job.Answer, found bool, err error) {
	obj, a, err = r.stat(ctx, imageKey(jobID, index))
	if errors.Is(err, ErrNotFound) {
		return job.Object{}, job.Answer{}, false, nil
	}
	return obj, a, err == nil, err
}

// stat describes the object under key. ErrNotFound is in the error if there is
// none.
func (r *R2) stat(ctx context.Context, key string) (job.Object, job.Answer, error) {
	out, err := r.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(r.bucket), Key: aws.String(key)})
	if statusOf(err) == http.StatusNotFound {
		err = ErrNotFound
	}
	if err != nil {
		return job.Object{}, job.Answer{}, r.fail("stat", key, err)
	}
	obj := decodeMetadata(out.Metadata)
	obj.Key = key
	obj.ContentType = aws.ToString(out.ContentType)
	obj.Bytes = aws.ToInt64(out.ContentLength)
	return obj, decodeAnswer(out.Metadata), nil
}

func encodeMetadata(pic job.Picture) map[string]string {
	version := pic.ModelVersion[:min(len(pic.ModelVersion), modelVersionLimit)]
	meta := map[string]string{
		metaWidth:        strconv.Itoa(pic.Width),
		metaHeight:       strconv.Itoa(pic.Height),
		metaSHA256:       pic.SHA256,
		metaModelVersion: url.PathEscape(version), // a header holds ASCII only
	}
	if t := pic.Answer.Tokens; t != nil {
		meta[metaTokens] = fmt.Sprint(t.Prompt, t.Text, t.Thought, t.Image, t.Total)
		meta[metaCost] = strconv.FormatInt(pic.Answer.CostMicros, 10)
	}
	// A proxy may drop an empty header, and with it the signature's validity.
	maps.DeleteFunc(meta, func(_, value string) bool { return value == "" })
	return meta
}

// decodeMetadata leaves out what it cannot read. It returns no error, because
// the object would stay as it is: the error would come back each time and its
// image could never succeed.
func decodeMetadata(meta map[string]string) (obj job.Object) {
	obj.Width, _ = strconv.Atoi(meta[metaWidth])
	obj.Height, _ = strconv.Atoi(meta[metaHeight])
	obj.SHA256 = meta[metaSHA256]
	obj.ModelVersion, _ = url.PathUnescape(meta[metaModelVersion])
	return obj
}

// decodeAnswer returns what an answer was charged for, or nothing if the metadata do
// not say.
func decodeAnswer(meta map[string]string) (a job.Answer) {
	var t job.Tokens
	if _, err := fmt.Sscan(meta[metaTokens], &t.Prompt, &t.Text, &t.Thought, &t.Image, &t.Total); err != nil {
		return job.Answer{}
	}
	a.Tokens = &t
	a.CostMicros, _ = strconv.ParseInt(meta[metaCost], 10, 64)
	return a
}
