package recordtest

import (
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var outlookTests = []contractTest{
	{"is what Get tells of the job once it is recorded", outlookIsTrue},
	{"records nothing", outlookRecordsNothing},
	{"goes by no idempotency key and no other retry", outlookOfARepeatedRequest},
	{"refuses what has no room", outlookWithoutRoom},
	{"is empty for a job without a lane", outlookParked},
}

func (f *fixture) outlook(d record.Draft) record.Outlook {
	f.Helper()
	out, err := f.record.Outlook(f.ctx, d)
	if err != nil {
		f.Fatalf("Outlook: %v", err)
	}
	return out
}

// wantOutlook compares the outlook of a job with what happens when it is recorded.
func (f *fixture) wantOutlook(d record.Draft, last int) {
	f.Helper()
	out := f.outlook(d)
	f.submit(d)
	j, err := f.record.Get(f.ctx, d.ID)
	f.wantErr(err, nil)
	f.wantEqual("the outlook", out, record.Outlook{Ahead: j.Ahead, LastAhead: &last, Paused: j.Paused})
}

func outlookIsTrue(f *fixture) {
	theirs := submission(4)
	theirs.Tenant = rival
	f.wantOutlook(submission(3), 2) // nothing waits
	f.wantOutlook(theirs, 6)        // one and one, then all of its own
	f.wantOutlook(submission(2), 8) // of the other tenant's one more is ahead of the last
	f.wantOutlook(lowly(2), 10)     // after all that is normal
	f.useSlots(3)
	mixed := submission(3)
	mixed.Lanes = []string{"", lane, lane}
	if err := f.record.Pause(f.ctx, []string{spare}, record.Pause{For: time.Hour, Reason: busy}); err != nil {
		f.Fatal(err)
	}
	f.wantOutlook(mixed, 7)
}

func outlookRecordsNothing(f *fixture) {
	f.create(2)
	d := submission(2)
	before, err := f.record.Backlog(f.ctx, 0)
	f.wantErr(err, nil)
	first := f.outlook(d)
	f.wantEqual("the outlook again", f.outlook(d), first)
	_, err = f.record.Get(f.ctx, d.ID)
	f.wantErr(err, record.ErrNotFound)
	after, err := f.record.Backlog(f.ctx, 0)
	f.wantErr(err, nil)
	f.wantEqual("what waits", after.Waiting, before.Waiting)
	f.submit(d)
	f.wantAhead(d.ID, *first.Ahead)
}

func outlookOfARepeatedRequest(f *fixture) {
	d := submission(1)
	d.IdempotencyKey = "key"
	f.submit(d)
	d.ID, d.Fingerprint = newID(), "another"
	f.wantEqual("the images ahead", *f.outlook(d).Ahead, 1)
	again := submission(1)
	again.Input.Retry = &job.Retry{Of: newID(), Images: []int{0}}
	f.submit(again)
	again.ID = newID()
	f.wantEqual("the images ahead of a retry", *f.outlook(again).Ahead, 2)
}

func outlookWithoutRoom(f *fixture) {
	f.submit(bounded(2, 3))
	_, err := f.record.Outlook(f.ctx, bounded(2, 3))
	f.wantErr(err, record.ErrTooManyWaiting)
	f.wantEqual("the images ahead where there is room", *f.outlook(bounded(1, 3)).Ahead, 2)
}

func outlookParked(f *fixture) {
	d := submission(2)
	d.Lanes = slices.Repeat([]string{""}, 2)
	f.wantEqual("the outlook", f.outlook(d), record.Outlook{})
}
