package recordtest

import (
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var laneTests = []contractTest{
	{"are known once given a task or paused", lanesKnown},
	{"count the images that wait on them", lanesWaiting},
	{"refuse claims while paused", lanesPaused},
	{"are refused before anything else is looked at", lanesPausedFirst},
	{"let work that has begun go on", lanesPausedWork},
	{"may be used again when the pause is over", lanesProbation},
	{"are up again after Resume", lanesResume},
	{"stay paused whatever an image says that was claimed before", lanesOldAnswer},
	{"are paused together", lanesTogether},
	{"keep the longer pause and the graver reason", lanesReasons},
	{"stay paused since the first pause", lanesSince},
}

var (
	busy = job.Error{Code: job.CodeQuotaExhausted, Message: "The quota is used up."}
	dead = job.Error{Code: job.CodeLaneUnavailable, Message: "The key was revoked."}
)

func (f *fixture) lanes() map[string]record.LaneState {
	f.Helper()
	states, err := f.record.LaneStates(f.ctx)
	if err != nil {
		f.Fatalf("LaneStates: %v", err)
	}
	lanes := map[string]record.LaneState{}
	last := ""
	for _, l := range states {
		if l.Name <= last {
			f.Errorf("lane %q comes after %q", l.Name, last)
		}
		last = l.Name
		lanes[l.Name] = l
	}
	return lanes
}

// wantWaiting checks how many images wait on every lane there is.
func (f *fixture) wantWaiting(want map[string]int) {
	f.Helper()
	got := map[string]int{}
	for name, l := range f.lanes() {
		got[name] = l.Waiting
	}
	f.wantEqual("the images waiting on each lane", got, want)
}

func (f *fixture) pause(p record.Pause, lanes ...string) {
	f.Helper()
	if err := f.record.Pause(f.ctx, lanes, p); err != nil {
		f.Fatalf("Pause: %v", err)
	}
}

// resume ends a lane's pause, for an image that was claimed when it was over.
func (f *fixture) resume(lane string) {
	f.Helper()
	if err := f.record.Resume(f.ctx, lane, f.lanes()[lane].Until); err != nil {
		f.Fatalf("Resume: %v", err)
	}
}

func lanesKnown(f *fixture) {
	f.wantWaiting(map[string]int{})
	f.resume("nowhere")
	f.pause(record.Pause{For: never, Reason: busy})
	f.noClaim(job.Task{JobID: newID(), Dispatch: 1, Lane: "unheard of"}, record.ErrNothingDue)
	f.wantWaiting(map[string]int{})

	f.pause(record.Pause{For: never, Reason: busy}, "paused")
	f.wantWaiting(map[string]int{"paused": 0})
	tasks := f.create(2)
	f.wantWaiting(map[string]int{"paused": 0, lane: 2})
	f.cancel(tasks[0].JobID)
	f.resume("paused")
	f.wantWaiting(map[string]int{"paused": 0, lane: 0})
	f.wantEqual("a lane that is up", f.lanes()[lane], record.LaneState{Name: lane})
}

func lanesWaiting(f *fixture) {
	s := submission(4)
	s.Lanes = []string{lane, lane, spare, spare}
	tasks := f.submit(s)
	f.wantWaiting(map[string]int{lane: 2, spare: 2})

	// Image 0 takes the task of image 2. Image 2 gets one on the other lane.
	c := f.claim(tasks[2], never)
	f.wantWaiting(map[string]int{lane: 2, spare: 1})
	f.postpone(tasks[1], "c")
	f.wantWaiting(map[string]int{lane: 1, spare: 1, "c": 1})
	_, next := f.requeue(c, record.Requeue{Lane: "c", After: never})
	f.wantWaiting(map[string]int{lane: 1, spare: 1, "c": 2})
	f.claim(next, gone)
	f.wantWaiting(map[string]int{lane: 1, spare: 1, "c": 1})
	_, reaped, err := f.record.Reap(f.ctx, 0, 10)
	f.wantErr(err, nil)
	f.wantEqual("the lane of the image put back", reaped[0].Lane, "c")
	f.wantWaiting(map[string]int{lane: 1, spare: 1, "c": 2})
	f.cancel(s.ID)
	f.wantWaiting(map[string]int{lane: 0, spare: 0, "c": 0})
	f.wantErr(f.record.Delete(f.ctx, s.ID), nil)
	f.wantWaiting(map[string]int{lane: 0, spare: 0, "c": 0})
}

func lanesPaused(f *fixture) {
	s := submission(2)
	s.Lanes = []string{lane, spare}
	tasks := f.submit(s)
	before := f.get(s.ID)
	f.pause(record.Pause{For: never, Broken: true, Reason: dead}, lane)

	_, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: tasks[0], Lease: never})
	f.wantErr(err, record.ErrLanePaused)
	var paused *record.PausedError
	if !errors.As(err, &paused) {
		f.Fatalf("%v is no PausedError", err)
	}
	state := f.lanes()[lane]
	f.wantEqual("the lane's name", paused.Lane.Name, lane)
	f.wantEqual("the lane's reason", paused.Lane.Reason, &dead)
	f.wantEqual("that it is broken", paused.Lane.Broken, true)
	f.wantEqual("until when", paused.Lane.Until, state.Until)
	f.wantEqual("since when", paused.Lane.Since, state.Since)
	if paused.For <= never-time.Minute || paused.For > never {
		f.Errorf("paused for another %v, want about %v", paused.For, never)
	}
	if lasts := state.Until.Sub(state.Since); lasts != never {
		f.Errorf("the pause lasts %v, want %v", lasts, never)
	}
	if state.Until.Location() != time.UTC || state.Since.Location() != time.UTC {
		f.Errorf("paused from %v until %v, want UTC", state.Since, state.Until)
	}
	f.wantEqual("the job", f.get(s.ID), before)

	f.wantImage(f.claim(tasks[1], never), tasks[0])
	f.noClaim(tasks[0], record.ErrLanePaused)
	f.wantImage(f.claim(f.postpone(tasks[0], spare), never), tasks[1])
}

