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
	} {
		if names[task.ID()] {
			t.Errorf("%+v is called %s, as another", task, task.ID())
		}
		names[task.ID()] = true
	}
	if again := first.ID(); !names[again] || !regexp.MustCompile(`^[0-9a-f]{8}-msg_0199-1-0$`).MatchString(again) {
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
