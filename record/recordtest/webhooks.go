package recordtest

import (
	"slices"
	"time"

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

func (f *fixture) pending(jobIDs ...string) (ids []string) {
	f.Helper()
	due, err := f.record.PendingWebhooks(f.ctx, jobIDs...)
	if err != nil {
		f.Fatalf("PendingWebhooks: %v", err)
	}
	return taskNames(due)
}

func (f *fixture) unsentWebhooks(age time.Duration, limit int) []record.WebhookDue {
	f.Helper()
	due, err := f.record.UnsentWebhooks(f.ctx, age, limit)
	if err != nil {
		f.Fatalf("UnsentWebhooks: %v", err)
	}
	return due
}

func taskNames(due []record.WebhookDue) (ids []string) {
	for _, d := range due {
		ids = append(ids, d.Task.ID())
	}
	return ids
}

func (f *fixture) webhookSent(w job.Webhook) {
	f.Helper()
	if err := f.record.WebhooksEnqueued(f.ctx, w.Task()); err != nil {
		f.Fatalf("WebhooksEnqueued: %v", err)
	}
}

// note notes the next try of a webhook, and returns the webhook then.
func (f *fixture) note(w job.Webhook, to job.WebhookState, after time.Duration) job.Webhook {
	f.Helper()
	nextAt, noted, err := f.record.NoteWebhook(f.ctx, noteOf(w, to, after))
	if err != nil || !noted {
		f.Fatalf("NoteWebhook: noted %t, %v", noted, err)
	}
	got := f.webhook(w)
	f.wantEqual("the time of the next try", got.NextAt, nextAt)
	return got
}

func noteOf(w job.Webhook, to job.WebhookState, after time.Duration) job.WebhookNote {
	return job.WebhookNote{JobID: w.JobID, WebhookID: w.ID, State: to, After: after, Try: job.WebhookTry{
		Number: w.Tries + 1, StartedAt: time.Date(2026, 11, 24, 12, 0, 0, 1000, time.UTC), Duration: 17 * time.Millisecond,
		Status: 503, Failure: job.WebhookStatus, Message: "The receiver answered 503.", Answer: "„später“",
	}}
}

// told returns the events of webhooks in the order in which they happened.
func told(hooks []job.Webhook) (names []string) {
	for _, w := range slices.SortedStableFunc(slices.Values(hooks), func(v, w job.Webhook) int { return int(v.Version - w.Version) }) {
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
	s := submission(2)
	s.ExpiresIn = 0
	s.Input.Webhook = &job.Receiver{URL: "https://example.com/hooks", Events: job.WebhookEvents()}
	id := f.submit(s)[0].JobID
	if _, err := f.record.Expire(f.ctx, timedOut, plenty); err != nil {
		f.Fatal(err)
	}
	f.wantEqual("the webhooks", told(f.webhooks(id)), []string{"image.failed", "image.failed", "job.failed"})
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
	hooks := f.webhooks(tasks[0].JobID)
	slices.SortFunc(hooks, func(v, w job.Webhook) int { return int(v.Version - w.Version) })
	for _, w := range hooks {
		got = append(got, left{w.Event, w.Version, w.Status})
	}
	f.wantEqual("what they say", got, []left{
		{job.WebhookJobStarted, 2, job.StatusProcessing}, {job.WebhookImageSucceeded, 3, job.StatusProcessing},
		{job.WebhookJobPartial, 4, job.StatusPartial},
	})
}

func webhookPending(f *fixture) {
	w, other := f.ended(), f.ended()
	f.wantEqual("the tasks", f.pending(w.JobID, newID(), "nonsense"), []string{w.Task().ID()})
	f.wantEqual("the tasks of both", len(f.pending(w.JobID, other.JobID)), 2)
	stale := w
	stale.Renewed = 3
	f.webhookSent(stale)
	f.wantEqual("the tasks after one of another name was put", f.pending(w.JobID), []string{w.Task().ID()})
	f.webhookSent(w)
	f.webhookSent(w)
	f.wantEqual("the tasks after it was put", f.pending(w.JobID), []string(nil))
	f.wantEqual("the webhook, as it was", f.webhook(w), w)
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

func webhookTry(f *fixture) {
	w := f.ended()
	n := noteOf(w, job.WebhookWaiting, never)
	got := f.note(w, job.WebhookWaiting, never)
	want := w
	want.Tries, want.NextAt, want.Log = 1, got.NextAt, []job.WebhookTry{n.Try}
	f.wantEqual("the webhook", got, want)
	if wait := got.NextAt.Sub(w.At); wait < never || wait > 2*never {
		f.Errorf("the next try is due %s after the event, want %s after now", wait, never)
	}
	f.wantEqual("the tasks that are not on the queue", f.pending(w.JobID), []string(nil))
}

func webhookLast(f *fixture) {
	for _, state := range []job.WebhookState{job.WebhookDelivered, job.WebhookFailed, job.WebhookGone} {
		got := f.note(f.ended(), state, never)
		f.wantEqual("the state", got.State, state)
		f.wantEqual("the time of the next try", got.NextAt, time.Time{})
		f.wantEqual("the tasks", f.pending(got.JobID), []string(nil))
	}
}

func webhookNoted(f *fixture) {
	w := f.ended()
	late := w
	late.Tries = 1
	stranger := w
	stranger.ID = "msg_1"
	done := f.note(f.ended(), job.WebhookDelivered, 0)
	once := f.note(w, job.WebhookWaiting, 0)
	for what, w := range map[string]job.Webhook{"again": w, "late": {JobID: w.JobID, ID: w.ID, Tries: 2}, "of none": stranger, "of one that ended": done} {
		nextAt, noted, err := f.record.NoteWebhook(f.ctx, noteOf(w, job.WebhookDelivered, 0))
		if noted || err != nil || !nextAt.IsZero() {
			f.Errorf("a note %s: noted %t, %v", what, noted, err)
		}
	}
	f.wantEqual("the webhook", f.webhook(w), once)
}

func webhookLog(f *fixture) {
	w := f.ended()
	for range job.MaxWebhookLog + 2 {
		w = f.note(w, job.WebhookWaiting, 0)
	}
	f.wantEqual("how many tries are kept", len(w.Log), job.MaxWebhookLog)
	f.wantEqual("the first of them", w.Log[0].Number, 3)
	f.wantEqual("all tries", w.Tries, job.MaxWebhookLog+2)
}

func webhookGone(f *fixture) {
	tasks := f.hooked(3, job.WebhookEvents()...)
	id := tasks[0].JobID
	f.succeed(f.claim(tasks[0], never))
	f.fail(f.claim(tasks[1], never))
	hooks := f.webhooks(id)
	delivered := f.note(hooks[0], job.WebhookDelivered, 0)
	other := f.ended()
	f.note(hooks[1], job.WebhookGone, 0)
	f.succeed(f.claim(tasks[2], never))

	f.wantEqual("how many there are after all", len(f.webhooks(id)), len(hooks))
	f.wantEqual("one that was delivered before", f.webhook(delivered), delivered)
	got := f.webhook(hooks[2])
	f.wantEqual("the state of one that waited", got.State, job.WebhookGone)
	f.wantEqual("the tries of one that waited", got.Tries, 0)
	f.wantEqual("one of another job", f.webhook(other), other)
}

func webhookReplay(f *fixture) {
	for _, state := range []job.WebhookState{job.WebhookDelivered, job.WebhookFailed, job.WebhookGone} {
		w := f.note(f.note(f.ended(), job.WebhookWaiting, never), state, 0)
		got, err := f.record.ReplayWebhook(f.ctx, w.JobID, w.ID)
		if err != nil {
			f.Fatalf("ReplayWebhook: %v", err)
		}
		want := w
		want.State, want.RoundFrom, want.Renewed, want.NextAt = job.WebhookWaiting, 2, 1, got.NextAt
		f.wantEqual("the webhook", got, want)
		f.wantEqual("the webhook that is kept", f.webhook(w), want)
		f.wantEqual("its task", f.pending(w.JobID), []string{want.Task().ID()})
		if due := f.unsentWebhooks(0, plenty); len(due) != 1 || due[0].At != got.NextAt {
			f.Errorf("due are %+v", due)
		}
		f.note(got, job.WebhookDelivered, 0)
	}
}

func webhookReplayed(f *fixture) {
	w := f.ended()
	_, err := f.record.ReplayWebhook(f.ctx, w.JobID, w.ID)
	f.wantErr(err, record.ErrWaiting)
	f.wantEqual("the webhook", f.webhook(w), w)
	for _, name := range [][2]string{{newID(), w.ID}, {w.JobID, "msg_1"}, {w.JobID, "msg\x00"}, {w.JobID, "msg\xff"}, {"nonsense", w.ID}} {
		_, err := f.record.ReplayWebhook(f.ctx, name[0], name[1])
		f.wantErr(err, record.ErrNotFound)
	}
}

func webhookUnsent(f *fixture) {
	first, sent, second := f.ended(), f.ended(), f.ended()
	f.webhookSent(sent)
	f.wantEqual("before the age", len(f.unsentWebhooks(never, plenty)), 0)
	due := f.unsentWebhooks(0, 1)
	f.wantEqual("the first", taskNames(due), []string{first.Task().ID()})
	f.wantEqual("its time", due[0].At, first.NextAt)
	f.wantEqual("the next one", taskNames(f.unsentWebhooks(0, 1)), []string{second.Task().ID()})
	f.webhookSent(first)
	f.note(second, job.WebhookDelivered, 0)
	f.wantEqual("what is left", len(f.unsentWebhooks(0, plenty)), 0)
}

func webhookOverdue(f *fixture) {
	w, early, ended := f.ended(), f.ended(), f.ended()
	past := f.note(w, job.WebhookWaiting, -record.WebhookOverdue)
	f.note(early, job.WebhookWaiting, -record.WebhookOverdue/2)
	f.note(ended, job.WebhookFailed, -2*record.WebhookOverdue)

	want := past
	want.Renewed++
	f.wantEqual("what is overdue", taskNames(f.unsentWebhooks(never, plenty)), []string{want.Task().ID()})
	f.wantEqual("the webhook", f.webhook(w), want)
	f.wantEqual("at once afterwards", len(f.unsentWebhooks(never, plenty)), 0)
	f.wantEqual("its task", f.pending(w.JobID), []string{want.Task().ID()})
	f.webhookSent(past)
	f.wantEqual("its task, after the old one was put", f.pending(w.JobID), []string{want.Task().ID()})
	f.webhookSent(want)
	f.wantEqual("its task, after it was put", f.pending(w.JobID), []string(nil))
}

func webhookUntold(f *fixture) {
	untold := func() int {
		b, err := f.record.Backlog(f.ctx, never)
		if err != nil {
			f.Fatal(err)
		}
		return b.Untold
	}
	v, w := f.ended(), f.ended()
	f.wantEqual("at first", untold(), 2)
	f.webhookSent(v)
	f.wantEqual("after one was put", untold(), 1)
	f.note(w, job.WebhookDelivered, 0)
	f.wantEqual("after the other was delivered", untold(), 0)
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
