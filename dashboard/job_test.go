package dashboard_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// told records a job of n pictures with a receiver, a key and metadata.
func (s *site) told(n int) job.Job {
	s.Helper()
	seed := int32(70_007)
	d := record.Draft{
		ID: newID(), Tenant: "web", Weight: 1, ExpiresIn: time.Hour, IdempotencyKey: "the-key-itself", Metadata: []byte(`{"user":"<u1>"}`),
		Input: job.Input{
			Prompt: "it's <b>bold</b>\nand long", Model: "m", Count: n, AspectRatio: "16:9", ImageSize: "2K", Seed: &seed,
			Webhook: &job.Receiver{URL: "https://hooks.example.com/a", Events: job.EndEvents()}, InputImages: []job.InputImage{{URL: "https://caller.example.com/in.png"}},
		},
	}
	for range n {
		d.Lanes = append(d.Lanes, "a")
	}
	j, _, err := s.kept.Create(s.Context(), d)
	if err != nil {
		s.Fatal(err)
	}
	return j
}

// lived returns a job one of whose pictures was refused for quota and then drawn,
// one failed, and one is being drawn. Ten minutes have passed.
func (s *site) lived() job.Job {
	s.Helper()
	j := s.told(3)
	time.Sleep(time.Minute)
	first := s.claim(j, 0)
	first.Report = job.Report{SlotAt: time.Now().Add(2 * time.Second), AskedAt: time.Now().Add(2 * time.Second), AnsweredAt: time.Now().Add(3 * time.Second), Detail: "Quota <exceeded>"}
	time.Sleep(3 * time.Second)
	reason := job.Error{Code: job.CodeQuotaExhausted, Message: "Full."}
	if _, _, err := s.kept.Requeue(s.Context(), first, record.Requeue{Lane: "a", After: 2 * time.Minute, GiveBack: true, Reason: &reason}); err != nil {
		s.Fatal(err)
	}
	failed := s.claim(j, 1)
	failed.Report = job.Report{AskedAt: time.Now(), AnsweredAt: time.Now().Add(time.Second), FinishReason: "IMAGE_SAFETY", Bill: job.Bill{Billed: true, CostMicros: 1_200, Tokens: &job.Tokens{Prompt: 800, Total: 800}}}
	time.Sleep(time.Second)
	if _, err := s.kept.Fail(s.Context(), failed, job.Error{Code: job.CodeBlocked, Message: "No."}); err != nil {
		s.Fatal(err)
	}
	time.Sleep(2 * time.Minute)
	c, err := s.kept.Claim(s.Context(), record.ClaimRequest{Model: "m", Task: first.NextTask("a"), Lease: time.Minute})
	if err != nil {
		s.Fatal(err)
	}
	c.Report = job.Report{SlotAt: time.Now(), AskedAt: time.Now(), AnsweredAt: time.Now().Add(8 * time.Second), FinishReason: "STOP", Bill: job.Bill{
		Billed: true, CostMicros: 38_700, Estimated: true, Tokens: &job.Tokens{Prompt: 400, Thought: 600, Image: 1_120, Total: 2_120},
	}}
	time.Sleep(10 * time.Second)
	if _, err := s.kept.Succeed(s.Context(), c, record.Success{Object: job.Object{
		Key: "images/" + j.ID + "/0.png", ContentType: "image/png", Width: 1024, Height: 576, Bytes: 1_234_567, ModelVersion: "m-001",
	}}); err != nil {
		s.Fatal(err)
	}
	s.claim(j, 2)
	time.Sleep(30 * time.Second)
	return j
}

