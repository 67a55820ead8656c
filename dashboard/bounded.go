package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// looksAtOnce bounds how many questions that look through many rows are put to the
// record at once. A process has four connections, and with ROLE=all deliveries use them
// too.
const looksAtOnce = 2

// A bounded record puts questions that look through many rows a few at a time.
type bounded struct {
	Record

	places chan struct{}
}

func newBounded(r Record) *bounded { return &bounded{r, make(chan struct{}, looksAtOnce)} }

// inTurn asks the record once there is a place. It fails with a *problem if none comes
// free within readTimeout.
func inTurn[T any](ctx context.Context, b *bounded, ask func(context.Context) (T, error)) (none T, err error) {
	late := time.NewTimer(readTimeout)
	defer late.Stop()
	select {
	case b.places <- struct{}{}:
		defer func() { <-b.places }()
		return ask(ctx)
	case <-late.C:
	case <-ctx.Done():
	}
	return none, &problem{
		status: http.StatusServiceUnavailable, title: "Busy", after: readTimeout,
		text: "Too many pages look through the record at once. Try again in some seconds.",
	}
}

// Search does what the record does, in turn, and so do the others.
func (b *bounded) Search(ctx context.Context, q record.SearchQuery) (record.SearchPage, error) {
	return inTurn(ctx, b, func(ctx context.Context) (record.SearchPage, error) { return b.Record.Search(ctx, q) })
}

func (b *bounded) Count(ctx context.Context, q record.SearchQuery) (record.StatusTally, error) {
	return inTurn(ctx, b, func(ctx context.Context) (record.StatusTally, error) { return b.Record.Count(ctx, q) })
}

func (b *bounded) MeasureBulk(ctx context.Context, q record.SearchQuery) (record.BulkMeasure, error) {
	return inTurn(ctx, b, func(ctx context.Context) (record.BulkMeasure, error) { return b.Record.MeasureBulk(ctx, q) })
}

func (b *bounded) Pictures(ctx context.Context, q record.PictureQuery) (record.PicturePage, error) {
	return inTurn(ctx, b, func(ctx context.Context) (record.PicturePage, error) { return b.Record.Pictures(ctx, q) })
}

func (b *bounded) Errors(ctx context.Context, since time.Time, limit int) (record.ErrorGroups, error) {
	return inTurn(ctx, b, func(ctx context.Context) (record.ErrorGroups, error) { return b.Record.Errors(ctx, since, limit) })
}

func (b *bounded) LaneFailures(ctx context.Context, lane string, since time.Time, limit int) (record.LaneFailures, error) {
	return inTurn(ctx, b, func(ctx context.Context) (record.LaneFailures, error) {
		return b.Record.LaneFailures(ctx, lane, since, limit)
	})
}

func (b *bounded) Spend(ctx context.Context, q record.SpendQuery) ([]record.Spend, error) {
	return inTurn(ctx, b, func(ctx context.Context) ([]record.Spend, error) { return b.Record.Spend(ctx, q) })
}
