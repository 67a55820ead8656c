package recordtest

import (
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var sweepTests = []contractTest{
	{"finds tasks that were not sent", sweepUnsent},
	{"finds tasks that were not sent a page at a time", sweepUnsentPages},
	{"finds tasks that do not come", sweepUnheard},
	{"finds tasks that do not come once their time has", sweepUnheardLater},
	{"returns each task again after another age", sweepAges},
}

const plenty = 1000 // more than a test has

func (f *fixture) unsent(age time.Duration, limit int) []job.Task {
	f.Helper()
	tasks, err := f.record.Unsent(f.ctx, age, limit)
	if err != nil {
		f.Fatalf("Unsent: %v", err)
	}
	return tasks
}

func (f *fixture) unheard(age time.Duration, limit int) []job.Task {
	f.Helper()
	tasks, err := f.record.Unheard(f.ctx, age, limit)
	if err != nil {
		f.Fatalf("Unheard: %v", err)
	}
	return tasks
}

// wantTasks compares tasks in whatever order.
func (f *fixture) wantTasks(what string, got []job.Task, want ...job.Task) {
	f.Helper()
	byID := func(tasks []job.Task) map[string]job.Task {
		m := map[string]job.Task{}
		for _, t := range tasks {
			m[t.ID()] = t
		}
		return m
	}
	f.wantEqual(what, byID(got), byID(want))
	f.wantEqual(what+": how many", len(got), len(want))
}

func sweepUnsent(f *fixture) {
	f.wantTasks("of nothing", f.unsent(gone, plenty))
	s := submission(5)
	s.Lanes = []string{lane, spare, lane, spare, lane}
	tasks := f.submit(s)
	f.wantTasks("an hour old", f.unsent(never, plenty))
	f.wantTasks("all", f.unsent(gone, plenty), tasks...)
	f.wantTasks("an hour after that", f.unsent(never, plenty))

	f.enqueued(tasks[1])
	f.wantTasks("less the one on a queue", f.unsent(gone, plenty), tasks[0], tasks[2], tasks[3], tasks[4])
	c := f.claim(tasks[4], never) // takes image 0, whose task goes to image 4
	f.wantTasks("less the delivered", f.unsent(gone, plenty), tasks[0], tasks[2], tasks[3])
	_, next := f.requeue(c, record.Requeue{Lane: spare, After: never})
	postponed := f.postpone(tasks[1], "c")
	f.wantTasks("with those just handed out", f.unsent(gone, plenty), tasks[0], tasks[2], tasks[3], next, postponed)
	f.enqueued(next, postponed, tasks[0], tasks[2], tasks[3])
	f.wantTasks("once all are on a queue", f.unsent(gone, plenty))
	f.create(2)
	f.cancel(f.create(3)[0].JobID)
	f.wantEqual("those of another job, but of none that ended", len(f.unsent(gone, plenty)), 2)
}

func sweepUnsentPages(f *fixture) {
	tasks := append(f.create(3), f.create(2)...)
	var got []job.Task
	for _, want := range []int{2, 2, 1, 0} {
		page := f.unsent(gone, 2)
		f.wantEqual("a page", len(page), want)
		f.enqueued(page...)
		got = append(got, page...)
	}
	f.wantTasks("the pages", got, tasks...)
}

func sweepUnheard(f *fixture) {
	f.wantTasks("of nothing", f.unheard(gone, plenty))
	var tasks []job.Task
	for range 5 {
		tasks = append(tasks, f.create(1)...)
	}
	f.enqueued(tasks...)
	f.wantTasks("an hour old", f.unheard(never, plenty))
	f.wantEqual("those that waited longest", f.unheard(gone, 3), tasks[:3])
	f.wantTasks("an hour after that", f.unheard(never, plenty))

	waiting, working, ended := f.claim(tasks[0], never), f.claim(tasks[1], gone), f.claim(tasks[2], never)
	f.requeue(waiting, record.Requeue{Lane: lane, After: never})
	f.succeed(ended)
	postponed := f.postpone(tasks[3], spare)
	f.wantTasks("those that any delivery may run", f.unheard(gone, plenty), postponed, tasks[4])
	_, next := f.requeue(working, record.Requeue{Lane: spare})
	f.wantTasks("and one put back", f.unheard(gone, plenty), postponed, tasks[4], next)
}

// Only the record's clock tells when the time has come, so the test asks the
// record.
func sweepUnheardLater(f *fixture) {
	const wait = 20 * time.Millisecond
	tasks := f.create(1)
	_, next := f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane, After: wait})
	begin := time.Now()
	var got []job.Task
	for len(got) == 0 && time.Since(begin) < time.Minute {
		got = f.unheard(gone, plenty)
	}
	f.wantTasks("the task", got, next)
	f.noClaim(stranger(), record.ErrNothingDue) // its task may still come
	f.wantImage(f.claim(next, never), tasks[0])
}

// sweepAges reads the clock before each call. So however long a call takes, the
// time between two of them is at least what it was for the record.
func sweepAges(f *fixture) {
	const age = 300 * time.Millisecond
	tasks := append(f.create(4), f.create(4)...)
	for name, find := range map[string]func(time.Duration, int) []job.Task{"Unsent": f.unsent, "Unheard": f.unheard} {
		marked := time.Now()
		f.wantTasks(name+" now", find(gone, plenty), tasks...)
		for range 2 {
			first, found := findAged(tasks, find, age)
			if ended := time.Now(); ended.Sub(marked) < age {
				f.Errorf("%s: tasks were found again after %v", name, ended.Sub(marked))
			}
			for _, t := range tasks {
				if found[t] == 0 || found[t] > 1 && time.Since(first) < age {
					f.Errorf("%s: the task %v was found %d times", name, t, found[t])
				}
			}
			marked = first
		}
	}
}

// findAged looks for tasks of an age, several times at once, until all were
// found. It returns when the first call that found any began, and how often each
// was found.
func findAged(
	tasks []job.Task, find func(time.Duration, int) []job.Task, age time.Duration,
) (first time.Time, found map[job.Task]int) {
	var mu sync.Mutex
	found = map[job.Task]int{}
	for begun := time.Now(); len(found) < len(tasks) && time.Since(begun) < time.Minute; {
		runTogether(func(int) {
			asked := time.Now()
			page := find(age, 3)
			mu.Lock()
			defer mu.Unlock()
			for _, t := range page {
				if len(found) == 0 || asked.Before(first) {
					first = asked
				}
				found[t]++
			}
		})
	}
	return first, found
}
