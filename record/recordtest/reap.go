package recordtest

import (
	"slices"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

var reapTests = []contractTest{
	{"puts images back whose lease ran out", reapBack},
	{"puts images back a page at a time", reapPages},
	{"puts several images of a job back", reapJob},
	{"runs at the same time as itself and as Expire", reapTwice},
}

func (f *fixture) reap(grace time.Duration, limit int) ([]job.Job, []job.Task) {
	f.Helper()
	jobs, tasks, err := f.record.Reap(f.ctx, grace, limit)
	if err != nil {
		f.Fatalf("Reap: %v", err)
	}
	return jobs, tasks
}

func reapBack(f *fixture) {
	tasks := f.create(4)
	stale, ended := f.claim(tasks[0], gone), f.claim(tasks[1], gone)
	f.succeed(ended)
	live := f.claim(job.Task{JobID: newID(), Dispatch: 7, Lane: spare}, never)
	before := f.get(stale.Job.ID)

	jobs, none := f.reap(never, plenty)
	f.wantEqual("jobs not so long dead", len(jobs)+len(none), 0)
	jobs, next := f.reap(gone, plenty)
	f.wantTasks("the tasks", next, stale.NextTask(lane))
	want := before
	want.Version++
	want.Images = slices.Clone(before.Images)
	want.Images[0].Status = job.StatusQueued
	f.wantEqual("the jobs", jobs, []job.Job{want})
	f.check(jobs[0])
	f.refused(stale)
	jobs, none = f.reap(gone, plenty)
	f.wantEqual("a second time", len(jobs)+len(none), 0)

	f.wantTasks("not yet sent", f.unsent(gone, plenty), next[0], tasks[3])
	again := f.claim(tasks[3], never) // any delivery takes it: its turn comes first
	f.wantImage(again, tasks[0])
	if !again.Reclaimed || again.Image().Attempts != 2 || again.Dispatch != 2 {
		f.Errorf("the claim is reclaimed %t, attempt %d of dispatch %d", again.Reclaimed, again.Image().Attempts, again.Dispatch)
	}
	f.wantErr(f.record.Renew(f.ctx, live, gone), nil)
	_, next = f.reap(gone, plenty)
	f.wantTasks("on the lane of the task before", next, live.NextTask(spare))
}

func reapPages(f *fixture) {
	var want, got []job.Task
	for range 5 {
		t := f.create(1)[0]
		f.claim(t, gone)
		t.Dispatch++
		want = append(want, t)
	}
	for _, size := range []int{2, 2, 1, 0} {
		jobs, tasks := f.reap(gone, 2)
		f.wantEqual("a page of tasks", len(tasks), size)
		f.wantEqual("a page of jobs", len(jobs), size)
		got = append(got, tasks...)
	}
	f.wantTasks("the pages", got, want...)
}

func reapJob(f *fixture) {
	tasks := f.create(3)
	for _, t := range tasks {
		f.claim(t, gone)
	}
	before := f.get(tasks[0].JobID)
	jobs, next := f.reap(gone, plenty)
	f.wantEqual("the tasks", len(next), 3)
	f.wantEqual("the last of the jobs", jobs[len(jobs)-1], f.get(before.ID))
	f.wantEqual("the job's images", jobs[len(jobs)-1].Progress(), job.Progress{Total: 3, Queued: 3})
	f.wantEqual("the transitions", jobs[len(jobs)-1].Version-before.Version, int64(len(jobs)))
}

// Every image is put back, or fails, once.
func reapTwice(f *fixture) {
	var dead, late []job.Task
	for range 6 {
		tasks := f.create(3)
		for _, t := range tasks {
			f.claim(t, gone)
		}
		dead = append(dead, tasks...)
	}
	for range 10 {
		late = append(late, f.submit(overdue(2))...)
	}
	var mu sync.Mutex
	reaped, expired := map[job.Task]int{}, map[string]int{}
	runTogether(func(int) {
		for range dead {
			var jobs []job.Job
			_, tasks, err := f.record.Reap(f.ctx, gone, 4)
			if err == nil {
				jobs, err = f.record.Expire(f.ctx, timedOut, 2)
			}
			if err != nil {
				f.Errorf("sweep: %v", err)
			}
			mu.Lock()
			for _, t := range tasks {
				reaped[t]++
			}
			for _, j := range jobs {
				expired[j.ID]++
			}
			mu.Unlock()
			if len(tasks)+len(jobs) == 0 {
				return
			}
		}
	})
	_, rest := f.reap(gone, plenty) // an implementation may pass over images that another call is moving
	for _, t := range rest {
		reaped[t]++
	}
	for _, j := range f.expire(plenty) {
		expired[j.ID]++
	}
	for _, t := range dead {
		t.Dispatch++
		f.wantEqual("how often an image was put back", reaped[t], 1)
		f.check(f.get(t.JobID))
	}
	for _, t := range late {
		f.wantEqual("how often a job was failed", expired[t.JobID], 1)
		f.wantEqual("its version", f.get(t.JobID).Version, int64(2))
	}
}
