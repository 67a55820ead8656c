package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/storage"
	"github.com/ai-worker/ai-worker/sweep"
)

// bucket is a bundle with a real bucket.
type bucket struct {
	*bundle
	server *s3.Server
	r2     *storage.R2
}

func setupBucket(t *testing.T) *bucket {
	t.Helper()
	server, err := s3.Start(s3.Options{Bucket: "pictures"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	b := &bucket{bundle: setup(t, ""), server: server, r2: storage.NewR2(storage.Config{
		Endpoint: server.URL(), AccessKeyID: "id", SecretAccessKey: "secret", Bucket: "pictures",
	})}
	b.sweeper.Objects = b.r2
	b.sweeper.SetClock(func() time.Time { return time.Now().Add(b.ahead) })
	return b
}

// put stores what an attempt would for an image of a job, whatever the job is.
func (b *bucket) put(t *testing.T, jobID string, index int) string {
	t.Helper()
	obj, err := b.r2.Put(t.Context(), jobID, index, job.Picture{Data: []byte("a picture"), ContentType: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	return obj.Key
}

func (b *bucket) putInput(t *testing.T, jobID string, n int) string {
	t.Helper()
	key, err := b.r2.PutInput(t.Context(), jobID, n, []byte("a picture"), "image/png")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// keys returns what is stored for jobs.
func (b *bucket) keys(t *testing.T) []string {
	t.Helper()
	keys := []string{}
	for after, first := "", true; first || after != ""; first = false {
		page, next, err := b.r2.List(t.Context(), after, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			keys = append(keys, o.Key)
		}
		after = next
	}
	return keys
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

const day = 24 * time.Hour

// The pictures of a job are removed whatever its row says of them: an attempt that
// was canceled or lost may have stored one all the same.
func TestRetirementLeavesNoPicture(t *testing.T) {
	b := setupBucket(t)
	j := b.submit(t, 3)
	for i := range 3 {
		b.put(t, j.ID, i) // of which the record has none
	}
	if _, err := b.record.Cancel(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	b.advance(31 * day)
	if swept := b.sweepOnce(t); swept.Removed != 1 {
		t.Errorf("swept %+v", swept)
	}
	if got := b.keys(t); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

// Only the daily sweep lists, and it removes what is past retention and no job's.
func TestDailySweepRemovesWhatIsNoJobs(t *testing.T) {
	b := setupBucket(t)
	late := b.submit(t, 1)
	if _, err := b.record.Cancel(t.Context(), late.ID); err != nil {
		t.Fatal(err)
	}
	b.advance(31 * day)
	b.sweepOnce(t)       // removes the job
	b.put(t, late.ID, 0) // by a delivery that had lost its claim
	crashed := newID()   // before its row
	b.putInput(t, crashed, 0)
	b.putInput(t, crashed, 13)
	b.ahead = 0
	kept := b.submit(t, 2) // and not retired for long, since it does not end
	want := []string{b.put(t, kept.ID, 1), b.putInput(t, kept.ID, 0)}
	all := b.keys(t)

	if swept := b.sweepOnce(t); swept.Orphans != 0 {
		t.Errorf("a sweep that is not daily removed %d", swept.Orphans)
	}
	b.sweeper.SetClock(func() time.Time { return time.Now().Add(29 * day) })
	if swept := b.daily(t); swept.Orphans != 0 {
		t.Errorf("removed before its time: %+v", swept)
	}
	b.sweeper.SetClock(func() time.Time { return time.Now().Add(31 * day) })
	b.sweeper.Retention = 0
	if swept := b.daily(t); swept.Orphans != 0 {
		t.Errorf("removed without a retention: %+v", swept)
	}
	if diff := cmp.Diff(all, b.keys(t)); diff != "" {
		t.Errorf("so far (-want +got):\n%s", diff)
	}
	b.sweeper.Retention = 30 * day
	if swept := b.daily(t); swept.Orphans != 3 {
		t.Errorf("swept %+v, want three orphans", swept)
	}
	if diff := cmp.Diff(want, b.keys(t)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

func (b *bundle) daily(t *testing.T) sweep.Swept {
	t.Helper()
	swept, err := b.sweeper.SweepDaily(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return swept
}

// One object that cannot be removed keeps no other back, and the next daily sweep
// finds it.
func TestDailySweepGoesOnPastAnOrphanThatStays(t *testing.T) {
	b := setupBucket(t)
	var stays string
	for i := range 20 {
		if key := b.putInput(t, newID(), 0); i == 3 {
			stays = key
		}
	}
	b.advance(31 * day)
	b.server.Fail(func(r *http.Request) s3.Fault {
		if r.Method == http.MethodDelete && r.URL.Path == "/pictures/"+stays {
			return s3.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return s3.Fault{}
	})
	swept, err := b.sweeper.SweepDaily(t.Context())
	if swept.Orphans != 19 || err == nil {
		t.Errorf("swept %+v, %v; want 19 orphans and an error", swept, err)
	}
	b.server.Fail(nil)
	if swept := b.daily(t); swept.Orphans != 1 || len(b.keys(t)) != 0 {
		t.Errorf("swept %+v the next day; left: %v", swept, b.keys(t))
	}
}

// endless is a bucket that is never listed to its end.
type endless struct {
	remover
	listed []string
	err    error
}

func (e *endless) List(_ context.Context, after string, _ time.Time) ([]job.StoredObject, string, error) {
	e.listed = append(e.listed, after)
	id := newID()
	return []job.StoredObject{{Key: "images/" + id + "/0", JobID: id}}, fmt.Sprint(len(e.listed)), e.err
}

// RemoveUploads finds nothing.
func (e *endless) RemoveUploads(context.Context, time.Time) (int, bool, error) { return 0, false, nil }

// What a sweep lists has a bound, since it costs money.
func TestDailySweepListsABoundedPart(t *testing.T) {
	b := setup(t, "")
	bucket := &endless{}
	b.sweeper.Objects = bucket
	if swept := b.daily(t); swept.Orphans != 100 || len(bucket.listed) != 100 || bucket.listed[99] != "99" {
		t.Errorf("swept %+v, listed %d pages", swept, len(bucket.listed))
	}
	bucket.err = errors.New("bucket is gone")
	if _, err := b.sweeper.SweepDaily(t.Context()); !errors.Is(err, bucket.err) || len(bucket.listed) != 101 {
		t.Errorf("got %v, listed %d pages; want the bucket's error at once", err, len(bucket.listed))
	}
}

// A page of which nothing can be removed keeps the pages after it back on no day.
func TestDailySweepGoesOnPastAPageThatStays(t *testing.T) {
	b := setup(t, "")
	bucket := &endless{remover: remover{err: errors.New("the object is locked")}}
	b.sweeper.Objects = bucket
	if _, err := b.sweeper.SweepDaily(t.Context()); !errors.Is(err, bucket.remover.err) || len(bucket.listed) != 100 {
		t.Errorf("got %v, listed %d pages; want 100", err, len(bucket.listed))
	}
}

// forgetful is a record that cannot be asked which jobs it has.
type forgetful struct{ record.Record }

func (forgetful) Known(context.Context, ...string) ([]string, error) {
	return nil, errors.New("the record is away")
}

func TestNothingIsRemovedWithoutTheRecord(t *testing.T) {
	b := setupBucket(t)
	want := []string{b.put(t, newID(), 0)}
	b.advance(31 * day)
	b.sweeper.Record = forgetful{b.record}
	b.sweeper.Log = slog.New(slog.DiscardHandler)
	if _, err := b.sweeper.SweepDaily(t.Context()); err == nil || !slices.Equal(want, b.keys(t)) {
		t.Errorf("%v; left: %v", err, b.keys(t))
	}
}
