package job

import "time"

// An Object is a stored picture.
type Object struct {
	Key          string // its name in the bucket; empty when there is none
	ContentType  string // sniffed from the bytes, such as "image/png"
	Width        int    // pixels
	Height       int    // pixels
	Bytes        int64
	SHA256       string // lower-case hex
	ModelVersion string // the model that really answered: requests for retired models are re-routed silently
}

// A StoredObject is an object in the bucket, and the job that it was stored for.
type StoredObject struct {
	Key   string
	JobID string
}

// An UploadTicket lets a caller put one input picture into the bucket by itself:
// with one PUT to URL, with exactly these headers.
type UploadTicket struct {
	ID        string // names the picture in a request for pictures
	URL       string
	Header    map[string]string
	ExpiresAt time.Time // of URL
}

// A NoUploadError means that there is no input picture that can be used under an
// ID: nothing was put there, by this tenant, in the last day, or it is no picture, or
// what was stored there is gone.
type NoUploadError struct {
	ID  string // of an upload, or the key of what is gone
	Why string // a sentence for the caller
}

// Error returns the ID and the reason.
func (e *NoUploadError) Error() string { return "no upload " + e.ID + ": " + e.Why }

// A Picture is what a model produced, not yet stored.
type Picture struct {
	Data         []byte // the provider's bytes, unchanged, provenance metadata included
	ContentType  string
	Width        int // pixels
	Height       int // pixels
	SHA256       string
	ModelVersion string
	Answer       Answer // that it came with
}

// Object returns the description of p once it is stored under key.
func (p Picture) Object(key string) Object {
	return Object{
		Key:          key,
		ContentType:  p.ContentType,
		Width:        p.Width,
		Height:       p.Height,
		Bytes:        int64(len(p.Data)),
		SHA256:       p.SHA256,
		ModelVersion: p.ModelVersion,
	}
}
