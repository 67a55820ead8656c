package s3

import (
	"os"
	"slices"

	"github.com/johannesboyne/gofakes3"
)

// ListBucket lists a page of the keys that match, or all common prefixes, however
// many there are.
func (b *bucket) ListBucket(
	name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage,
) (*gofakes3.ObjectList, error) {
	if err := b.check(name); err != nil {
		return nil, err
	}
	if prefix == nil {
		prefix = &gofakes3.Prefix{}
	}
	keys, err := b.keys()
	if err != nil {
		return nil, err
	}
	list := gofakes3.NewObjectList()
	keys = slices.DeleteFunc(keys, func(key string) bool {
		return page.HasMarker && key <= page.Marker || !prefix.Match(key, nil)
	})
	if n := int(page.MaxKeys); 0 < n && n < len(keys) && !prefix.HasDelimiter {
		keys = keys[:n]
		list.IsTruncated, list.NextMarker = true, keys[n-1]
	}
	for _, key := range keys {
		if err := b.addTo(list, key, prefix); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (b *bucket) addTo(list *gofakes3.ObjectList, key string, prefix *gofakes3.Prefix) error {
	var match gofakes3.PrefixMatch
	if !prefix.Match(key, &match) {
		return nil
	}
	if match.CommonPrefix {
		list.AddPrefix(match.MatchedPart)
		return nil
	}
	file, rec, err := b.open(key)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return nil // removed since the directory was read
	}
	if err != nil {
		return err
	}
	list.Add(&gofakes3.Content{
		Key: key, Size: rec.Size, ETag: gofakes3.FormatETag(rec.MD5), LastModified: gofakes3.NewContentTime(rec.Modified),
	})
	return file.Close()
}

// keys returns the keys of all objects in S3's order.
func (b *bucket) keys() ([]string, error) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, entry := range entries {
		if key, ok := keyOf(entry.Name()); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// ListBuckets lists the one bucket.
func (b *bucket) ListBuckets() ([]gofakes3.BucketInfo, error) {
	return []gofakes3.BucketInfo{{Name: b.name}}, nil
}

// BucketExists reports whether name is the one bucket.
func (b *bucket) BucketExists(name string) (bool, error) { return name == b.name, nil }

// CreateBucket refuses: the bucket exists as long as the server does.
func (b *bucket) CreateBucket(string) error { return gofakes3.ErrNotImplemented }

// DeleteBucket refuses, as CreateBucket does.
func (b *bucket) DeleteBucket(string) error { return gofakes3.ErrNotImplemented }

// ForceDeleteBucket refuses, as CreateBucket does.
func (b *bucket) ForceDeleteBucket(string) error { return gofakes3.ErrNotImplemented }
