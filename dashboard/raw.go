package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A rawView is a job as programs have it.
type rawView struct {
	Path   string
	Job    string // as its caller sees it
	Record string // what else the record has of it
	Sees   bool   // the addresses of pictures are in it
}

// rawPage shows a job as JSON.
func (d *Dashboard) rawPage(v *visit) error {
	in, err := d.inspect(v)
	if err != nil {
		return err
	}
	doc, _, err := d.shown(in.Job)
	if err != nil {
		return err
	}
	view := rawView{Path: jobPath(in.Job.ID), Sees: d.options.Pictures.sees(v.who.Role)}
	if doc, err = hide(doc, !view.Sees, !v.who.Role.may(Operator)); err != nil {
		return err
	}
	kept, err := json.Marshal(map[string]any{"attempts": in.Attempts, "places": in.Places, "webhooks": in.Webhooks})
	if err != nil {
		return err
	}
	view.Job, view.Record = indented(doc), indented(kept)
	d.write(v, http.StatusOK, page{name: "raw", Title: "Job " + shortID(in.Job.ID) + " as JSON", Main: view})
	return nil
}

// hide returns a job as its caller sees it, without the addresses of pictures, of its
// receiver, or of both.
func hide(doc []byte, pictures, receiver bool) ([]byte, error) {
	if !pictures && !receiver {
		return doc, nil
	}
	var all, input map[string]json.RawMessage
	var images []map[string]json.RawMessage
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, err
	}
	if err := errors.Join(json.Unmarshal(all["input"], &input), json.Unmarshal(all["images"], &images)); err != nil {
		return nil, err
	}
	if pictures {
		for _, img := range images {
			delete(img, "url")
		}
		delete(input, "input_images")
		delete(all, "output")
	}
	if receiver {
		delete(input, "webhook")
	}
	var errs [2]error
	all["input"], errs[0] = json.Marshal(input)
	all["images"], errs[1] = json.Marshal(images)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// indented returns JSON as people read it. It returns the text as it is if that is no
// JSON, or if it would become much longer: each line has the spaces of all that it is in.
func indented(doc []byte) string {
	const most = 8 // times the length
	var out bytes.Buffer
	if json.Indent(&out, doc, "", "  ") != nil || out.Len() > most*len(doc) {
		return string(doc)
	}
	return out.String()
}

// curl returns a command that asks for the same again, without what a role may not see.
func curl(j job.Job, shown shownJob, role Role, sees bool) string {
	body := maps.Clone(shown.Input)
	if !role.may(Operator) {
		delete(body, "webhook")
		delete(body, "webhook_events")
	}
	if !sees {
		delete(body, "input_images")
	}
	if len(j.Metadata) > 0 {
		body["metadata"] = j.Metadata
	}
	if j.Priority != job.PriorityNormal {
		body["priority"] = j.Priority
	}
	body["expires_in"] = int(j.ExpiresAt.Sub(j.CreatedAt) / time.Second)
	var doc bytes.Buffer
	enc := json.NewEncoder(&doc)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return "" // metadata that is no JSON
	}
	base, _, _ := strings.Cut(shown.URLs.Get, "/api/jobs/")
	return "curl -X POST " + base + "/api/generate-images \\\n  -H \"Authorization: Bearer $API_KEY\" \\\n" +
		"  -H 'Content-Type: application/json' \\\n  -d '" + strings.ReplaceAll(strings.TrimSpace(doc.String()), "'", `'\''`) + "'"
}

// expand fills in an address: {job_id}, {tenant}, and {from} and {to}, between which
// the job was worked on, with a minute to spare.
func expand(address string, in record.Inspection) string {
	j := in.Job
	when := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	values := map[string]string{
		"{job_id}": j.ID, "{tenant}": j.Tenant, "{from}": when(j.CreatedAt.Add(-time.Minute)), "{to}": when(endOr(j.CompletedAt, in.At).Add(time.Minute)),
	}
	for name, value := range values {
		address = strings.ReplaceAll(address, name, strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
	}
	return address
}