// A job's page has what was asked for, where its pictures are, and what became of
// each attempt, in a chart and as numbers.
func TestJobPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.options.LogsURL, s.options.TraceURL = "https://logs.example.com/?q={job_id}&t={tenant}&from={from}&to={to}", "https://trace.example.com/{job_id}"
		s.start()
		j := s.lived()
		page := s.get(path+"/jobs/"+j.ID, s.logIn("otto"))
		want(t, page, "-?as=", `<a href="`+path+"/gallery/"+j.ID+`/0/download">Download`, "-<b>bold", "it&#39;s &lt;b&gt;bold&lt;/b&gt;\nand long", "&lt;u1&gt;", "-the-key-itself", "Quota &lt;exceeded&gt;",
			`<img src="`+pictures+"/images/"+j.ID+`/0.png"`, `href="https://logs.example.com/?q=`+j.ID+`&amp;t=web&amp;from=1999-12-31T23%3A59%3A00Z&amp;to=`, `href="https://trace.example.com/`+j.ID,
			"https://caller.example.com/in.png", "-Delete…", "Cancel…", "Draw again with edits…", "-Retry what failed", "Webhooks to https://hooks.example.com/a")
		want(t, words(page), "▶ processing web "+j.ID, "Idempotency key present", "Cost so far $0.0387", "Paid without a picture $0.0012", "Ratio 16:9", "Size 2K", "Seed 70007",
			"1,024 × 576 · 1.2 MB · image/png · m-001", "blocked: No.", "Being drawn on lane a since 00:03 UTC, attempt 1. Its lease is renewed, and now ends in 30 s.")

		// The same in the attempts' table, and to scale.
		want(t, words(page), "1 does not count ‖ quota exhausted a m 00:01 UTC not billed Quota &lt;exceeded&gt;", "2 ● succeeded a m 00:03 UTC STOP 400 in, 600 thought, 1,120 image about $0.0387",
			"1 ✕ blocked a m 00:01 UTC IMAGE_SAFETY 800 in $0.0012")
		want(t, words(page), "1 waited for its turn 0:00.0 1:00.0 1:00.0", "1 waited for its slot 1:00.0 1:02.0 0:02.0", "1 asked the provider: quota_exhausted 1:02.0 1:03.0 0:01.0",
			"2 waited for quota 1:03.0 3:04.0 2:01.0", "2 asked the provider: succeeded 3:04.0 3:12.0 0:08.0", "2 stored and recorded 3:12.0 3:14.0 0:02.0", "1 slot 1:02.0",
			"1 is being drawn 3:14.0 3:44.0 0:30.0", "now after 4 min")
	})
}

// A job may be kept for longer than its attempts. Its page says so, and draws nothing
// that it does not know.
func TestJobPageSaysThatAttemptsAreNotKept(t *testing.T) {
	const sentence = "no longer kept: an attempt is kept for 400 days after its end."
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		j := s.told(3)
		first, next := s.claim(j, 0), s.claim(j, 1)
		_, again, err := s.kept.Requeue(t.Context(), next, record.Requeue{Lane: "a", After: time.Hour, Reason: &job.Error{Code: job.CodeProviderTimeout}})
		if err != nil {
			t.Fatal(err)
		}
		first.Report = job.Report{AskedAt: time.Now(), Bill: job.Bill{Billed: true, CostMicros: 1_200, BoundMicros: 1_100}}
		if _, err := s.kept.Fail(t.Context(), first, job.Error{Code: job.CodeBlocked}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // the deadline; what is being drawn then may go on
		last, err := s.kept.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: again, Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.kept.Succeed(t.Context(), last, record.Success{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.kept.Cancel(t.Context(), j.ID); err != nil { // the third, which nobody claimed
			t.Fatal(err)
		}
		page := func() string { return s.get(path+"/jobs/"+j.ID, s.logIn("vera")) }
		want(t, words(page()), "-"+sentence, "No attempt has ended yet.", "Paid without a picture $0.0012")

		time.Sleep(record.AttemptsKept)
		if n, err := s.kept.RetireAttempts(t.Context(), 10); err != nil || n != 2 {
			t.Fatalf("removed %d, %v", n, err)
		}
		html := page()
		want(t, words(html), "Its attempts are "+sentence, "Its earlier attempts are "+sentence, "2 ● succeeded", "No attempt has ended yet.", "Paid without a picture at least $0.0011")
		want(t, html, "-timeline-0", "timeline-1", "timeline-2")
	})
}

var bars = regexp.MustCompile(`<rect x="([0-9.]+)%" y="[0-9.]+" width="([0-9.]+)%" height="[0-9.]+" class="bar ([a-z]+)"`)

// A timeline is to the scale of the job's life.
func TestTimelineIsToScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		j := s.told(1)
		time.Sleep(50 * time.Second)
		c := s.claim(j, 0)
		c.Report = job.Report{AskedAt: time.Now().Add(10 * time.Second), AnsweredAt: time.Now().Add(30 * time.Second), SlotAt: time.Now().Add(10 * time.Second)}
		time.Sleep(50 * time.Second)
		if _, err := s.kept.Succeed(t.Context(), c, record.Success{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		var got [][]string
		for _, m := range bars.FindAllStringSubmatch(s.get(path+"/jobs/"+j.ID, s.logIn("vera")), -1) {
			got = append(got, m[1:])
		}
		if diff := cmp.Diff([][]string{{"0", "50", "wait"}, {"50", "10", "slot"}, {"60", "20", "good"}, {"80", "20", "store"}}, got[:4]); diff != "" {
			t.Errorf("the bars (-want +got):\n%s", diff)
		}
	})
}

