package recordtest

import (
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var cancelTests = []contractTest{
	{"ends a job that has not started", cancelQueued},
	{"ends what has not ended, and leaves the rest", cancelPartly},
	{"leaves a job that has ended as it is", cancelEnded},
	{"takes the reason of an earlier attempt away", cancelReason},
	{"loses the claims", cancelClaims},
	{"frees the tasks for others", cancelTasks},
	{"touches no other job", cancelOthers},
	{"finds no job that is not there", cancelUnknown},
}

func cancelQueued(f *fixture) {
	tasks := f.create(3)
	before := f.get(tasks[0].JobID)
	j := f.cancel(before.ID)

	want := before
	want.Version, want.Status, want.CompletedAt = 2, job.StatusCanceled, j.CompletedAt
	want.Images = nil
	for i := range tasks {
		want.Images = append(want.Images, job.Image{Index: i, Status: job.StatusCanceled, CompletedAt: j.CompletedAt})
	}
	f.wantEqual("the job", j, want)
	for _, t := range tasks {
		f.noClaim(t, record.ErrNothingDue)
	}
}

func cancelPartly(f *fixture) {
	tasks := f.create(5)
	f.succeed(f.claim(tasks[0], never))
	f.fail(f.claim(tasks[1], never))
	f.requeue(f.claim(tasks[2], never), record.Requeue{Lane: lane, After: never})
	before := f.claim(tasks[3], never).Job
	j := f.cancel(before.ID)

	f.wantEqual("the version", j.Version, before.Version+1)
	f.wantEqual("the job's status", j.Status, job.StatusPartial)
	f.wantEqual("the counts", j.Progress(), job.Progress{Total: 5, Succeeded: 1, Failed: 1, Canceled: 3})
	f.wantEqual("the images that had ended", j.Images[:2], before.Images[:2])
	f.wantEqual("the attempts of the running one", j.Images[3].Attempts, 1)

	failed := f.create(2)
	f.fail(f.claim(failed[0], never))
	f.wantEqual("the status of a job with no picture", f.cancel(failed[0].JobID).Status, job.StatusFailed)
}

func cancelEnded(f *fixture) {
	for name, end := range map[string]func(t job.Task) job.Job{
		"succeeded": func(t job.Task) job.Job { return f.succeed(f.claim(t, never)) },
		"failed":    func(t job.Task) job.Job { return f.fail(f.claim(t, never)) },
		"canceled":  func(t job.Task) job.Job { return f.cancel(t.JobID) },
	} {
		want := end(f.create(1)[0])
		f.wantEqual("a "+name+" job", f.cancel(want.ID), want)
	}
}

func cancelReason(f *fixture) {
	tasks := f.create(1)
	f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane, After: never, Reason: &timedOut})
	f.wantEqual("the reason", f.cancel(tasks[0].JobID).Images[0].Error, (*job.Error)(nil))
}

func cancelClaims(f *fixture) {
	tasks := f.create(2)
	live, requeued := f.claim(tasks[0], never), f.claim(tasks[1], never)
	f.requeue(requeued, record.Requeue{Lane: lane, After: never})
	want := f.cancel(live.Job.ID)
	f.refused(live)
	f.refused(requeued)
	f.wantEqual("the job", f.get(want.ID), want)
}

func cancelTasks(f *fixture) {
	canceled, others := f.create(2), f.create(2)
	f.claim(canceled[0], never)
	f.cancel(canceled[0].JobID)
	f.wantImage(f.claim(canceled[0], never), others[0])
	f.wantImage(f.claim(canceled[1], never), others[1])
	f.noClaim(others[0], record.ErrNothingDue)
	f.noClaim(canceled[0], record.ErrHeld)
}

func cancelOthers(f *fixture) {
	mine, theirs := f.create(1), f.create(1)
	want := f.get(theirs[0].JobID)
	f.cancel(mine[0].JobID)
	f.wantEqual("the other job", f.get(want.ID), want)
}

func cancelUnknown(f *fixture) {
	f.create(1)
	for _, id := range []string{newID(), "", "no-such-id"} {
		_, err := f.record.Cancel(f.ctx, id)
		f.wantErr(err, record.ErrNotFound)
	}
}
