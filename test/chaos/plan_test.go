package chaos_test

import (
	"cmp"
	"fmt"
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
	cutRedis     trouble = "cut a worker off Redis"
	stallRedis   trouble = "stall a worker's way to Redis"
	crashRecord  trouble = "crash Postgres"
	cutRecord    trouble = "cut Postgres connections"
	failPictures trouble = "fail R2"

	// All workers are deployed with other lanes.
	pauseLane   trouble = "pause a lane"
	removeLane  trouble = "remove a lane"
	returnLanes trouble = "have both lanes again"
	renameModel trouble = "rename the model"
)

// breaks are the kinds that come at random. changes are those that follow each
// other.
var (
	breaks  = []trouble{killWorker, deployWorker, stopRedis, cutRedis, stallRedis, crashRecord, cutRecord, failPictures}
	changes = []trouble{pauseLane, removeLane, returnLanes, renameModel}
)

const (
	workerCount = 3
	// poisonsEvery is the time for which a run has one job of each poison more.
	poisonsEvery = 2 * time.Minute
)

// A step breaks something, or repairs it.
type step struct {
	at     time.Duration
	what   trouble
	worker int
	lane   string
	ends   bool
}

// A plannedJob is a job that a caller will submit.
type plannedJob struct {
	at     time.Duration
	count  int
	tenant string
	model  string  // that it names, or empty
	poison *poison // that its requests get, or nil
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
	kinds := slices.Clone(breaks)
	random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	weighted := []trouble{
		killWorker, killWorker, killWorker, killWorker, killWorker, deployWorker,
		stopRedis, stopRedis, cutRedis, cutRedis, stallRedis, stallRedis, crashRecord, cutRecord, failPictures,
	}
	free := map[any]time.Duration{} // when the thing that broke works again
	for at := between(time.Second, 2*time.Second); at < length; at += between(500*time.Millisecond, 2*time.Second) {
		what := weighted[random.IntN(len(weighted))]
		if len(kinds) > 0 {
			what = kinds[0]
		}
		worker, lasts := random.IntN(workerCount), between(200*time.Millisecond, 3*time.Second)
		var target any = what
		switch what {
		case killWorker, deployWorker:
			target = worker
		case cutRedis, stallRedis:
			target = fmt.Sprintf("link %d", worker)
		default:
		}
		if at < free[target] {
			continue
		}
		kinds = slices.DeleteFunc(kinds, func(k trouble) bool { return k == what })
		free[target] = at + lasts + time.Second
		p.steps = append(p.steps, step{at: at, what: what, worker: worker})
		if what != deployWorker && what != cutRecord {
			p.steps = append(p.steps, step{at: at + lasts, what: what, worker: worker, ends: true})
		}
	}
	p.steps = append(p.steps, laneSteps(random, length)...)
	slices.SortStableFunc(p.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })

	for left := int(length.Seconds() * picturesPerSecond); left > 0; {
		j := plannedJob{at: between(0, length*4/5), tenant: web, count: min(left, 1+random.IntN(16))}
		if len(p.jobs)%3 == 0 {
			j.tenant = thrifty
		}
		if random.IntN(2) == 0 {
			j.model = models[0]
		}
		p.jobs = append(p.jobs, j)
		left -= j.count
	}
	for range 1 + int(length/poisonsEvery) {
		for _, poison := range poisons(random.IntN) {
			p.jobs = append(p.jobs, plannedJob{at: between(0, length/2), tenant: web, count: 1 + random.IntN(2), poison: &poison})
		}
	}
	return p
}

// laneSteps changes the lanes again and again: one is paused, one removed, both
// are there again, and the model gets another name.
func laneSteps(random *rand.Rand, length time.Duration) (steps []step) {
	const first, least, more = 3 * time.Second, 5 * time.Second, 10 * time.Second
	for n, at := 0, first; at < length; n++ {
		steps = append(steps, step{at: at, what: changes[n%len(changes)], lane: laneNames[random.IntN(len(laneNames))]})
		at += least
		if n > len(changes) { // the shortest run has each once
			at += time.Duration(random.Int64N(int64(more)))
		}
	}
	return steps
}
