package job_test

import (
	"regexp"
	"testing"

	"github.com/ai-worker/ai-worker/job"
)

// Cloud Tasks takes a name once. So each try, and each time that it is put off,
// has a name of its own, and the same one always the same.
func TestWebhookTaskHasANameOfItsOwn(t *testing.T) {
	t.Parallel()
	first := job.WebhookTask{JobID: "0199", WebhookID: "msg_0199", Try: 1}
	names := map[string]bool{first.ID(): true}
	for _, task := range []job.WebhookTask{
		{JobID: "0199", WebhookID: "msg_0199", Try: 2}, {JobID: "0199", WebhookID: "msg_0199", Try: 1, PutOff: 1},
		{JobID: "0199", WebhookID: "msg_0200", Try: 1}, {JobID: "0199", WebhookID: "msg_0199", Try: 11}, {JobID: "0199", WebhookID: "msg_0199", Try: 1, PutOff: 11},
		{JobID: "0199", WebhookID: "msg_0199", Try: 1, Renewed: 1},
	} {
		if names[task.ID()] {
			t.Errorf("%+v is called %s, as another", task, task.ID())
		}
		names[task.ID()] = true
	}
	if again := first.ID(); !names[again] || !regexp.MustCompile(`^[0-9a-f]{8}-msg_0199-1-0-0$`).MatchString(again) {
		t.Errorf("called %s", again)
	}
}

func TestWebhookEventsOfImages(t *testing.T) {
	t.Parallel()
	for event, want := range map[job.WebhookEvent]bool{
		job.WebhookJobStarted: false, job.WebhookImageSucceeded: true, job.WebhookImageFailed: true,
		job.WebhookJobSucceeded: false, job.WebhookJobPartial: false, job.WebhookJobFailed: false, job.WebhookJobCanceled: false,
	} {
		if event.OfImage() != want {
			t.Errorf("%s.OfImage() = %t", event, !want)
		}
	}
}

func TestWebhookEventsThatEnd(t *testing.T) {
	t.Parallel()
	var ends int
	for _, s := range []job.Status{
		job.StatusQueued, job.StatusProcessing, job.StatusSucceeded, job.StatusPartial, job.StatusFailed, job.StatusCanceled,
	} {
		if e := job.EndedEvent(s); e.Ends() != s.Terminal() {
			t.Errorf("%s: %s.Ends() = %t", s, e, e.Ends())
		} else if e.Ends() {
			ends++
		}
	}
	if ends != len(job.EndEvents()) || job.WebhookJobStarted.Ends() || job.WebhookImageFailed.Ends() {
		t.Errorf("%d of %v end a job", ends, job.EndEvents())
	}
}

// A webhook is called after what it is about. So a statement that is repeated
// records none twice, and receivers tell the events apart.
func TestWebhookID(t *testing.T) {
	t.Parallel()
	const jobID = "0199a5a0-0000-7000-8000-00000000000f"
	for event, want := range map[job.WebhookEvent]string{
		job.WebhookImageFailed: "msg_0199a5a000007000800000000000000f_image_failed_3",
		job.WebhookJobPartial:  "msg_0199a5a000007000800000000000000f_job_partial",
	} {
		if got := job.WebhookID(jobID, event, 3); got != want {
			t.Errorf("%s is called %s, want %s", event, got, want)
		}
	}
}
