package recordtest

import (
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var webhookTests = []contractTest{
	{"are recorded of the events that happen", webhookEvents},
	{"are recorded of the events that are asked for", webhookWanted},
	{"are recorded of a job that is canceled", webhookCanceled},
	{"are recorded of a job that expires", webhookExpired},
	{"are recorded once", webhookOnce},
	{"say how the event left the job", webhookVersion},
	{"are pending until they are on the queue", webhookPending},
	{"come with their job as it is", webhookJob},
	{"note a try that failed", webhookTry},
	{"note a try that was the last", webhookLast},
	{"note each try once", webhookNoted},
	{"keep the latest tries", webhookLog},
	{"are gone together", webhookGone},
	{"are replayed", webhookReplay},
	{"wait once", webhookReplayed},
	{"are found when they were not sent", webhookUnsent},
	{"are found when their time is long past", webhookOverdue},
	{"count as untold until they are on the queue", webhookUntold},
	{"go with their job", webhookDeleted},
}

// hooked records a job of count pictures whose receiver is told of events.
func (f *fixture) hooked(count int, events ...job.WebhookEvent) []job.Task {
	f.Helper()
	s := submission(count)
	s.Input.Webhook = &job.Receiver{URL: "https://example.com/hooks", Events: events}
	return f.submit(s)
}

// ended returns a webhook of a job that has ended.
func (f *fixture) ended() job.Webhook {
	f.Helper()
	return f.webhooks(f.cancel(f.hooked(1, job.WebhookEvents()...)[0].JobID).ID)[0]
}

func (f *fixture) webhooks(jobID string) []job.Webhook {
	f.Helper()
	hooks, err := f.record.Webhooks(f.ctx, jobID)
	if err != nil {
		f.Fatalf("Webhooks: %v", err)
	}
	return hooks
}

func (f *fixture) webhook(w job.Webhook) job.Webhook {
	f.Helper()
	got, _, found, err := f.record.Webhook(f.ctx, w.JobID, w.ID)
	if err != nil || !found {
		f.Fatalf("Webhook: found %t, %v", found, err)
	}
	return got
}

// byVersion returns webhooks in the order in which they happened, also those of one
// moment.
func byVersion(hooks []job.Webhook) []job.Webhook {
	return slices.SortedStableFunc(slices.Values(hooks), func(v, w job.Webhook) int { return int(v.Version - w.Version) })
}

// told returns the events of webhooks in the order in which they happened.
func told(hooks []job.Webhook) (names []string) {
	for _, w := range byVersion(hooks) {
		names = append(names, string(w.Event))
	}
	return names
}

func webhookEvents(f *fixture) {
	tasks := f.hooked(3, job.WebhookEvents()...)
	id := tasks[0].JobID
	f.wantEqual("of a queued job", told(f.webhooks(id)), []string(nil))
	c := f.claim(tasks[0], never)
	f.wantEqual("of a job that started", told(f.webhooks(id)), []string{"job.started"})
	f.requeue(c, record.Requeue{Lane: lane})
	f.succeed(f.claim(tasks[1], never))
	f.fail(f.claim(tasks[2], never))
	f.wantEqual("of a job that goes on", len(f.webhooks(id)), 3)
	j := f.succeed(f.claim(c.NextTask(lane), never))
	f.wantEqual("of a job that ended", told(f.webhooks(id)), []string{
		"job.started", "image.succeeded", "image.failed", "image.succeeded", "job.partial",
	})
	for _, w := range f.webhooks(id) {
		want := job.Webhook{
			ID: job.WebhookID(id, w.Event, w.Index), JobID: id, Event: w.Event, Index: w.Index, At: w.At, NextAt: w.At,
			Version: w.Version, Status: w.Status, State: job.WebhookWaiting,
		}
		f.wantEqual("a webhook", w, want)
		if w.Event.OfImage() {
			f.wantEqual("when it happened", w.At, j.Images[w.Index].CompletedAt)
			f.wantEqual("what happened", string(w.Event), "image."+string(j.Images[w.Index].Status))
		}
		if w.Event.Ends() {
			f.wantEqual("when it ended", w.At, j.CompletedAt)
			f.wantEqual("how it ended", string(w.Event), "job."+string(j.Status))
		}
	}
}

func webhookWanted(f *fixture) {
	for want, end := range map[job.WebhookEvent]func(job.Task){
		job.WebhookJobSucceeded: func(t job.Task) { f.succeed(f.claim(t, never)) },
		job.WebhookJobFailed:    func(t job.Task) { f.fail(f.claim(t, never)) },
		job.WebhookJobCanceled:  func(t job.Task) { f.cancel(t.JobID) },
		job.WebhookImageFailed:  func(t job.Task) { f.fail(f.claim(t, never)) },
		job.WebhookJobStarted:   func(t job.Task) { f.succeed(f.claim(t, never)) },
	} {
		t := f.hooked(1, want)[0]
		end(t)
		f.wantEqual("the webhooks", told(f.webhooks(t.JobID)), []string{string(want)})
	}
	t := f.create(1)[0]
	f.succeed(f.claim(t, never))
	f.wantEqual("the webhooks of a job without a receiver", told(f.webhooks(t.JobID)), []string(nil))
	f.wantEqual("the webhooks of no job", told(f.webhooks(newID())), []string(nil))
}

func webhookCanceled(f *fixture) {
	tasks := f.hooked(3, job.WebhookEvents()...)
	f.succeed(f.claim(tasks[0], never))
	f.cancel(tasks[0].JobID)
	got := told(f.webhooks(tasks[0].JobID))
	f.wantEqual("the latest", got[len(got)-1], "job.partial")
	f.wantEqual("their number", len(got), 3)
}

func webhookExpired(f *fixture) {
	for _, expire := range []func(id string){func(string) { f.expire(plenty) }, f.expireJob} {
		s := overdue(2)
		s.Input.Webhook = &job.Receiver{URL: "https://example.com/hooks", Events: job.WebhookEvents()}
		id := f.submit(s)[0].JobID
		expire(id)
		f.wantEqual("the webhooks", told(f.webhooks(id)), []string{"image.failed", "image.failed", "job.failed"})
	}
}

func webhookOnce(f *fixture) {
	t := f.hooked(1, job.WebhookEvents()...)[0]
	c := f.claim(t, gone)
	f.requeue(c, record.Requeue{Lane: lane, GiveBack: true})
	c = f.claim(c.NextTask(lane), never)
	f.succeed(c)
	f.succeed(c)
	f.cancel(t.JobID)
	f.wantEqual("the webhooks", told(f.webhooks(t.JobID)), []string{"job.started", "image.succeeded", "job.succeeded"})
}

func webhookVersion(f *fixture) {
	tasks := f.hooked(2, job.WebhookEvents()...)
	f.succeed(f.claim(tasks[0], never))
	f.cancel(tasks[0].JobID)
	type left struct {
		Event   job.WebhookEvent
		Version int64
		Status  job.Status
	}
	var got []left
	for _, w := range byVersion(f.webhooks(tasks[0].JobID)) {
		got = append(got, left{w.Event, w.Version, w.Status})
	}
	f.wantEqual("what they say", got, []left{
		{job.WebhookJobStarted, 2, job.StatusProcessing}, {job.WebhookImageSucceeded, 3, job.StatusProcessing},
		{job.WebhookJobPartial, 4, job.StatusPartial},
	})
}

func webhookJob(f *fixture) {
	w := f.ended()
	got, j, found, err := f.record.Webhook(f.ctx, w.JobID, w.ID)
	if err != nil || !found {
		f.Fatalf("found %t, %v", found, err)
	}
	f.wantEqual("the webhook", got, w)
	f.wantEqual("its job", j, f.get(w.JobID))
	for _, name := range [][2]string{{newID(), w.ID}, {w.JobID, "msg_1"}, {"nonsense", w.ID}, {f.ended().JobID, w.ID}} {
		if _, _, found, err := f.record.Webhook(f.ctx, name[0], name[1]); found || err != nil {
			f.Errorf("webhook %v: found %t, %v", name, found, err)
		}
	}
}

func webhookDeleted(f *fixture) {
	w := f.ended()
	if err := f.record.Delete(f.ctx, w.JobID); err != nil {
		f.Fatal(err)
	}
	if hooks := f.webhooks(w.JobID); len(hooks) > 0 || !cmp.Equal(f.pending(w.JobID), []string(nil)) {
		f.Errorf("there are %+v", hooks)
	}
	if due := f.unsentWebhooks(0, plenty); len(due) > 0 {
		f.Errorf("due are %+v", due)
	}
}
