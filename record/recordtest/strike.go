package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var strikeTests = []contractTest{
	{"count once others have found the lane open", strikeDisproved},
	{"count once before that, however many there are", strikeBroken},
	{"count at once after that", strikeAgain},
	{"do not count while another image has paused the lane too", strikePaused},
	{"are not disproved by an image that was claimed before", strikeOldAnswer},
	{"are disproved although the lane was paused again since", strikeLateAnswer},
	{"are disproved on any of their lanes", strikeLanes},
	{"are not disproved by what was proved before they reached a lane", strikeNewLane},
	{"count once a claim", strikeRepeated},
	{"leave the job as it is", strikeNoTransition},
	{"need a claim that holds", strikeLost},
	{"show in the next claim", strikeShown},
	{"let others probe the lane first", strikeProbe},
	{"keep an image away while another probes the lane", strikeProbed},
	{"let an image probe the lane if it is alone", strikeAlone},
	{"change no turn on a lane that is up", strikeTurns},
}

// wantStrikes lets the claim's image strike lanes, and checks how many of its
// strikes were disproved.
func (f *fixture) wantStrikes(c record.Claim, want int, lanes ...string) {
	f.Helper()
	got, err := f.record.Strike(f.ctx, c, lanes)
	if err != nil {
		f.Fatalf("Strike: %v", err)
	}
	f.wantEqual("the strikes that were disproved", got, want)
}

// back puts a claim's image back, claims it again, and returns that claim. Time
// passes before and after that, so that no two things happen at one time.
func (f *fixture) back(c record.Claim) record.Claim {
	f.Helper()
	_, next := f.requeue(c, record.Requeue{Lane: lane, After: never, GiveBack: true})
	f.tick()
	again := f.claim(next, never)
	f.tick()
	return again
}

// tick waits until the record's clock has moved on.
func (f *fixture) tick() {
	f.Helper()
	started := func() time.Time {
		t := f.submit(draftOf(other))[0]
		c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: other, Task: t, Lease: never})
		if err != nil {
			f.Fatalf("Claim: %v", err)
		}
		f.cancel(t.JobID)
		return c.Image().StartedAt
	}
	begun := started()
	for now := begun; !now.After(begun); {
		now = started()
	}
}

// draftOf returns a draft of a picture of a model, on a lane of its own.
func draftOf(model string) record.Draft {
	d := submission(1)
	d.Input.Model, d.Lanes = model, []string{"c"}
	return d
}

// prove claims another image, which has a good answer on a lane after a pause.
func (f *fixture) prove(lane string) {
	f.Helper()
	f.tick()
	f.answered(lane, f.claim(f.create(1)[0], never))
	f.tick()
}

// answered notes a good answer to the claim's request.
func (f *fixture) answered(lane string, c record.Claim) {
	f.Helper()
	f.wantErr(f.record.Resume(f.ctx, lane, c.Image().StartedAt), nil)
	f.succeed(c)
}

func strikeDisproved(f *fixture) {
	c := f.claim(f.create(1)[0], never)
	for n := range 4 {
		f.wantStrikes(c, n, lane)
		f.prove(lane)
		c = f.back(c)
	}
}

func strikeBroken(f *fixture) {
	c := f.claim(f.create(1)[0], never)
	for range 4 {
		f.wantStrikes(c, 0, lane)
		c = f.back(c)
	}
	f.prove(lane)
	f.wantStrikes(f.back(c), 1, lane)
}

// disproved returns a claim of an image of which others have disproved a strike.
func (f *fixture) disproved() record.Claim {
	f.Helper()
	c := f.claim(f.create(1)[0], never)
	f.wantStrikes(c, 0, lane)
	f.prove(lane)
	c = f.back(c)
	f.wantStrikes(c, 1, lane)
	return f.back(c)
}

func strikeAgain(f *fixture) {
	c := f.disproved()
	f.wantStrikes(c, 2, lane)
	f.wantStrikes(f.back(c), 3, lane)
}

func strikePaused(f *fixture) {
	c := f.disproved()
	f.pause(record.Pause{For: gone, Reason: busy}, lane) // on probation
	f.wantStrikes(c, 1, lane)
	f.prove(lane)
	c = f.back(c)
	f.wantStrikes(c, 2, lane)
	c = f.back(c)
	f.pause(record.Pause{For: never, Reason: busy}, lane)
	f.wantStrikes(c, 2, lane)
	f.wantStrikes(c, 3, spare) // which is up
}

func strikeOldAnswer(f *fixture) {
	tasks := f.create(2)
	before := f.claim(tasks[0], never)
	f.tick()
	c := f.claim(tasks[1], never)
	f.wantStrikes(c, 0, lane)
	f.answered(lane, before)
	f.wantStrikes(f.back(c), 0, lane)
}

