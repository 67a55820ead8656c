package client

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// A Query says which jobs to list, by the names of the API's parameters. All that
// is given must hold.
type Query url.Values

// maxPage is how many jobs a page has at most.
const maxPage = 100

// List yields jobs, the newest first, and asks for pages as it needs them. limit is
// how many at most; 0 is all.
func (c *Client) List(ctx context.Context, q Query, limit int) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		left := limit
		for cursor := ""; ; {
			page, err := c.page(ctx, q, cursor, left)
			if err != nil {
				yield(Job{}, err)
				return
			}
			for _, j := range page.Jobs {
				if !yield(j, nil) {
					return
				}
				if left--; left == 0 {
					return
				}
			}
			if cursor = page.NextCursor; cursor == "" {
				return
			}
		}
	}
}

type page struct {
	Jobs       []Job  `json:"jobs"`
	NextCursor string `json:"next_cursor"`
}

// page returns the page at a cursor. limit is how many jobs are wanted at most; all
// are if it is not above 0.
func (c *Client) page(ctx context.Context, q Query, cursor string, limit int) (p page, err error) {
	query := maps.Clone(url.Values(q))
	if query == nil {
		query = url.Values{}
	}
	size := maxPage
	if limit > 0 {
		size = min(size, limit)
	}
	query.Set("limit", strconv.Itoa(size))
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	err = c.send(ctx, call{method: http.MethodGet, path: "/api/jobs?" + query.Encode()}, decode(&p))
	return p, err
}