func lanesPausedFirst(f *fixture) {
	tasks := f.create(2)
	f.succeed(f.claim(tasks[0], never))
	f.claim(tasks[1], never)
	f.pause(record.Pause{For: never, Reason: busy}, lane)
	for _, t := range append(tasks, stranger()) {
		f.noClaim(t, record.ErrLanePaused)
	}
}

func lanesPausedWork(f *fixture) {
	tasks := f.create(3)
	done, failed, back := f.claim(tasks[0], never), f.claim(tasks[1], never), f.claim(tasks[2], never)
	f.pause(record.Pause{For: never, Reason: busy}, lane)
	f.wantErr(f.record.Renew(f.ctx, done, never), nil)
	f.succeed(done)
	f.fail(failed)
	_, next := f.requeue(back, record.Requeue{Lane: lane})
	f.noClaim(next, record.ErrLanePaused)
	f.create(1)
}

func lanesProbation(f *fixture) {
	tasks := f.create(1)
	f.pause(record.Pause{For: gone, Broken: true, Reason: dead}, lane)
	f.claim(tasks[0], never)
	got := f.lanes()[lane]
	f.wantEqual("the lane", got, record.LaneState{
		Name: lane, Until: got.Until, Broken: true, Reason: &dead, Since: got.Until,
	})
	if got.Until.IsZero() {
		f.Error("the lane is not on probation")
	}
}

func lanesResume(f *fixture) {
	tasks := f.create(1)
	f.pause(record.Pause{For: never, Broken: true, Reason: dead}, lane, spare)
	f.resume(lane)
	f.resume(lane)
	f.wantEqual("the lane", f.lanes()[lane], record.LaneState{Name: lane, Waiting: 1})
	f.wantEqual("the other's reason", f.lanes()[spare].Reason, &dead)
	f.claim(tasks[0], never)
}

