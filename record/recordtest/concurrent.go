package recordtest

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var concurrentTests = []contractTest{
	{"deliveries claim each image once", concurrentOnce},
	{"claims of one lapsed image have one winner", concurrentWinner},
	{"ends of one claim count once", concurrentEnds},
	{"notes that tasks exist are kept while deliveries exchange them", concurrentNotes},
	{"deliveries and notes leave no image without its task", concurrentStorm},
}

const deliverers = 8

// runTogether runs f in as many goroutines as there are deliverers, and waits for
// them.
func runTogether(f func(n int)) {
	var group sync.WaitGroup
	for n := range deliverers {
		group.Go(func() { f(n) })
	}
	group.Wait()
}

// A lineup is a queue of tasks, with a count of those that are out.
type lineup struct {
	mu    sync.Mutex
	tasks []job.Task
}

func (l *lineup) push(tasks ...job.Task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks = append(l.tasks, tasks...)
}

func (l *lineup) pop() (job.Task, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tasks) == 0 {
		return job.Task{}, false
	}
	n := rand.IntN(len(l.tasks))
	t := l.tasks[n]
	l.tasks[n] = l.tasks[len(l.tasks)-1]
	l.tasks = l.tasks[:len(l.tasks)-1]
	return t, true
}

func concurrentOnce(f *fixture) {
	var queue lineup
	ids := map[string]int{}
	for range 5 {
		tasks := f.create(8)
		ids[tasks[0].JobID] = len(tasks)
		queue.push(tasks...)
	}
	var mu sync.Mutex
	claimed := map[job.Task]int{}
	versions := map[string]map[int64]bool{}
	note := func(j job.Job) {
		checkRules(f.T, j)
		mu.Lock()
		defer mu.Unlock()
		if versions[j.ID] == nil {
			versions[j.ID] = map[int64]bool{}
		}
		if versions[j.ID][j.Version] {
			f.Errorf("two transitions made version %d of job %s", j.Version, j.ID)
		}
		versions[j.ID][j.Version] = true
	}
	runTogether(func(int) {
		for t, ok := queue.pop(); ok; t, ok = queue.pop() {
			c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: t, Lease: never})
			if err != nil {
				f.Errorf("Claim: %v", err)
				return
			}
			note(c.Job)
			mu.Lock()
			claimed[job.Task{JobID: c.Job.ID, Index: c.Index}]++
			mu.Unlock()
			j, err := f.record.Succeed(f.ctx, c, stored)
			if err != nil {
				f.Errorf("Succeed: %v", err)
				return
			}
			note(j)
		}
	})
	for image, times := range claimed {
		if times != 1 {
			f.Errorf("image %v was claimed %d times", image, times)
		}
	}
	for id, count := range ids {
		j := f.get(id)
		f.check(j)
		f.wantEqual("the job's status", j.Status, job.StatusSucceeded)
		f.wantEqual("the job's version", j.Version, int64(1+2*count))
		f.wantEqual("the versions returned", len(versions[id]), 2*count)
	}
}

func concurrentWinner(f *fixture) {
	tasks := f.create(1)
	f.claim(tasks[0], gone)
	var mu sync.Mutex
	var winners int
	runTogether(func(int) {
		_, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: tasks[0], Lease: never})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, record.ErrHeld):
			f.Errorf("Claim: %v", err)
		}
	})
	f.wantEqual("winners", winners, 1)
	f.wantEqual("attempts", f.get(tasks[0].JobID).Images[0].Attempts, 2)
}

func concurrentEnds(f *fixture) {
	tasks := f.create(2)
	c := f.claim(tasks[0], never)
	var mu sync.Mutex
	won := map[bool]int{}
	runTogether(func(n int) {
		var err error
		succeed := n%2 == 0
		if succeed {
			_, err = f.record.Succeed(f.ctx, c, stored)
		} else {
			_, err = f.record.Fail(f.ctx, c, blocked)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			won[succeed]++
		case !errors.Is(err, record.ErrClaimLost):
			f.Errorf("end: %v", err)
		}
	})
	if won[true] != deliverers/2 && won[false] != deliverers/2 || won[true]*won[false] != 0 {
		f.Errorf("%d calls of Succeed and %d of Fail had their way", won[true], won[false])
	}
	j := f.get(c.Job.ID)
	f.check(j)
	f.wantEqual("the version", j.Version, int64(3))
}

// Every image is put back once, for a time that does not come. So only the task
// that it holds can bring it back. If two claims that exchange tasks at once
// ever lost one, an image would be left over. Meanwhile producers note that the
// tasks exist, as they do when deliveries come early, and some tasks come
// twice.
func concurrentStorm(f *fixture) {
	var queue lineup
	var subs []record.Draft
	for range 4 {
		s, tasks := f.createKeyed(8)
		subs = append(subs, s)
		queue.push(tasks...)
	}
	runTogether(func(n int) {
		for {
			t, ok := queue.pop()
			if !ok {
				return
			}
			if rand.IntN(4) == 0 {
				f.deliverInStorm(&queue, t, false)
			}
			f.deliverInStorm(&queue, t, true)
		}
	})
	for t, ok := queue.pop(); ok; t, ok = queue.pop() {
		f.deliverInStorm(&queue, t, true)
	}
	for _, s := range subs {
		j := f.get(s.ID)
		f.check(j)
		f.wantEqual("the job's status", j.Status, job.StatusSucceeded)
		f.wantEqual("the job's version", j.Version, int64(1+4*len(j.Images)))
		f.wantPending(s)
	}
}

// deliverInStorm delivers a task and answers it, unless the delivery is only a
// copy and its worker need not be the last.
func (f *fixture) deliverInStorm(queue *lineup, t job.Task, last bool) {
	c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: t, Lease: never})
	switch {
	case errors.Is(err, record.ErrNothingDue):
		return
	case errors.Is(err, record.ErrHeld):
		if last {
			queue.push(t)
		}
		return
	case err != nil:
		f.Errorf("Claim: %v", err)
		return
	}
	if err := f.record.Renew(f.ctx, c, never); err != nil {
		f.Errorf("Renew: %v", err)
	}
	if c.Dispatch > 1 {
		if _, err = f.record.Succeed(f.ctx, c, stored); err != nil {
			f.Errorf("Succeed: %v", err)
		}
		return
	}
	_, next, err := f.record.Requeue(f.ctx, c, record.Requeue{Lane: lane, After: never})
	if err != nil {
		f.Errorf("Requeue: %v", err)
		return
	}
	queue.push(next)
	if err := f.record.Enqueued(f.ctx, next); err != nil {
		f.Errorf("Enqueued: %v", err)
	}
}

// Each task is noted as enqueued while deliveries exchange the tasks.
func concurrentNotes(f *fixture) {
	const images = 16
	for range 3 {
		s, tasks := f.createKeyed(images)
		var group sync.WaitGroup
		for _, t := range tasks {
			group.Go(func() {
				if err := f.record.Enqueued(f.ctx, t); err != nil {
					f.Errorf("Enqueued: %v", err)
				}
			})
		}
		for i := range images / 2 {
			group.Go(func() {
				r := record.ClaimRequest{Model: model, Task: tasks[images-1-i], Lease: never}
				if _, err := f.record.Claim(f.ctx, r); err != nil {
					f.Errorf("Claim: %v", err)
				}
			})
		}
		group.Wait()
		f.wantPending(s)
		f.cancel(s.ID)
	}
}
