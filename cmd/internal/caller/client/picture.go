package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// Upload uploads an input picture, and returns the id that names it. The same bytes
// may arrive twice, as one picture.
func (c *Client) Upload(ctx context.Context, contentType string, picture []byte) (string, error) {
	body, err := json.Marshal(struct {
		ContentType string `json:"content_type"`
		Bytes       int    `json:"bytes"`
	}{contentType, len(picture)})
	if err != nil {
		return "", err
	}
	var upload struct {
		ID, Method, URL string
		Headers         map[string]string
	}
	err = c.send(ctx, call{
		method: http.MethodPost, path: "/api/uploads", body: body, header: map[string]string{"Content-Type": "application/json"},
	}, decode(&upload))
	if err != nil {
		return "", err
	}
	return upload.ID, c.send(ctx, call{method: upload.Method, path: upload.URL, header: upload.Headers, body: picture},
		func(*http.Response) error { return nil })
}

// stale has the statuses with which a bucket answers for a URL that has expired.
var stale = []int{400, 401, 403, 404, 410}

// Picture downloads a picture of a job, which is what its sha256 says. If its URL
// has expired, the job is asked for a later one.
func (c *Client) Picture(ctx context.Context, id string, image Image) ([]byte, error) {
	data, err := c.download(ctx, image)
	refusal, refused := errors.AsType[*Error](err)
	if !refused || !slices.Contains(stale, refusal.Status) {
		return data, err
	}
	j, failed := c.Get(ctx, id)
	if failed != nil {
		return nil, failed
	}
	for _, later := range j.Images {
		if later.Index == image.Index && later.URL != nil {
			return c.download(ctx, later)
		}
	}
	return nil, err
}

// download downloads a picture whole.
func (c *Client) download(ctx context.Context, image Image) (data []byte, err error) {
	if image.URL == nil {
		return nil, &Error{Call: fmt.Sprintf("GET of picture %d", image.Index), Detail: "the job has no URL of it"}
	}
	err = c.send(ctx, call{method: http.MethodGet, path: *image.URL}, func(answer *http.Response) error {
		data, err = io.ReadAll(io.LimitReader(answer.Body, image.Bytes+1))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		if got := hex.EncodeToString(sum[:]); got != image.SHA256 {
			return fmt.Errorf("the sha256 of its %d bytes is %s, and the job says %s", len(data), got, image.SHA256)
		}
		return nil
	})
	return data, err
}
