package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

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
