package storage

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ai-worker/ai-worker/job"
)

// List returns a page of the objects that are stored for jobs which were made
// before a time, and what to pass as after to get the next page. next is empty
// after the last page; after is empty for the first. A page may be empty although
// there is another. A page costs one operation of class A.
//
// Keys sort by the time at which their jobs were made, so List reads no further
// than it has to. It leaves out what is not a job's.
func (r *R2) List(ctx context.Context, after string, before time.Time) (page []job.StoredObject, next string, err error) {
	prefix, following := imagePrefix, inputPrefix
	if strings.HasPrefix(after, inputPrefix) {
		prefix, following = inputPrefix, ""
	}
	in := &s3.ListObjectsV2Input{Bucket: aws.String(r.bucket), Prefix: aws.String(prefix)}
	if after != "" && after != prefix {
		in.StartAfter = aws.String(after)
	}
	out, err := r.client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, "", r.fail("list", prefix, err)
	}
	end, last := prefix+firstID(before), ""
	for _, o := range out.Contents {
		if last = aws.ToString(o.Key); last >= end {
			return page, following, nil
		}
		if id, ok := jobOf(last); ok {
			page = append(page, job.StoredObject{Key: last, JobID: id})
		}
	}
	if aws.ToBool(out.IsTruncated) && last > after {
		return page, last, nil
	}
	return page, following, nil
}
