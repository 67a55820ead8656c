package snapshot

import (
	"context"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// What operators read is no transition.

// Search implements record.Board.
func (r *Record) Search(ctx context.Context, q record.SearchQuery) (record.SearchPage, error) {
	return r.record.Search(ctx, q)
}

// Count implements record.Board.
func (r *Record) Count(ctx context.Context, q record.SearchQuery) (record.StatusTally, error) {
	return r.record.Count(ctx, q)
}

// Pictures implements record.Board.
func (r *Record) Pictures(ctx context.Context, q record.PictureQuery) (record.PicturePage, error) {
	return r.record.Pictures(ctx, q)
}

// Activity implements record.Board.
func (r *Record) Activity(ctx context.Context) (record.Activity, error) {
	return r.record.Activity(ctx)
}

// Slots implements record.Board.
func (r *Record) Slots(ctx context.Context, lane string, since time.Time) (record.Slots, error) {
	return r.record.Slots(ctx, lane, since)
}

// Errors implements record.Board.
func (r *Record) Errors(ctx context.Context, since time.Time, limit int) (record.ErrorGroups, error) {
	return r.record.Errors(ctx, since, limit)
}

// LaneFailures implements record.Board.
func (r *Record) LaneFailures(ctx context.Context, lane string, since time.Time, limit int) (record.LaneFailures, error) {
	return r.record.LaneFailures(ctx, lane, since, limit)
}