// Who may not see pictures is not told where they are, on any page.
func TestPicturesAreForThoseWhoMaySeeThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		j := s.lived()
		vera, otto := s.logIn("vera"), s.logIn("otto")
		for _, p := range []string{"", "/raw"} {
			want(t, s.get(path+"/jobs/"+j.ID+p, vera), "-"+pictures, "-caller.example.com", "not see pictures", "bold")
			want(t, s.get(path+"/jobs/"+j.ID+p, otto), pictures, "caller.example.com", "-not see pictures")
		}
		want(t, s.get(path+"/jobs/"+j.ID, vera), "-Cancel…", "-/draw", "-Replay…", "-Delete…")
		s.options.Pictures.Least = dashboard.Viewer
		s.start()
		want(t, s.get(path+"/jobs/"+j.ID, vera), pictures)
	})
}

// A queued picture says what it waits for, and until when.
func TestJobPageSaysWhatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		c := s.logIn("vera")
		j := s.create("web", "a", "m", 1)
		want(t, words(s.get(path+"/jobs/"+j.ID, c)), "Waits for: Its turn: other pictures go before it. It is on lane a. Its task is not known to be on the queue", "No attempt has ended yet.", "Ahead 0 pictures")
		claim := s.claim(j, 0)
		reason := job.Error{Code: job.CodeProviderError, Message: "It failed."}
		if _, _, err := s.kept.Requeue(t.Context(), claim, record.Requeue{Lane: "a", After: 5 * time.Minute, Reason: &reason}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		want(t, words(s.get(path+"/jobs/"+j.ID, c)), "Waits for: Its next attempt, after one that failed.", "Until 00:05 UTC in 4 min", "1 ✕ provider error", "2 waits for its time to try again")
		silent := s.create("web", "a", "m", 1)
		s.claim(silent, 0)
		time.Sleep(3 * time.Minute)
		want(t, words(s.get(path+"/jobs/"+silent.ID, c)), "Whoever drew it is silent since 2 min")
	})
}

// The command asks for the same again, whatever is in the prompt.
func TestCurl(t *testing.T) {
	s := setup(t)
	page := s.get(path+"/jobs/"+s.told(2).ID, s.logIn("otto"))
	_, text, _ := strings.Cut(page, `<textarea id="curl"`)
	_, text, _ = strings.Cut(text, ">\n")
	text, _, _ = strings.Cut(text, "</textarea>")
	want(t, html.UnescapeString(text), "curl -X POST https://api.example.com/api/generate-images", `"prompt":"it'\''s <b>bold</b>\nand long"`,
		`"metadata":{"user":"<u1>"}`, `"expires_in":3600`, `"seed":70007`, `"webhook":"https://hooks.example.com/a"`, "$API_KEY")
}

