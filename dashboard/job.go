package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A jobView is all that there is to say of a job.
type jobView struct {
	ID, Path string
	State    state
	Tenant   string
	OfTenant string // path of the tenant's jobs

	Prompt   string
	Facts    []fact
	Metadata string // indented; empty if there is none
	Pictures []imageView
	Sees     bool // whoever looks may see pictures
	Inputs   []string

	Webhooks []webhookView
	Receiver string
	Acts     []auditEntry
	Links    []fact // to other places
	Curl     string
	Buttons  []button
}

// A fact is a name with its value. It may lead somewhere.
type fact struct{ Name, Value, Path string }

// A button leads to the form of something that can be done.
type button struct {
	Name, Path string
	Quiet      bool // it is not what is mostly wanted
}

// A webhookView is an event that a receiver is told of.
type webhookView struct {
	job.Webhook

	State   state
	When    *moment
	Next    *moment
	OfImage bool
	Replay  string // path; empty if it cannot be replayed, or not by whoever looks
}

// inspect returns the job that a path names, as it was read for this page not long
// ago.
func (d *Dashboard) inspect(v *visit) (record.Inspection, error) {
	id, err := uuid.Parse(v.r.PathValue("id"))
	if err != nil || id.String() != v.r.PathValue("id") {
		return record.Inspection{}, errNoJob
	}
	in, err := d.jobs.get(v.r.Context(), id.String(), func(ctx context.Context) (record.Inspection, error) {
		return d.options.Record.Inspect(ctx, id.String())
	})
	switch {
	case errors.Is(err, record.ErrNotFound):
		return in, errNoJob
	case err != nil:
		return in, errAway(err)
	}
	return in, nil
}

var errNoJob = &problem{
	status: http.StatusNotFound, title: "No such job",
	text: "There is no such job, or no longer: jobs are removed some time after they have ended (RETENTION_DAYS).",
}

// jobPage shows a job.
func (d *Dashboard) jobPage(v *visit) error {
	in, err := d.inspect(v)
	if err != nil {
		return err
	}
	view, err := d.viewJob(in, v.who.Role)
	if err != nil {
		return err
	}
	d.write(v, http.StatusOK, page{name: "job", Title: "Job " + shortID(in.Job.ID), Live: true, Main: view})
	return nil
}

// A shownJob is the part of a job as its caller sees it that pages go by.
type shownJob struct {
	Input  map[string]any `json:"input"`
	Images []struct {
		WaitingFor *string    `json:"waiting_for"`
		RetryAt    *time.Time `json:"retry_at"`
	} `json:"images"`
	Position *int       `json:"queue_position"`
	StartsAt *time.Time `json:"estimated_start_at"`
	URLs     struct {
		Get string `json:"get"`
	} `json:"urls"`
}

// shown returns a job as its caller sees it.
func (d *Dashboard) shown(j job.Job) (doc []byte, s shownJob, err error) {
	if doc, err = d.options.Jobs.Render(j); err != nil {
		return nil, s, err
	}
	return doc, s, json.Unmarshal(doc, &s)
}

func (d *Dashboard) viewJob(in record.Inspection, role Role) (jobView, error) {
	j := in.Job
	_, shown, err := d.shown(j)
	if err != nil {
		return jobView{}, err
	}
	sees := d.options.Pictures.sees(role)
	view := jobView{
		ID: j.ID, Path: jobPath(j.ID), State: jobState(j.Status), Tenant: j.Tenant,
		OfTenant: jobsPath("tenant:"+quoted(j.Tenant), ""), Prompt: j.Input.Prompt, Sees: sees,
		Facts: d.jobFacts(in, shown), Metadata: indented(j.Metadata), Links: d.jobLinks(in), Buttons: buttonsOf(j, role),
		Curl: curl(j, shown, role, sees), Inputs: inputsOf(j.Input, sees),
	}
	for i := range j.Images {
		picture, err := d.viewImage(in, i, shown, sees)
		if err != nil {
			return jobView{}, err
		}
		view.Pictures = append(view.Pictures, picture)
	}
	if to := j.Input.Webhook; to != nil {
		view.Receiver = receiverFor(role, to.URL)
	}
	for _, w := range in.Webhooks {
		view.Webhooks = append(view.Webhooks, viewWebhook(w, in.At, role))
	}
	for _, e := range in.Acts {
		view.Acts = append(view.Acts, auditEntry{When: at(e.At, in.At), Entry: e, Detail: detail(e.Detail)})
	}
	return view, nil
}

// receiverFor returns the address of a receiver as a role may see it: it may hold a
// secret, and whoever has it may send the receiver anything.
func receiverFor(role Role, address string) string {
	if role.may(Operator) {
		return address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "a receiver"
	}
	return u.Host
}

// inputsOf names the pictures that a job starts from.
func inputsOf(in job.Input, sees bool) (names []string) {
	for _, img := range in.InputImages {
		switch {
		case img.Key != "":
			names = append(names, "a stored picture")
		case sees:
			names = append(names, img.URL)
		default:
			names = append(names, "a picture of the caller's")
		}
	}
	return names
}

