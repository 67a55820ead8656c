package recordtest

import (
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var byHandTests = []contractTest{
	{"cancels a job and writes that down, once", cancelsByHand},
	{"deletes a job that has ended, and writes down whose it was", deletesByHand},
	{"replays a webhook and writes that down, once", replaysByHand},
	{"writes down a job that is made of another one, if it is", createsByHand},
	{"writes down once what many do at the same time", actsAtOnce},
}

var inspectTests = []contractTest{
	{"tells where the images of a job are", inspectPlaces},
	{"tells all that is known of a job", inspectAll},
	{"finds no job that is not there", inspectUnknown},
}

// acts returns what was done by hand, the first thing first.
func (f *fixture) acts() (all []record.AuditEntry) {
	f.Helper()
	for _, e := range f.audit(record.AuditQuery{Limit: plenty}).Entries {
		all = append([]record.AuditEntry{e}, all...)
	}
	return all
}

// wantActs checks what was done by hand, apart from when.
func (f *fixture) wantActs(want ...record.AuditEntry) {
	f.Helper()
	got := f.acts()
	for i := range got {
		got[i].ID, got[i].At = 0, time.Time{}
	}
	f.wantEqual("the audit", got, want)
}

func cancelsByHand(f *fixture) {
	tasks := f.create(3)
	id := tasks[0].JobID
	f.succeed(f.claim(tasks[0], never))
	live := f.claim(tasks[1], never)
	a := f.act(record.ActionCancelJob)
	j, err := f.record.CancelByHand(f.ctx, id, a)
	f.wantErr(err, nil)
	f.check(j)
	f.wantEqual("the images", j.Progress(), job.Progress{Total: 3, Succeeded: 1, Canceled: 2})
	f.wantEqual("the job", f.get(id), j)
	f.refused(live)
	_, err = f.record.CancelByHand(f.ctx, id, a)
	f.wantErr(err, record.ErrEnded)
	for _, other := range []string{newID(), "", "no-such-id"} {
		_, err := f.record.CancelByHand(f.ctx, other, a)
		f.wantErr(err, record.ErrNotFound)
	}
	f.wantActs(record.AuditEntry{Act: a, Target: id, Detail: map[string]string{"pictures": "2"}})
}

func deletesByHand(f *fixture) {
	id := f.create(1)[0].JobID
	a := f.act(record.ActionDeleteJob)
	f.wantErr(f.record.DeleteByHand(f.ctx, id, a), record.ErrNotEnded)
	f.cancel(id)
	f.wantErr(f.record.DeleteByHand(f.ctx, id, a), nil)
	_, err := f.record.Get(f.ctx, id)
	f.wantErr(err, record.ErrNotFound)
	for _, other := range []string{id, newID(), "", "no-such-id"} {
		f.wantErr(f.record.DeleteByHand(f.ctx, other, a), record.ErrNotFound)
	}
	f.wantActs(record.AuditEntry{Act: a, Target: id, Detail: map[string]string{"tenant": tenant, "status": "canceled"}})
}

func replaysByHand(f *fixture) {
	w := f.ended()
	a := f.act(record.ActionReplayWebhook)
	_, err := f.record.ReplayWebhookByHand(f.ctx, w.JobID, w.ID, a)
	f.wantErr(err, record.ErrWaiting)
	_, noted, err := f.record.NoteWebhook(f.ctx, job.WebhookNote{
		JobID: w.JobID, WebhookID: w.ID, Try: job.WebhookTry{Number: 1}, State: job.WebhookFailed,
	})
	if err != nil || !noted {
		f.Fatalf("noted: %t, %v", noted, err)
	}
	got, err := f.record.ReplayWebhookByHand(f.ctx, w.JobID, w.ID, a)
	f.wantErr(err, nil)
	f.wantEqual("the webhook", got, f.webhook(w))
	f.wantEqual("its state", got.State, job.WebhookWaiting)
	_, err = f.record.ReplayWebhookByHand(f.ctx, w.JobID, w.ID, a)
	f.wantErr(err, record.ErrWaiting)
	for jobID, id := range map[string]string{w.JobID: "msg_none", newID(): w.ID, "no-such-id": w.ID} {
		_, err := f.record.ReplayWebhookByHand(f.ctx, jobID, id, a)
		f.wantErr(err, record.ErrNotFound)
	}
	f.wantActs(record.AuditEntry{Act: a, Target: w.JobID, Detail: map[string]string{"webhook": w.ID}})
}

func createsByHand(f *fixture) {
	first := f.create(1)[0].JobID
	f.cancel(first)
	by := &record.ByHand{Act: f.act(record.ActionRetryJob), Of: first}
	retry, again := retryOf(first), retryOf(first)
	retry.ByHand, again.ByHand = by, by
	f.submit(retry)
	f.submit(again) // is the retry that has not ended
	full := submission(2)
	full.MaxWaiting, full.ByHand = 2, by
	_, _, err := f.record.Create(f.ctx, full)
	f.wantErr(err, record.ErrTooManyWaiting)
	f.wantActs(record.AuditEntry{Act: by.Act, Target: first, Detail: map[string]string{"as": retry.ID, "pictures": "1"}})
}

func actsAtOnce(f *fixture) {
	canceled, deleted := f.create(2)[0].JobID, f.cancel(f.create(1)[0].JobID).ID
	var wg sync.WaitGroup
	for range deliverers {
		wg.Go(func() { _, _ = f.record.CancelByHand(f.ctx, canceled, f.act(record.ActionCancelJob)) })
		wg.Go(func() { _ = f.record.DeleteByHand(f.ctx, deleted, f.act(record.ActionDeleteJob)) })
	}
	wg.Wait()
	did := make(map[string]int)
	for _, e := range f.acts() {
		did[e.Act.Action]++
	}
	f.wantEqual("what was done", did, map[string]int{record.ActionCancelJob: 1, record.ActionDeleteJob: 1})
}

// inspection returns what there is to know of a job.
func (f *fixture) inspection(id string) record.Inspection {
	f.Helper()
	in, err := f.record.Inspect(f.ctx, id)
	f.wantErr(err, nil)
	return in
}

func inspectPlaces(f *fixture) {
	s := submission(4)
	s.Lanes = []string{lane, spare, lane, ""}
	tasks := f.submit(s)
	f.wantErr(f.record.Enqueued(f.ctx, tasks[1]), nil)
	live := f.claim(tasks[0], never)
	f.succeed(f.claim(tasks[2], never))
	in := f.inspection(s.ID)
	ends := in.Places[live.Index].LeaseEnds
	if d := ends.Sub(in.At); d <= never-time.Minute || d > never || in.At.Location() != time.UTC {
		f.Errorf("the lease ends at %v, and now is %v", ends, in.At)
	}
	places := map[job.Status][]record.ImagePlace{}
	for i, p := range in.Places {
		places[in.Job.Images[i].Status] = append(places[in.Job.Images[i].Status], p)
	}
	f.wantEqual("what is worked on", places[job.StatusProcessing], []record.ImagePlace{{Model: model, Lane: lane, LeaseEnds: ends}})
	f.wantEqual("what is drawn", places[job.StatusSucceeded], []record.ImagePlace{{Model: model, Lane: lane}})
	f.wantEqual("what is parked", in.Places[3], record.ImagePlace{Model: model})
	f.wantEqual("what waits", len(places[job.StatusQueued]), 2)
	f.wantEqual("whether it is on its queue", in.Places[1].Unsent, false)
	other := f.create(1)[0].JobID
	f.wantEqual("what is not known to be on a queue", f.inspection(other).Places, []record.ImagePlace{{Model: model, Lane: lane, Unsent: true}})
}

func inspectAll(f *fixture) {
	s, tasks := f.createKeyed(2)
	f.fail(f.claim(tasks[0], never))
	got, err := f.record.Get(f.ctx, s.ID)
	f.wantErr(err, nil)
	in := f.inspection(s.ID)
	f.wantEqual("the job", in.Job, got)
	f.wantEqual("whether it has a key", in.Keyed, true)
	attempts, err := f.record.Attempts(f.ctx, s.ID)
	f.wantErr(err, nil)
	f.wantEqual("the attempts", in.Attempts, attempts)
	f.wantEqual("how many there are", len(in.Attempts), 1)

	w := f.ended()
	for range record.MaxActs {
		f.wantErr(f.record.PauseByHand(f.ctx, w.JobID, f.act(record.ActionPauseLane)), nil)
		f.wantErr(f.record.ResumeByHand(f.ctx, w.JobID, f.act(record.ActionResumeLane)), nil)
	}
	in = f.inspection(w.JobID)
	f.wantEqual("whether the other has a key", in.Keyed, false)
	f.wantEqual("the webhooks", in.Webhooks, f.webhooks(w.JobID))
	f.wantEqual("what was done", in.Acts, f.audit(record.AuditQuery{Target: w.JobID, Limit: record.MaxActs}).Entries)
}

func inspectUnknown(f *fixture) {
	f.create(1)
	for _, id := range []string{newID(), "", "no-such-id", "\x00"} {
		_, err := f.record.Inspect(f.ctx, id)
		f.wantErr(err, record.ErrNotFound)
	}
}