func strikeLateAnswer(f *fixture) {
	tasks := f.create(2)
	c := f.claim(tasks[0], never)
	f.wantStrikes(c, 0, lane)
	f.tick()
	other := f.claim(tasks[1], never)
	f.pause(record.Pause{For: never, Reason: busy}, lane)
	f.wantErr(f.record.Resume(f.ctx, lane, other.Image().StartedAt), record.ErrLanePaused)
	_, next := f.requeue(c, record.Requeue{Lane: spare, After: never})
	f.tick()
	f.wantStrikes(f.claim(next, never), 1, lane)
}

func strikeLanes(f *fixture) {
	for _, proved := range []string{lane, spare} {
		c := f.claim(f.create(1)[0], never)
		f.wantStrikes(c, 0, spare, lane)
		f.pause(record.Pause{For: gone, Reason: busy}, proved) // so that the record knows the lane
		f.prove(proved)
		f.wantStrikes(f.back(c), 1, lane)
	}
}

func strikeNewLane(f *fixture) {
	f.pause(record.Pause{For: gone, Reason: busy}, spare)
	c := f.claim(f.create(1)[0], never)
	f.wantStrikes(c, 0, lane)
	f.prove(spare)
	c = f.back(c)
	f.wantStrikes(c, 0, spare)
	c = f.back(c)
	f.wantStrikes(c, 0, spare)
	f.prove(lane)
	f.wantStrikes(f.back(c), 1, spare)
}

func strikeRepeated(f *fixture) {
	c := f.claim(f.create(1)[0], never)
	f.wantStrikes(c, 0, lane)
	f.prove(lane)
	f.wantStrikes(c, 0, lane) // otherwise its own strike would be disproved
	c = f.back(c)
	f.wantStrikes(c, 1, lane)
	f.wantStrikes(c, 1, lane)
}

func strikeNoTransition(f *fixture) {
	c := f.claim(f.create(1)[0], never)
	f.wantStrikes(c, 0, lane)
	f.wantEqual("the job", f.get(c.Job.ID), c.Job)
}

func strikeLost(f *fixture) {
	tasks := f.create(3)
	stale := f.claim(tasks[0], gone)
	f.claim(tasks[0], never)
	succeeded := f.claim(tasks[1], never)
	f.succeed(succeeded)
	requeued := f.claim(tasks[2], never)
	f.requeue(requeued, record.Requeue{Lane: lane, After: never})
	for _, c := range []record.Claim{stale, succeeded, requeued, {}} {
		_, err := f.record.Strike(f.ctx, c, []string{lane})
		f.wantErr(err, record.ErrClaimLost)
	}
}

func strikeShown(f *fixture) {
	c := f.claim(f.create(1)[0], never)
	f.wantEqual("whether it struck and is on probation", []bool{c.Struck, c.Probation}, []bool{false, false})
	f.wantStrikes(c, 0, lane)
	c = f.back(c)
	f.wantEqual("whether it struck and is on probation", []bool{c.Struck, c.Probation}, []bool{true, false})
	f.pause(record.Pause{For: gone, Reason: busy}, lane)
	c = f.back(c)
	f.wantEqual("whether it struck and is on probation", []bool{c.Struck, c.Probation}, []bool{true, true})
	f.resume(lane)
	c = f.back(c)
	f.wantEqual("whether it struck and is on probation", []bool{c.Struck, c.Probation}, []bool{true, false})
}

// struck returns the task of an image that has struck, and that comes before all
// images which are recorded later.
func (f *fixture) struck(wait time.Duration) job.Task {
	f.Helper()
	c := f.claim(f.create(1)[0], never)
	f.wantStrikes(c, 0, lane)
	_, next := f.requeue(c, record.Requeue{Lane: lane, After: wait})
	f.pause(record.Pause{For: gone, Reason: busy}, lane)
	return next
}

func strikeProbe(f *fixture) {
	for _, wait := range []time.Duration{gone, never} {
		bad := f.struck(wait)
		tasks := f.create(2)
		f.wantImage(f.claim(bad, never), tasks[0])
		f.wantImage(f.claim(tasks[1], never), tasks[1])
		f.noClaim(stranger(), record.ErrNothingDue)
		f.cancel(tasks[0].JobID)
		f.wantImage(f.claim(tasks[0], never), bad) // which has that task by now
		f.resume(lane)
	}
}

func strikeProbed(f *fixture) {
	bad := f.struck(never)
	probe := f.claim(f.create(1)[0], never)
	f.noClaim(bad, record.ErrHeld)
	f.wantEqual("the lane of the claim that holds", probe.Probation, true)
	f.requeue(probe, record.Requeue{Lane: spare, After: never})
	f.wantImage(f.claim(bad, never), bad)
}

func strikeAlone(f *fixture) {
	bad := f.struck(never)
	f.wantImage(f.claim(bad, never), bad)
}

func strikeTurns(f *fixture) {
	f.struck(gone)
	f.resume(lane)
	tasks := f.create(1)
	if c := f.claim(tasks[0], never); !c.Struck {
		f.Error("the first recorded image does not come first")
	}
}
