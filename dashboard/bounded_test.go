package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/record"
)

// However many pages are opened that look through many rows, two of them are with the
// record at a time: it has few connections, and deliveries need them. Other pages and what
// is done by hand do not wait for these. Who has no turn in five seconds is told so.
func TestPagesThatLookFarWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		far := &slow{Record: s.kept}
		s.options.Record = far
		s.start()
		c := s.logIn("otto")
		var answers [600]atomic.Int32
		var group sync.WaitGroup
		for n := range 20 {
			for _, p := range []string{
				"/spend?month=2026-%02d", "/spend.csv?zone=UTC&month=2026-%02d", "/errors?span=week&n=%d", "/gallery?tenant=t%d", "/jobs?q=fox%d", "/bulks/new?action=cancel&q=fox%d",
			} {
				group.Go(func() {
					answers[s.do(request{method: "GET", path: path + fmt.Sprintf(p, n%12+1), cookie: c}).StatusCode].Add(1)
				})
			}
		}
		synctest.Wait()
		start := time.Now()
		want(t, s.get(path+"/audit", c), "Nobody can change one")
		if got := s.do(request{method: "POST", path: path + "/lanes/a/pause", cookie: c, form: why}).StatusCode; got != http.StatusSeeOther || time.Since(start) > 0 {
			t.Errorf("a pause is answered %d after %s", got, time.Since(start))
		}
		group.Wait()
		if far.looks.most != 2 {
			t.Errorf("%d looked through the record at once, want 2", far.looks.most)
		}
		ok, busy := answers[http.StatusOK].Load(), answers[http.StatusServiceUnavailable].Load()
		if ok == 0 || busy == 0 || ok+busy != 120 {
			t.Errorf("%d were answered 200 and %d 503, of 120", ok, busy)
		}
	})
}

// slow is a record that takes a second for what looks through many rows, and counts how
// many do at once.
type slow struct {
	dashboard.Record

	looks atOnceCount
}

func (r *slow) look() {
	defer r.looks.enter()()
	time.Sleep(time.Second)
}

func (r *slow) Search(ctx context.Context, q record.SearchQuery) (record.SearchPage, error) {
	r.look()
	return r.Record.Search(ctx, q)
}

func (r *slow) Count(ctx context.Context, q record.SearchQuery) (record.StatusTally, error) {
	r.look()
	return r.Record.Count(ctx, q)
}

func (r *slow) MeasureBulk(ctx context.Context, q record.SearchQuery) (record.BulkMeasure, error) {
	r.look()
	return r.Record.MeasureBulk(ctx, q)
}

func (r *slow) Pictures(ctx context.Context, q record.PictureQuery) (record.PicturePage, error) {
	r.look()
	return r.Record.Pictures(ctx, q)
}

func (r *slow) Errors(ctx context.Context, since time.Time, limit int) (record.ErrorGroups, error) {
	r.look()
	return r.Record.Errors(ctx, since, limit)
}

func (r *slow) Spend(ctx context.Context, q record.SpendQuery) ([]record.Spend, error) {
	r.look()
	return r.Record.Spend(ctx, q)
}
