package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var retireTests = []contractTest{
	{"fails what is past its deadline", expireAll},
	{"leaves who is at work past the deadline", expireWorked},
	{"fails jobs a page at a time", expirePages},
	{"fails one job that is past its deadline", expireOne},
	{"finds jobs to be removed, the oldest first", retiredOrder},
	{"removes a job that ended", deleteEnded},
	{"tells which jobs there are", knownJobs},
}

func (f *fixture) expire(limit int) []job.Job {
	f.Helper()
	jobs, err := f.record.Expire(f.ctx, timedOut, limit)
	if err != nil {
		f.Fatalf("Expire: %v", err)
	}
	for _, j := range jobs {
		f.check(j)
	}
	return jobs
}

func (f *fixture) retired(age time.Duration, limit int) []job.Job {
	f.Helper()
	jobs, err := f.record.Retired(f.ctx, age, limit)
	if err != nil {
		f.Fatalf("Retired: %v", err)
	}
	return jobs
}

// overdue returns a submission whose deadline is past at once.
func overdue(count int) record.Draft {
	s := submission(count)
	s.ExpiresIn = 0
	return s
}

func expireAll(f *fixture) {
	early := f.create(2)
	late := f.submit(overdue(2))
	before, other := f.get(late[0].JobID), f.get(early[0].JobID)
	jobs := f.expire(plenty)
	f.wantEqual("the jobs", len(jobs), 1)
	want := before
	want.Version, want.Status, want.CompletedAt = 2, job.StatusFailed, jobs[0].CompletedAt
	want.Images = nil
	for i := range late {
		want.Images = append(want.Images, job.Image{
			Index: i, Status: job.StatusFailed, Error: &timedOut, CompletedAt: want.CompletedAt,
		})
	}
	f.wantEqual("the job", jobs[0], want)
	f.wantEqual("the job in time", f.get(other.ID), other)
	f.wantEqual("a second time", len(f.expire(plenty)), 0)
	f.wantWaiting(map[string]int{lane: 2})
	f.wantImage(f.claim(late[0], never), early[0])
	f.wantImage(f.claim(late[1], never), early[1])
}

func expireWorked(f *fixture) {
	tasks := f.submit(overdue(5))
	f.succeed(f.claim(tasks[0], never))
	live, stale := f.claim(tasks[1], never), f.claim(tasks[2], gone)
	waiting := f.claim(tasks[3], never)
	f.requeue(waiting, record.Requeue{Lane: lane, After: never})

	jobs := f.expire(plenty)
	f.wantEqual("the jobs", len(jobs), 1)
	f.wantEqual("the images", jobs[0].Progress(), job.Progress{Total: 5, Processing: 1, Succeeded: 1, Failed: 3})
	f.wantEqual("the version", jobs[0].Version, waiting.Job.Version+2)
	f.refused(stale)
	f.refused(waiting)
	f.wantEqual("a second time", len(f.expire(plenty)), 0)
	f.wantEqual("the job's end", f.succeed(live).Status, job.StatusPartial)
	f.wantEqual("a third time", len(f.expire(plenty)), 0)
}

func expirePages(f *fixture) {
	want, got := map[string]bool{}, map[string]bool{}
	for range 5 {
		want[f.submit(overdue(1))[0].JobID] = true
	}
	for _, size := range []int{2, 2, 1, 0} {
		page := f.expire(2)
		f.wantEqual("a page", len(page), size)
		for _, j := range page {
			got[j.ID] = true
		}
	}
	f.wantEqual("the jobs", got, want)
}