func lanesOldAnswer(f *fixture) {
	tasks := f.create(3)
	for name, before := range map[string]func(){
		"a lane that was up":           func() {},
		"a lane that was on probation": func() { f.pause(record.Pause{For: gone, Broken: true, Reason: dead}, lane) },
	} {
		before()
		c := f.claim(tasks[0], never)
		f.pause(record.Pause{For: never, Reason: busy}, lane)
		paused := f.lanes()[lane]
		f.wantErr(f.record.Resume(f.ctx, lane, c.Image().StartedAt), record.ErrLanePaused)
		f.wantEqual(name, f.lanes()[lane], paused)
		f.noClaim(tasks[1], record.ErrLanePaused)
		f.resume(lane)
		tasks = tasks[1:]
	}

	// One that was claimed after the pause says that it is over.
	f.pause(record.Pause{For: gone, Broken: true, Reason: dead}, lane)
	c := f.claim(tasks[0], never)
	f.wantErr(f.record.Resume(f.ctx, lane, c.Image().StartedAt), nil)
	f.wantEqual("the lane", f.lanes()[lane], record.LaneState{Name: lane})
}

func lanesTogether(f *fixture) {
	s := submission(3)
	s.Lanes = []string{lane, spare, "c"}
	tasks := f.submit(s)
	f.pause(record.Pause{For: never, Reason: busy}, lane, spare)
	f.noClaim(tasks[0], record.ErrLanePaused)
	f.noClaim(tasks[1], record.ErrLanePaused)
	f.claim(tasks[2], never)
}

func lanesReasons(f *fixture) {
	const short, long = never / 2, never
	worse := job.Error{Code: job.CodeLaneUnavailable, Message: "The project is gone."}
	full := job.Error{Code: job.CodeQuotaExhausted, Message: "The day's quota is used up."}
	for name, tt := range map[string]struct {
		first, second record.Pause
		reason        job.Error
		broken        bool
		lasts         time.Duration
	}{
		"a longer one":                  {record.Pause{For: short, Reason: busy}, record.Pause{For: long, Reason: full}, full, false, long},
		"a shorter one":                 {record.Pause{For: long, Reason: busy}, record.Pause{For: short, Reason: full}, busy, false, long},
		"a shorter broken one":          {record.Pause{For: long, Reason: busy}, record.Pause{For: short, Broken: true, Reason: dead}, busy, false, long},
		"a longer broken one":           {record.Pause{For: short, Reason: busy}, record.Pause{For: long, Broken: true, Reason: dead}, dead, true, long},
		"broken, a longer one":          {record.Pause{For: short, Broken: true, Reason: dead}, record.Pause{For: long, Reason: busy}, dead, true, long},
		"broken, a shorter one":         {record.Pause{For: long, Broken: true, Reason: dead}, record.Pause{For: short, Reason: busy}, dead, true, long},
		"broken, a longer broken one":   {record.Pause{For: short, Broken: true, Reason: dead}, record.Pause{For: long, Broken: true, Reason: worse}, worse, true, long},
		"broken, on probation":          {record.Pause{For: gone, Broken: true, Reason: dead}, record.Pause{For: long, Reason: busy}, dead, true, long},
		"on probation":                  {record.Pause{For: gone, Reason: busy}, record.Pause{For: long, Reason: full}, full, false, long},
		"on probation, then broken too": {record.Pause{For: gone, Reason: busy}, record.Pause{For: long, Broken: true, Reason: dead}, dead, true, long},
	} {
		f.pause(tt.first, name)
		f.pause(tt.second, name)
		got := f.lanes()[name]
		f.wantEqual(name+": the reason", got.Reason, &tt.reason)
		f.wantEqual(name+": broken", got.Broken, tt.broken)
		if lasts := got.Until.Sub(got.Since); lasts < tt.lasts || lasts > tt.lasts+never/4 {
			f.Errorf("%s: it lasts %v, want %v", name, lasts, tt.lasts)
		}
	}
}

func lanesSince(f *fixture) {
	f.pause(record.Pause{For: gone, Reason: busy}, lane)
	first := f.lanes()[lane].Since
	f.pause(record.Pause{For: never, Reason: busy}, lane)
	f.wantEqual("since when", f.lanes()[lane].Since, first)
	f.pause(record.Pause{For: 2 * never, Broken: true, Reason: dead}, lane)
	f.wantEqual("since when", f.lanes()[lane].Since, first)
	f.resume(lane)
	f.pause(record.Pause{For: never, Reason: busy}, lane)
	if again := f.lanes()[lane].Since; again.Before(first) {
		f.Errorf("paused since %v after a pause since %v was over", again, first)
	}
	f.wantEqual("the reason", f.lanes()[lane].Reason, &busy)
}
