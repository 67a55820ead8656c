package s3

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// bucket is gofakes3's store: one directory, one file for each object.
//
// gofakes3 has its own stores on disk, but they do not fit. s3afero writes
// contents in place and metadata in a second file, so that a process killed in
// between leaves half an object. s3bolt reads the whole picture to answer a
// HEAD. Both mix an overwritten object's metadata into the new object's.
type bucket struct {
	name, dir string
	mu        sync.Mutex // held from the check of a PUT's conditions to its commit
}

var _ gofakes3.Backend = (*bucket)(nil)

func openBucket(name, dir string) (*bucket, error) {
	if err := gofakes3.ValidateBucketName(name); err != nil {
		return nil, fmt.Errorf("s3: bucket %q: %w", name, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return &bucket{name: name, dir: dir}, removeDrafts(dir)
}

// PutObject stores an object completely or not at all: its file is complete
// before it gets its name. Conditions are checked in that same step, so exactly
// one of any number of PUTs with If-None-Match wins.
func (b *bucket) PutObject(
	name, key string, meta map[string]string, body io.Reader, _ int64, conditions *gofakes3.PutConditions,
) (result gofakes3.PutObjectResult, err error) {
	if err := b.check(name); err != nil {
		return result, err
	}
	draft, err := writeDraft(b.dir, record{Key: key, Meta: kept(meta), Modified: time.Now().UTC()}, body)
	if err != nil {
		return result, err
	}
	defer os.Remove(draft) // after the rename there is none

	b.mu.Lock()
	defer b.mu.Unlock()
	if conditions != nil {
		info, err := b.current(key)
		if err != nil {
			return result, err
		}
		if err := gofakes3.CheckPutConditions(conditions, info); err != nil {
			return result, err
		}
	}
	return result, os.Rename(draft, b.path(key))
}

func (b *bucket) current(key string) (*gofakes3.ConditionalObjectInfo, error) {
	file, rec, err := b.open(key)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return &gofakes3.ConditionalObjectInfo{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &gofakes3.ConditionalObjectInfo{Exists: true, Hash: rec.MD5}, file.Close()
}

// GetObject returns an object, or the part of it that rangeRequest names.
func (b *bucket) GetObject(name, key string, rangeRequest *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	if err := b.check(name); err != nil {
		return nil, err
	}
	file, rec, err := b.open(key)
	if err != nil {
		return nil, err
	}
	part, err := rangeRequest.Range(rec.Size)
	if err != nil {
		_ = file.Close() // err says more, and gofakes3 wants it unwrapped
		return nil, err
	}
	contents := io.NewSectionReader(file, 0, rec.Size)
	if part != nil {
		contents = io.NewSectionReader(file, part.Start, part.Length)
	}
	obj := rec.object()
	obj.Range = part
	obj.Contents = struct {
		io.Reader
		io.Closer
	}{contents, file}
	return obj, nil
}

// HeadObject returns an object without its contents.
func (b *bucket) HeadObject(name, key string) (*gofakes3.Object, error) {
	if err := b.check(name); err != nil {
		return nil, err
	}
	file, rec, err := b.open(key)
	if err != nil {
		return nil, err
	}
	obj := rec.object()
	obj.Contents = http.NoBody
	return obj, file.Close()
}

// DeleteObject removes an object. As on S3, it is no error if the object does
// not exist.
func (b *bucket) DeleteObject(name, key string) (result gofakes3.ObjectDeleteResult, err error) {
	if err := b.check(name); err != nil {
		return result, err
	}
	if err := os.Remove(b.path(key)); !errors.Is(err, os.ErrNotExist) {
		return result, err
	}
	return result, nil
}

// DeleteMulti removes several objects.
func (b *bucket) DeleteMulti(name string, keys ...string) (result gofakes3.MultiDeleteResult, err error) {
	for _, key := range keys {
		if _, err := b.DeleteObject(name, key); err != nil {
			return result, err
		}
		result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
	}
	return result, nil
}

// ifMatch is the header of a copy that must be of an object with an ETag.
const ifMatch = "X-Amz-Copy-Source-If-Match"

// CopyObject stores an object's contents under another key.
func (b *bucket) CopyObject(
	fromBucket, from, toBucket, to string, meta map[string]string,
) (gofakes3.CopyObjectResult, error) {
	if etag := meta[ifMatch]; etag != "" {
		info, err := b.current(from)
		if err != nil {
			return gofakes3.CopyObjectResult{}, err
		}
		if etag != `"`+hex.EncodeToString(info.Hash)+`"` {
			return gofakes3.CopyObjectResult{}, gofakes3.ErrPreconditionFailed
		}
	}
	return gofakes3.CopyObject(b, fromBucket, from, toBucket, to, meta)
}

// open opens an object's file. It returns gofakes3's ErrNoSuchKey if there is
// none.
func (b *bucket) open(key string) (*os.File, record, error) {
	file, rec, err := openRecord(b.path(key))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errCutShort) {
		return nil, record{}, gofakes3.KeyNotFound(key)
	}
	return file, rec, err
}

func (b *bucket) path(key string) string { return filepath.Join(b.dir, fileName(key)) }

func (b *bucket) check(name string) error {
	if name != b.name {
		return gofakes3.BucketNotFound(name)
	}
	return nil
}
