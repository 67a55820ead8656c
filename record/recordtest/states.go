package recordtest

import (
	"fmt"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var stateTests = []contractTest{
	{"allow the table's transitions and no other", statesTable},
	{"of a job follow from its images", statesOfJob},
}

// A held image is one in a state, with the claim that brought it there, if any
// did.
type held struct {
	claim record.Claim
	task  job.Task
}

// states has a function for each state, which brings an image into it.
var states = map[job.Status]func(f *fixture) held{
	job.StatusQueued: func(f *fixture) held {
		t := f.create(1)[0]
		return held{task: t, claim: record.Claim{Token: newID(), Job: f.get(t.JobID), Dispatch: 1}}
	},
	job.StatusProcessing: func(f *fixture) held {
		t := f.create(1)[0]
		return held{task: t, claim: f.claim(t, gone)}
	},
	job.StatusSucceeded: func(f *fixture) held {
		t := f.create(1)[0]
		f.claim(t, gone)
		c := f.claim(t, never)
		f.succeed(c)
		return held{task: t, claim: c}
	},
	job.StatusFailed: func(f *fixture) held {
		t := f.create(1)[0]
		f.claim(t, gone)
		c := f.claim(t, never)
		f.fail(c)
		return held{task: t, claim: c}
	},
	job.StatusCanceled: func(f *fixture) held {
		t := f.create(1)[0]
		c := f.claim(t, never)
		f.cancel(t.JobID)
		return held{task: t, claim: c}
	},
}

// events has a function for each event that the contract has a method for. Only
// the sweep fails or requeues an image without its claim.
var events = map[job.Event]func(f *fixture, h held) (job.Job, error){
	job.EventClaim: func(f *fixture, h held) (job.Job, error) {
		c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: h.task, Lease: never})
		return c.Job, err
	},
	job.EventSucceed: func(f *fixture, h held) (job.Job, error) { return f.record.Succeed(f.ctx, h.claim, stored) },
	job.EventFail:    func(f *fixture, h held) (job.Job, error) { return f.record.Fail(f.ctx, h.claim, blocked) },
	job.EventRequeue: func(f *fixture, h held) (job.Job, error) {
		j, _, err := f.record.Requeue(f.ctx, h.claim, record.Requeue{Lane: lane, After: never})
		return j, err
	},
	job.EventCancel: func(f *fixture, h held) (job.Job, error) { return f.record.Cancel(f.ctx, h.task.JobID) },
}

func statesTable(f *fixture) {
	for from, reach := range states {
		for event, cause := range events {
			h := reach(f)
			before := f.get(h.task.JobID)
			j, err := cause(f, h)
			what := fmt.Sprintf("%s on %s", from, event)

			next, illegal := from.Next(event)
			repeated := string(from) == map[job.Event]string{job.EventSucceed: "succeeded", job.EventFail: "failed"}[event]
			settled := event == job.EventCancel && from.Terminal()
			unclaimed := from == job.StatusQueued && event == job.EventFail
			switch {
			case repeated || settled:
				f.wantErr(err, nil)
				f.wantEqual(what+", to no effect", j, before)
			case illegal != nil || unclaimed:
				if err == nil {
					f.Errorf("%s was allowed", what)
				}
				f.wantEqual(what+", refused", f.get(before.ID), before)
			case err != nil:
				f.Errorf("%s was refused: %v", what, err)
			default:
				f.check(j)
				f.wantEqual(what, j.Images[0].Status, next)
				f.wantEqual(what+": the version", j.Version, before.Version+1)
			}
			f.cancel(h.task.JobID) // so that no claim takes it later
		}
	}
}

// statesOfJob makes jobs of three images in every combination of states. The
// images that have not started are the last ones, because claims go in order.
func statesOfJob(f *fixture) {
	moves := []func(t job.Task){
		func(t job.Task) { f.succeed(f.claim(t, never)) },
		func(t job.Task) { f.fail(f.claim(t, never)) },
		func(t job.Task) { f.requeue(f.claim(t, never), record.Requeue{Lane: lane, After: never}) },
		func(t job.Task) { f.claim(t, never) },
		func(job.Task) {},
	}
	for a := range moves {
		for b := a; b < len(moves); b++ {
			for c := b; c < len(moves); c++ {
				tasks := f.create(3)
				moves[a](tasks[0]) // each move checks the job it gets back
				moves[b](tasks[1])
				moves[c](tasks[2])
				f.check(f.get(tasks[0].JobID))
				f.cancel(tasks[0].JobID) // checks the job once more
			}
		}
	}
}
