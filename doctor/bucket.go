package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ai-worker/ai-worker/storage"
)

// A Bucket keeps objects.
type Bucket interface {
	// PutOnce stores data if there is no object under key, and reports whether
	// it did.
	PutOnce(ctx context.Context, key string, data []byte) (stored bool, err error)
	Read(ctx context.Context, key string) ([]byte, error)
	URL(key string) (string, error)
	Remove(ctx context.Context, keys ...string) error
}

// Pictures says where pictures are stored and how they are shown.
type Pictures struct {
	Bucket    Bucket
	Name      string       // of the bucket
	PublicURL string       // where it is public; empty if URLs are presigned
	HTTP      *http.Client // to look at pictures as a browser does
}

const (
	// removeTimeout is how long deleting the probe may take. It also applies
	// after the check's own time is up.
	removeTimeout = 2 * time.Second
	// shownLimit is how much of an answer is read at most, in bytes.
	shownLimit = 64 << 10
)

// Check writes a small object, reads it back, tries to overwrite it, fetches it
// as a browser would, and deletes it.
func (p Pictures) Check() Check {
	return Check{
		Name: "r2",
		Needs: []string{
			"R2_ACCOUNT_ID", "R2_ENDPOINT", "R2_PUBLIC_URL", "R2_BUCKET",
			"R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_CREDENTIALS",
		},
		Run: func(ctx context.Context) []Finding {
			findings := p.tryOut(ctx, storage.InspectKey(), []byte("doctor "+rand.Text()))
			if len(findings) == 0 {
				findings = []Finding{ok("bucket %s: written once, read, shown at %s, deleted", p.Name, p.shownAt())}
			}
			return findings
		},
	}
}

// tryOut writes an object, reads it back, tries to overwrite it, fetches its
// URL and deletes it. It returns what went wrong.
func (p Pictures) tryOut(ctx context.Context, key string, data []byte) (findings []Finding) {
	if _, err := p.Bucket.PutOnce(ctx, key, data); err != nil {
		return []Finding{bucketTrouble(p.Name, "written", err)}
	}
	defer func() { findings = append(findings, p.remove(ctx, key)...) }()
	findings = append(findings, p.readBack(ctx, key, data)...)
	findings = append(findings, p.writeAgain(ctx, key)...)
	return append(findings, p.viewObject(ctx, key, data)...)
}

func (p Pictures) readBack(ctx context.Context, key string, want []byte) []Finding {
	got, err := p.Bucket.Read(ctx, key)
	switch {
	case err != nil:
		return []Finding{bucketTrouble(p.Name, "read", err)}
	case !bytes.Equal(got, want):
		return []Finding{failed("Look at what R2_ENDPOINT leads to.", "bucket %s gives back something else than was written", p.Name)}
	}
	return nil
}

// writeAgain tries to overwrite the object, which must not be possible.
// Otherwise a delivery that comes again would replace a picture that was paid
// for and may have been seen.
func (p Pictures) writeAgain(ctx context.Context, key string) []Finding {
	stored, err := p.Bucket.PutOnce(ctx, key, []byte("doctor again"))
	switch {
	case err != nil:
		return []Finding{bucketTrouble(p.Name, "written again", err)}
	case stored:
		return []Finding{failed("Use R2, or another server that answers 412 to a PUT with If-None-Match: * where something is.",
			"bucket %s lets a picture be overwritten: its server does not know conditional writes", p.Name)}
	}
	return nil
}

// remove deletes the probe, even after ctx has ended.
func (p Pictures) remove(ctx context.Context, key string) []Finding {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := p.Bucket.Remove(ctx, key); err != nil {
		f := bucketTrouble(p.Name, "deleted from", err)
		f.Message += fmt.Sprintf("; %s is left behind", key)
		return []Finding{f}
	}
	return nil
}

// viewObject fetches the object by its URL, as a caller does.
func (p Pictures) viewObject(ctx context.Context, key string, want []byte) []Finding {
	link, err := p.Bucket.URL(key)
	if err != nil {
		return []Finding{bucketTrouble(p.Name, "shown", err)}
	}
	status, body, err := fetch(ctx, p.HTTP, http.MethodGet, link, "")
	switch {
	case err == nil && status == http.StatusOK && bytes.Equal(body, want):
		return nil
	case p.PublicURL != "":
		return []Finding{p.notPublic(status, err)}
	case err != nil:
		return []Finding{failed("Let this machine reach R2_ENDPOINT.", "a presigned URL of bucket %s cannot be fetched: %v", p.Name, plain(err))}
	}
	return []Finding{failed("Look at the clock's line: signatures go by this machine's clock. "+
		"Else let the R2 API token read objects.",
		"a presigned URL of bucket %s is answered with %d", p.Name, status)}
}

// notPublic returns a finding that says why R2_PUBLIC_URL does not show the
// bucket's objects.
func (p Pictures) notPublic(status int, err error) Finding {
	fix := fmt.Sprintf("Connect the domain to the bucket: npx wrangler r2 bucket domain add %s --domain=%s --zone-id=ZONE; "+
		"or correct R2_PUBLIC_URL; or remove it, and URLs are presigned.", p.Name, p.shownAt())
	switch {
	case err != nil:
		return failed(fix, "R2_PUBLIC_URL cannot be fetched from: %v", plain(err))
	case status == http.StatusOK:
		return failed(fix, "R2_PUBLIC_URL shows something else than bucket %s", p.Name)
	}
	return failed(fix, "R2_PUBLIC_URL answers %d for a picture that is there", status)
}

// shownAt returns the host that shows the pictures, or "presigned URLs".
func (p Pictures) shownAt() string {
	if u, err := url.Parse(p.PublicURL); err == nil && u.Host != "" {
		return u.Host
	}
	return "presigned URLs"
}

// fetch sends a request without a body and returns the beginning of the answer.
func fetch(ctx context.Context, client *http.Client, method, link, authorization string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, link, nil)
	if err != nil {
		return 0, nil, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, shownLimit))
	return resp.StatusCode, body, err
}
