package chaos_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ai-worker/ai-worker/bench/fleet"
)

const (
	startTimeout = 2 * time.Minute
	// stopTimeout is for a worker that hangs. Whether a worker ends within the
	// ten seconds of Cloud Run, the worker itself says: by its own clock it has
	// nine, and it ends with an error if it is not done by then.
	stopTimeout = time.Minute
)

// oldMark is in the name of a process of the version before.
const oldMark = "-old"

// setupMark comes before the number of the setup in the name of a process.
const setupMark = "-setup-"

// A crew is the running workers. Each process has a name of its own:
// worker-2.5-setup-1 is the fifth process in the second place, with the lanes of
// the second setup. Each place has a link of its own to Redis. If there is an old
// program, each second process is one of it, until the trouble is over.
type crew struct {
	d       *deployment
	program string
	old     string   // the program of the version before, or empty
	env     []string // the same for all
	logs    string

	busy           sync.WaitGroup // starts and ends under way
	places         [workerCount]*place
	kills, deploys atomic.Int64
	olds           atomic.Int64 // processes of the version before
	late           atomic.Int64 // deploys whose worker did not end as it should
}

type place struct {
	turn       sync.Mutex // held by the one start or end that goes on
	generation int
	name       string
	instance   *fleet.Instance // nil while there is none
	redis      *fleet.Link
}

func newCrew(d *deployment, program string, env []string) *crew {
	c := &crew{d: d, program: program, old: os.Getenv("OLD"), env: env, logs: d.t.ArtifactDir()}
	for n := range c.places {
		link, err := fleet.NewLink(d.redis.Addr())
		if err != nil {
			d.t.Fatal(err)
		}
		d.t.Cleanup(func() { _ = link.Close() })
		c.places[n] = &place{redis: link}
	}
	d.t.Cleanup(func() {
		c.busy.Wait()
		for _, p := range c.places {
			if p.instance != nil {
				p.instance.Kill()
			}
		}
	})
	return c
}

// startAll starts one worker in every place, and waits until they serve.
func (c *crew) startAll(ctx context.Context) {
	for n := range c.places {
		c.start(ctx, n)
	}
	c.busy.Wait()
}

// start starts a worker in a place that is empty. It does not wait.
func (c *crew) start(ctx context.Context, n int) {
	c.busy.Go(func() {
		p := c.places[n]
		p.turn.Lock()
		defer p.turn.Unlock()
		if p.instance == nil {
			c.launch(ctx, n, p)
		}
	})
}

// kill ends a worker as a crash does, and then ends its leases. It does not
// wait.
func (c *crew) kill(ctx context.Context, n int) {
	c.busy.Go(func() { c.d.inherit(ctx, c.end(c.places[n])) })
}

// deploy replaces the worker of a place. It does not wait.
func (c *crew) deploy(ctx context.Context, n int) {
	c.busy.Go(func() { c.replace(ctx, n) })
}

// replaceAll replaces all workers at once, and waits until the old ones are gone.
func (c *crew) replaceAll(ctx context.Context) {
	var replacing sync.WaitGroup
	for n := range c.places {
		replacing.Go(func() { c.replace(ctx, n) })
	}
	replacing.Wait()
}

// settle waits until every start and every end is over.
func (c *crew) settle() { c.busy.Wait() }

// launch starts the place's next process.
func (c *crew) launch(ctx context.Context, n int, p *place) {
	p.generation++
	present := c.d.setups.now()
	program, mark := c.program, ""
	if c.old != "" && (n+p.generation)%2 == 0 && !c.d.whole.Load() {
		program, mark = c.old, oldMark
		c.olds.Add(1)
	}
	p.name = fmt.Sprintf("worker-%d.%d%s%s%d", n+1, p.generation, mark, setupMark, present.number)
	log, err := os.Create(filepath.Join(c.logs, p.name+".log"))
	if err != nil {
		c.d.t.Error(err)
		return
	}
	lanes, err := present.env()
	if err != nil {
		c.d.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p.instance, err = fleet.Start(ctx, fleet.Program{
		Path: program, Args: []string{"serve"}, Log: log,
		Env: slices.Concat(c.env, lanes, c.d.budgets(), []string{
			"DATABASE_URL=" + c.d.record.url(p.name), "REDIS_URL=redis://" + p.redis.Addr() + "/0",
		}),
	})
	if err != nil {
		p.instance = nil
		c.d.t.Error(err)
		return
	}
	c.d.proxy.Add(p.instance)
}

// end kills the place's worker and returns its name, or an empty string if
// there is none.
func (c *crew) end(p *place) string {
	p.turn.Lock()
	defer p.turn.Unlock()
	if p.instance == nil {
		return ""
	}
	p.instance.Kill()
	c.d.proxy.Remove(p.instance)
	p.instance = nil
	c.kills.Add(1)
	return p.name
}

// replace starts the place's next worker and then asks the present one to end,
// as a deploy does. It ends the leases that the old worker leaves.
func (c *crew) replace(ctx context.Context, n int) {
	c.d.inherit(ctx, c.relieve(ctx, n, c.places[n]))
}

// relieve starts the place's next worker and ends the old one. It returns the
// old one's name, or an empty string if there was none.
func (c *crew) relieve(ctx context.Context, n int, p *place) string {
	p.turn.Lock()
	defer p.turn.Unlock()
	old, name := p.instance, p.name
	c.launch(ctx, n, p)
	if old == nil {
		return ""
	}
	c.d.proxy.Remove(old)
	c.deploys.Add(1)
	limited, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := old.Stop(limited); err != nil {
		c.late.Add(1)
		c.d.t.Logf("%s did not end in an orderly way: %v; it printed at last:\n%s", name, err, c.lastWords(name))
	}
	return name
}

// checkEnds fails if workers that were asked to end did not do so in order and in time,
// whatever was broken. The worker's nine seconds are by the clock. So on a busy machine,
// where short runs must pass, one in ten may be late.
func (c *crew) checkEnds(long bool) {
	c.d.t.Helper()
	allowed := max(1, c.deploys.Load()/10)
	if long {
		allowed = 0
	}
	if late := c.late.Load(); late > allowed {
		c.d.t.Errorf("%d of %d workers ended late; see above", late, c.deploys.Load())
	}
}

// lastWords returns the last lines of a worker's log.
func (c *crew) lastWords(name string) string {
	text, err := os.ReadFile(filepath.Join(c.logs, name+".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