// act does something to a job, and returns the answer.
func (s *site) act(c *http.Cookie, id, what string, form url.Values) *http.Response {
	s.Helper()
	return s.do(request{method: "POST", path: path + "/jobs/" + id + "/" + what, cookie: c, form: form})
}

// wantDone checks that an answer leads to a page that says what was done, and what
// is in the audit of a job then.
func (s *site) wantDone(resp *http.Response, c *http.Cookie, says, id string, entry record.AuditEntry) string {
	s.Helper()
	to := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusSeeOther {
		s.Fatalf("answered %s: %s", resp.Status, words(text(s.T, resp)))
	}
	want(s.T, s.get(to, c), says)
	page, err := s.kept.Audit(s.Context(), record.AuditQuery{Target: id, Limit: 1})
	if err != nil || len(page.Entries) != 1 {
		s.Fatalf("the audit has %v, %v", page.Entries, err)
	}
	got := page.Entries[0]
	entry.ID, entry.At, entry.Target, entry.Act.Reason = got.ID, got.At, id, "because"
	if diff := cmp.Diff(entry, got); diff != "" {
		s.Errorf("the audit (-want +got):\n%s", diff)
	}
	to, _, _ = strings.Cut(to, "?")
	return strings.TrimPrefix(to, path+"/jobs/")
}