// jobFacts returns what was asked for, and when what happened.
func (d *Dashboard) jobFacts(in record.Inspection, shown shownJob) []fact {
	j := in.Job
	clock := func(t time.Time) string { return moment{At: t, now: in.At}.Clock() }
	seed := "none"
	if j.Input.Seed != nil {
		seed = strconv.Itoa(int(*j.Input.Seed)) // as it is typed
	}
	facts := []fact{
		{Name: "Model", Value: j.Input.Model}, {Name: "Pictures", Value: number(j.Input.Count)},
		{Name: "Ratio", Value: cmp.Or(j.Input.AspectRatio, "the model's choice")}, {Name: "Size", Value: cmp.Or(j.Input.ImageSize, "the model's choice")},
		{Name: "Seed", Value: seed}, {Name: "Priority", Value: string(j.Priority)},
		{Name: "Cost so far", Value: dollars(j.CostMicros())}, {Name: "Asked for", Value: clock(j.CreatedAt)},
	}
	if wasted := wastedOf(in); wasted != "" {
		facts = append(facts, fact{Name: "Paid without a picture", Value: wasted})
	}
	if most := j.Input.MostMicros(); most > 0 {
		facts = append(facts, fact{Name: "May cost", Value: dollars(most)})
	}
	switch {
	case j.Status.Terminal():
		facts = append(facts, fact{Name: "Ended", Value: clock(j.CompletedAt)}, fact{Name: "Took", Value: took(j.CompletedAt.Sub(j.CreatedAt))})
	default:
		facts = append(facts, fact{Name: "Expires", Value: clock(j.ExpiresAt) + ", " + moment{At: j.ExpiresAt, now: in.At}.Distance()})
		if shown.Position != nil {
			facts = append(facts, fact{Name: "Ahead", Value: countOf(*shown.Position, "picture")})
		}
		if shown.StartsAt != nil {
			facts = append(facts, fact{Name: "Should start", Value: clock(*shown.StartsAt)})
		}
	}
	if retry := j.Input.Retry; retry != nil {
		facts = append(facts, fact{Name: "Draws again", Value: shortID(retry.Of), Path: jobPath(retry.Of)})
	}
	key := "none"
	if in.Keyed {
		key = "present"
	}
	return append(facts, fact{Name: "Idempotency key", Value: key})
}

// wastedOf says what attempts cost that brought no picture. It returns nothing if no cost
// is known. Of a picture whose attempts are not all kept, it counts what the record has
// with the picture, if that is more: of an attempt, its list price at most.
func wastedOf(in record.Inspection) string {
	var sum int64
	atLeast := ""
	for i, img := range in.Job.Images {
		wasted := wastedMicros(attemptsAt(in, i))
		if removedOf(in, i) != "" {
			wasted, atLeast = max(wasted, img.BilledMicros), "at least "
		}
		sum += wasted
	}
	if sum == 0 {
		return ""
	}
	return atLeast + dollars(sum)
}

// wastedMicros returns what attempts cost that brought no picture.
func wastedMicros(attempts []job.Attempt) (sum int64) {
	for _, a := range attempts {
		if a.Outcome != job.OutcomeSucceeded {
			sum += a.Bill.CostMicros
		}
	}
	return sum
}

// buttonsOf returns what a role may do to a job now.
func buttonsOf(j job.Job, role Role) (all []button) {
	path := jobPath(j.ID)
	ended, p := j.Status.Terminal(), j.Progress()
	for _, b := range []struct {
		least Role
		can   bool
		button
	}{
		{Operator, !ended, button{Name: "Cancel…", Path: path + "/cancel"}},
		{Operator, ended && p.Failed+p.Canceled > 0, button{Name: "Retry what failed…", Path: path + "/retry"}},
		{Operator, true, button{Name: "Draw again with edits…", Path: path + "/draw", Quiet: true}},
		{Admin, ended, button{Name: "Delete…", Path: path + "/delete", Quiet: true}},
	} {
		if b.can && role.may(b.least) {
			all = append(all, b.button)
		}
	}
	return all
}

func viewWebhook(w job.Webhook, now time.Time, role Role) webhookView {
	v := webhookView{Webhook: w, When: at(w.At, now), OfImage: w.Event.OfImage(), State: map[job.WebhookState]state{
		job.WebhookWaiting: {"waiting", "◷", "off"}, job.WebhookDelivered: {"delivered", "●", "good"},
		job.WebhookGone: {"gone", "○", "warn"}, job.WebhookFailed: {"failed", "✕", "bad"},
	}[w.State]}
	v.Log = slices.Clone(w.Log) // others look at w
	slices.Reverse(v.Log)
	if !w.NextAt.IsZero() {
		v.Next = at(w.NextAt, now)
	}
	if w.State != job.WebhookWaiting && role.may(Operator) {
		v.Replay = jobPath(w.JobID) + "/webhooks/" + w.ID + "/replay"
	}
	return v
}

// jobLinks returns where more is kept of a job.
func (d *Dashboard) jobLinks(in record.Inspection) []fact {
	links := []fact{{Name: "Raw JSON", Path: jobPath(in.Job.ID) + "/raw"}, {Name: "Audit", Path: Path + "/audit?target=" + in.Job.ID}}
	for _, l := range []fact{{Name: "Logs", Path: d.options.LogsURL}, {Name: "Trace", Path: d.options.TraceURL}} {
		if l.Path != "" {
			links = append(links, fact{Name: l.Name, Path: expand(l.Path, in)})
		}
	}
	return links
}