// ExpireJob does the same to one job, and leaves the others alone.
func expireOne(f *fixture) {
	expire := func(id string) job.Job {
		j, err := f.record.ExpireJob(f.ctx, id, timedOut)
		f.wantErr(err, nil)
		f.check(j)
		return j
	}
	early, other := f.create(1), f.submit(overdue(1))
	before := f.get(early[0].JobID)
	f.wantEqual("a job in time", expire(before.ID), before)

	tasks := f.submit(overdue(4))
	f.cancel(early[0].JobID)
	f.wantImage(f.claim(tasks[0], never), other[0])
	live, stale := f.claim(tasks[1], never), f.claim(tasks[2], gone)
	waiting := f.claim(tasks[3], never)
	f.requeue(waiting, record.Requeue{Lane: lane, After: never})
	j := expire(live.Job.ID)
	f.wantEqual("the images", j.Progress(), job.Progress{Total: 4, Processing: 1, Failed: 3})
	f.wantEqual("the version", j.Version, waiting.Job.Version+2)
	for i := range 3 {
		f.wantEqual("the reason", j.Images[i+1].Error, &timedOut)
	}
	f.refused(stale)
	f.refused(waiting)
	f.wantWaiting(map[string]int{lane: 0})
	f.wantEqual("a second time", expire(live.Job.ID), j)
	ended := f.succeed(live)
	f.wantEqual("a third time", expire(live.Job.ID), ended)
	for _, id := range []string{newID(), "", "no-such-id"} {
		_, err := f.record.ExpireJob(f.ctx, id, timedOut)
		f.wantErr(err, record.ErrNotFound)
	}
}

func retiredOrder(f *fixture) {
	var tasks []job.Task
	for range 3 {
		tasks = append(tasks, f.create(1)...)
	}
	open := f.create(2)
	f.wantEqual("of jobs that have not ended", len(f.retired(gone, plenty)), 0)
	oldest := f.cancel(tasks[1].JobID)
	middle := f.fail(f.claim(tasks[0], never))
	youngest := f.succeed(f.claim(tasks[2], never))
	f.succeed(f.claim(open[0], never))
	f.wantEqual("an hour ago", len(f.retired(never, plenty)), 0)
	f.wantEqual("the jobs", f.retired(gone, plenty), []job.Job{oldest, middle, youngest})
	for _, id := range []string{oldest.ID, middle.ID} {
		f.wantErr(f.record.Delete(f.ctx, id), nil)
	}
	f.wantEqual("what is left", f.retired(gone, plenty), []job.Job{youngest})
}

func deleteEnded(f *fixture) {
	s, tasks := f.createKeyed(2)
	want := f.get(s.ID)
	f.wantErr(f.record.Delete(f.ctx, s.ID), nil)
	f.wantEqual("a job that has not ended", f.get(s.ID), want)
	f.succeed(f.claim(tasks[0], never))
	f.wantErr(f.record.Delete(f.ctx, s.ID), nil)
	last := f.claim(tasks[1], never)
	f.wantErr(f.record.Delete(f.ctx, s.ID), nil)
	f.succeed(last)

	kept := f.create(1)
	f.wantErr(f.record.Delete(f.ctx, s.ID), nil)
	_, err := f.record.Get(f.ctx, s.ID)
	f.wantErr(err, record.ErrNotFound)
	_, err = f.record.Recorded(f.ctx, s)
	f.wantErr(err, record.ErrNotFound)
	for _, id := range []string{s.ID, newID(), "", "no-such-id"} {
		f.wantErr(f.record.Delete(f.ctx, id), record.ErrNotFound)
	}
	f.refused(last)
	f.wantImage(f.claim(tasks[0], never), kept[0])
	f.noClaim(kept[0], record.ErrNothingDue)
}

func knownJobs(f *fixture) {
	known := func(ids ...string) []string {
		got, err := f.record.Known(f.ctx, ids...)
		f.wantErr(err, nil)
		return got
	}
	f.wantEqual("of nothing", len(known()), 0)
	open, ended := f.create(1)[0].JobID, f.cancel(f.create(2)[0].JobID).ID
	f.wantEqual("the jobs", known(newID(), ended, "no-such-id", open, ended, ""), []string{open, ended})
	f.wantErr(f.record.Delete(f.ctx, ended), nil)
	f.wantEqual("without the one removed", known(open, ended), []string{open})
	f.wantEqual("of none", len(known(newID(), newID())), 0)
}