func (s *site) job(id string) job.Job {
	s.Helper()
	j, err := s.kept.Get(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return j
}

func TestOperatorsCancelJobs(t *testing.T) {
	s := setup(t)
	c := s.logIn("otto")
	j := s.create("web", "a", "m", 2)
	s.get(path+"/jobs/"+j.ID, c) // is kept for 2 s
	s.get(path+"/jobs", c)
	want(t, words(s.get(path+"/jobs/"+j.ID+"/cancel", c)), "2 pictures that wait, and 0 pictures being drawn", "Cancel job")
	if got := s.act(c, j.ID, "cancel", url.Values{"reason": {"x"}}).StatusCode; got != http.StatusUnprocessableEntity || s.job(j.ID).Status != job.StatusQueued {
		t.Errorf("without a reason: answered %d", got)
	}
	s.wantDone(s.act(c, j.ID, "cancel", why), c, "The job is canceled.", j.ID, record.AuditEntry{
		Act: record.Act{Who: "otto", Role: "operator", Action: record.ActionCancelJob}, Detail: map[string]string{"pictures": "2"},
	})
	if got := s.job(j.ID).Status; got != job.StatusCanceled {
		t.Errorf("the job is %s", got)
	}
	want(t, words(s.get(path+"/jobs", c)), "○ canceled "+j.ID[:8])
	want(t, words(s.get(path+"/jobs/"+j.ID, c)), "Done by hand", "otto cancel job pictures 2 because", "Retry what failed…", "-Cancel…")
	for _, m := range []string{"GET", "POST"} {
		if got := s.do(request{method: m, path: path + "/jobs/" + j.ID + "/cancel", cookie: c, form: why}); got.StatusCode != http.StatusConflict {
			t.Errorf("again, by %s: answered %s", m, got.Status)
		}
	}
}

func TestOperatorsRetryJobs(t *testing.T) {
	s := setup(t)
	c := s.logIn("otto")
	j := s.told(3)
	if got := s.act(c, j.ID, "retry", why).StatusCode; got != http.StatusConflict {
		t.Errorf("an open job: answered %d", got)
	}
	if _, err := s.kept.Cancel(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	s.start() // another instance
	want(t, words(s.get(path+"/jobs/"+j.ID+"/retry", c)), "draws 3 pictures again", "for $0.1512 by list price")
	resp := s.act(c, j.ID, "retry", why)
	id := strings.TrimPrefix(strings.TrimSuffix(resp.Header.Get("Location"), "?done=retried"), path+"/jobs/")
	s.wantDone(resp, c, "draws again what failed", j.ID, record.AuditEntry{
		Act: record.Act{Who: "otto", Role: "operator", Action: record.ActionRetryJob}, Detail: map[string]string{"as": id, "pictures": "3"},
	})
	again := s.job(id)
	if again.Input.Retry == nil || again.Input.Retry.Of != j.ID || again.Tenant != "web" || string(again.Metadata) != string(j.Metadata) {
		t.Errorf("the retry is %+v", again)
	}
	if to := s.act(c, j.ID, "retry", why).Header.Get("Location"); to != path+"/jobs/"+id+"?done=retried" {
		t.Errorf("a second retry leads to %s", to)
	}
	want(t, s.get(path+"/jobs/"+id, c), `href="`+path+"/jobs/"+j.ID+`"`)

	acting := s.options.Jobs.(*acting)
	acting.refuse = &dashboard.RefusedError{Text: "The tenant has too much waiting."}
	resp = s.act(c, j.ID, "retry", why)
	want(t, text(t, resp), "The tenant has too much waiting.")
	if resp.StatusCode != http.StatusConflict {
		t.Errorf("answered %s", resp.Status)
	}
}

func TestOperatorsReplayWebhooks(t *testing.T) {
	s := setup(t)
	c := s.logIn("otto")
	j := s.told(1)
	if _, err := s.kept.Cancel(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	hooks, err := s.kept.Webhooks(t.Context(), j.ID)
	if err != nil || len(hooks) != 1 {
		t.Fatal(hooks, err)
	}
	replay := "webhooks/" + hooks[0].ID + "/replay"
	if got := s.act(c, j.ID, replay, why).StatusCode; got != http.StatusConflict {
		t.Errorf("one that waits: answered %d", got)
	}
	if _, _, err := s.kept.NoteWebhook(t.Context(), job.WebhookNote{JobID: j.ID, WebhookID: hooks[0].ID, State: job.WebhookFailed, Try: job.WebhookTry{
		Number: 1, StartedAt: time.Now(), Duration: 80 * time.Millisecond, Status: 500, Failure: job.WebhookStatus, Message: "It failed.", Answer: "<oops>",
	}}); err != nil {
		t.Fatal(err)
	}
	s.start()
	want(t, words(s.get(path+"/jobs/"+j.ID, c)), "✕ failed job.canceled", "80 ms: HTTP 500 status It failed. &lt;oops&gt;", "Replay…")
	want(t, words(s.get(path+"/jobs/"+j.ID+"/"+replay, c)), "https://hooks.example.com/a is told of job.canceled again")
	s.wantDone(s.act(c, j.ID, replay, why), c, "The webhook waits again", j.ID, record.AuditEntry{
		Act: record.Act{Who: "otto", Role: "operator", Action: record.ActionReplayWebhook}, Detail: map[string]string{"webhook": hooks[0].ID},
	})
	if hooks, _ := s.kept.Webhooks(t.Context(), j.ID); hooks[0].State != job.WebhookWaiting {
		t.Errorf("it is %s", hooks[0].State)
	}
	if due, _ := s.kept.PendingWebhooks(t.Context(), j.ID); len(due) > 0 {
		t.Error("it is on no queue")
	}
	if got := s.act(c, j.ID, "webhooks/msg_none/replay", why).StatusCode; got != http.StatusNotFound {
		t.Errorf("one that is none: answered %d", got)
	}
}

func TestOperatorsDrawAgainWithEdits(t *testing.T) {
	s := setup(t)
	c := s.logIn("otto")
	j := s.told(2)
	page := s.get(path+"/jobs/"+j.ID+"/draw", c)
	want(t, page, "it&#39;s &lt;b&gt;bold&lt;/b&gt;\nand long</textarea>", `value="16:9" selected`, `value="2K" selected`, `name="count" type="number" min="1" max="16" required value="2"`,
		`value="70007"`, `<option value="m" selected>m, $0.0336 a picture or more`, "Tell https://hooks.example.com/a of it too", "It has the same metadata")
	key := regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(page)[1]
	edits := func(change ...string) url.Values {
		form := url.Values{
			"prompt": {strings.Repeat("é", 31_990) + "\r\nnight"}, "model": {"m"}, "count": {"3"}, "ratio": {"1:1"}, "size": {""}, "seed": {" 9 "}, "reason": {"because"}, "key": {key},
		}
		for i := 0; i < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		return form
	}
	for name, bad := range map[string][]string{
		"The prompt must have":     {"prompt", " \n"},
		"to 32,000 characters":     {"prompt", strings.Repeat("x", 32_001)},
		"Ask for 1 to 16 pictures": {"count", "17"},
		"2147483645 at most":       {"seed", "2147483646"},
		"The seed must be":         {"seed", "x"},
		"draws 1K, 2K only":        {"size", "4K"},
		"draws 1:1, 16:9 only":     {"ratio", "2:3"},
		"No lane draws that model": {"model", "gone"},
		"Say why":                  {"reason", "x"},
	} {
		resp := s.act(c, j.ID, "draw", edits(bad...))
		if page := text(t, resp); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, name) {
			t.Errorf("%s: answered %s", name, resp.Status)
		}
	}
	s.nothingDone()
	resp := s.act(c, j.ID, "draw", edits())
	id := strings.TrimPrefix(strings.TrimSuffix(resp.Header.Get("Location"), "?done=drawn"), path+"/jobs/")
	s.wantDone(resp, c, "This is the new job.", j.ID, record.AuditEntry{
		Act: record.Act{Who: "otto", Role: "operator", Action: record.ActionDrawAgain}, Detail: map[string]string{"as": id, "pictures": "3"},
	})
	drawn := s.job(id)
	seed := int32(9)
	wantInput := j.Input
	wantInput.Prompt, wantInput.Count, wantInput.AspectRatio, wantInput.ImageSize = strings.Repeat("é", 31_990)+"\nnight", 3, "1:1", ""
	wantInput.Seed, wantInput.Webhook = &seed, nil
	if diff := cmp.Diff(wantInput, drawn.Input); diff != "" {
		t.Errorf("the input (-want +got):\n%s", diff)
	}
	if drawn.Tenant != "web" || string(drawn.Metadata) != string(j.Metadata) || drawn.ExpiresAt.Sub(drawn.CreatedAt) != time.Hour {
		t.Errorf("the new job is %+v", drawn)
	}
	if to := s.act(c, j.ID, "draw", edits()).Header.Get("Location"); to != path+"/jobs/"+id+"?done=drawn" {
		t.Errorf("sent twice, the form leads to %s", to)
	}
	page = text(t, s.act(c, j.ID, "draw", edits("key", newID(), "tell", "yes", "seed", "x")))
	want(t, page, "checked")
}

func TestAdminsDeleteJobs(t *testing.T) {
	s := setup(t)
	c := s.logIn("ada")
	j := s.create("web", "a", "m", 1)
	if got := s.act(c, j.ID, "delete", why).StatusCode; got != http.StatusConflict {
		t.Errorf("an open job: answered %d", got)
	}
	if got := s.act(s.logIn("otto"), j.ID, "delete", why).StatusCode; got != http.StatusForbidden {
		t.Errorf("an operator: answered %d", got)
	}
	if _, err := s.kept.Cancel(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	s.start()
	want(t, words(s.get(path+"/jobs/"+j.ID, c)), "Delete…")
	want(t, words(s.get(path+"/jobs/"+j.ID+"/delete", c)), "Nobody can bring them back")
	s.wantDone(s.act(c, j.ID, "delete", why), c, "The job and its pictures are removed.", j.ID, record.AuditEntry{
		Act: record.Act{Who: "ada", Role: "admin", Action: record.ActionDeleteJob}, Detail: map[string]string{"tenant": "web", "status": "canceled"},
	})
	if known, _ := s.kept.Known(context.Background(), j.ID); len(known) > 0 {
		t.Error("the job is there")
	}
	resp := s.act(c, j.ID, "delete", why)
	want(t, text(t, resp), "There is no such job, or no longer")
}
