package chaos_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// trouble is something that breaks.
type trouble string

const (
	killWorker   trouble = "kill a worker"
	deployWorker trouble = "deploy a worker"
	stopRedis    trouble = "stop Redis"
	crashRecord  trouble = "crash Postgres"
	cutRecord    trouble = "cut Postgres connections"
	failPictures trouble = "fail R2"
)

const workerCount = 3

// A step breaks something, or repairs it.
type step struct {
	at     time.Duration
	what   trouble
	worker int
	ends   bool
}

// A plannedJob is a job that a caller will submit.
type plannedJob struct {
	at    time.Duration
	count int
}

type plan struct {
	steps []step // in order
	jobs  []plannedJob
}

// newPlan makes all choices of a run that do not depend on what the service
// does.
func newPlan(seed uint64, length time.Duration) plan {
	random := rand.New(rand.NewPCG(seed, 3))
	var p plan
	between := func(from, to time.Duration) time.Duration { return from + time.Duration(random.Int64N(int64(to-from))) }

	// Each kind comes once, so that the shortest run has all of them. Then they
	// come by weight.
	kinds := []trouble{killWorker, deployWorker, stopRedis, crashRecord, cutRecord, failPictures}
	random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	weighted := []trouble{
		killWorker, killWorker, killWorker, killWorker, killWorker, deployWorker,
		stopRedis, stopRedis, crashRecord, cutRecord, failPictures,
	}
	free := map[any]time.Duration{} // when the thing that broke works again
	for at := between(time.Second, 2*time.Second); at < length; at += between(500*time.Millisecond, 2*time.Second) {
		what := weighted[random.IntN(len(weighted))]
		if len(kinds) > 0 {
			what, kinds = kinds[0], kinds[1:]
		}
		worker, lasts := random.IntN(workerCount), between(200*time.Millisecond, 3*time.Second)
		var target any = what
		if what == killWorker || what == deployWorker {
			target = worker
		}
		if at < free[target] {
			continue
		}
		free[target] = at + lasts + time.Second
		p.steps = append(p.steps, step{at: at, what: what, worker: worker})
		if what != deployWorker && what != cutRecord {
			p.steps = append(p.steps, step{at: at + lasts, what: what, worker: worker, ends: true})
		}
	}
	slices.SortStableFunc(p.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })

	for left := int(length.Seconds() * picturesPerSecond); left > 0; {
		j := plannedJob{at: between(0, length*4/5), count: min(left, 1+random.IntN(16))}
		p.jobs = append(p.jobs, j)
		left -= j.count
	}
	return p
}
