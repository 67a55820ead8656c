package dashboard

import (
	"cmp"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// drawPath is where a job is drawn again with edits. Its form has a whole prompt.
const drawPath = "/jobs/{id}/draw"

// maxPrompt bounds a prompt, in characters, as the API does.
const maxPrompt = 32_000

// Edits are what a job is drawn again with.
type Edits struct {
	Prompt, Model, AspectRatio, ImageSize string
	Count                                 int
	Seed                                  *int32
	Tell                                  bool   // the job's receiver is told of the new one too
	Key                                   string // names the form: it makes one job, however often it is sent
}

// A drawForm asks for edits.
type drawForm struct {
	Path, Back     string
	Tenant         string
	Prompt         string
	Seed           string
	Count          int
	MaxCount       int
	MaxPrompt      int
	Models         []choice
	Ratios, Sizes  []choice
	Receiver       string // empty if there is none
	Tell           bool
	Inputs         int
	Key            string
	Reason         string
	Wrong          []string
	MetadataIsKept bool
}

// A choice is one of several.
type choice struct {
	Value, Name string
	Chosen      bool
}

// drawPage shows the form, with what the job was drawn with.
func (d *Dashboard) drawPage(v *visit) error {
	in, err := d.inspect(v)
	if err != nil {
		return err
	}
	asked := in.Job.Input
	e := Edits{
		Prompt: asked.Prompt, Model: asked.Model, AspectRatio: asked.AspectRatio, ImageSize: asked.ImageSize,
		Count: asked.Count, Seed: asked.Seed, Key: uuid.NewString(),
	}
	d.writeDrawForm(v, http.StatusOK, in, e, "", nil)
	return nil
}

func (d *Dashboard) writeDrawForm(v *visit, status int, in record.Inspection, e Edits, reason string, wrong []string) {
	form := drawForm{
		Path: v.r.URL.Path, Back: jobPath(in.Job.ID), Tenant: in.Job.Tenant, Prompt: e.Prompt, Count: e.Count,
		MaxCount: job.MaxCount, MaxPrompt: maxPrompt, Tell: e.Tell, Inputs: len(in.Job.Input.InputImages), Key: e.Key,
		Reason: reason, Wrong: wrong, MetadataIsKept: len(in.Job.Metadata) > 0,
	}
	if e.Seed != nil {
		form.Seed = strconv.Itoa(int(*e.Seed))
	}
	if to := in.Job.Input.Webhook; to != nil {
		form.Receiver = to.URL
	}
	var ratios, sizes []string
	for _, m := range d.options.Models {
		name := m.Name
		if price := m.Price(""); price > 0 {
			name += ", " + dollars(price) + " a picture or more"
		}
		form.Models = append(form.Models, choice{m.Name, name, m.Name == e.Model})
		ratios, sizes = append(ratios, m.AspectRatios...), append(sizes, m.ImageSizes...)
	}
	form.Ratios, form.Sizes = choices(ratios, e.AspectRatio), choices(sizes, e.ImageSize)
	d.write(v, status, page{name: "draw", Title: "Draw job " + shortID(in.Job.ID) + " again", Main: form})
}

// choices returns each value once, and what leaves it to the model.
func choices(values []string, chosen string) []choice {
	all := []choice{{"", "automatic", chosen == ""}}
	if chosen != "" {
		values = append(values, chosen)
	}
	slices.Sort(values)
	for _, value := range slices.Compact(values) {
		all = append(all, choice{value, value, value == chosen})
	}
	return all
}

// drawAgain accepts a new job with the edits of the form.
func (d *Dashboard) drawAgain(v *visit) error {
	in, err := d.inspect(v)
	if err != nil {
		return err
	}
	reason, wrong := readReason(v.r)
	e, faults := d.readEdits(v.r.PostForm)
	if wrong != "" {
		faults = append(faults, wrong)
	}
	if len(faults) > 0 {
		d.writeDrawForm(v, http.StatusUnprocessableEntity, in, e, reason, faults)
		return nil
	}
	j, err := d.options.Jobs.Redraw(v.r.Context(), in.Job, e, v.act(record.ActionDrawAgain, reason))
	d.forget()
	if err != nil {
		return explained(err)
	}
	return v.redirect(jobPath(j.ID) + "?done=drawn")
}

// readEdits returns what a form asks for, and all that is wrong with it.
func (d *Dashboard) readEdits(form url.Values) (e Edits, faults []string) {
	e = Edits{
		Prompt: strings.ReplaceAll(form.Get("prompt"), "\r\n", "\n"), Model: form.Get("model"), AspectRatio: form.Get("ratio"),
		ImageSize: form.Get("size"), Tell: form.Get("tell") != "", Key: form.Get("key"),
	}
	if uuid.Validate(e.Key) != nil {
		e.Key = uuid.NewString()
	}
	n := utf8.RuneCountInString(e.Prompt)
	if strings.TrimSpace(e.Prompt) == "" || n > maxPrompt || strings.Contains(e.Prompt, "\x00") || !utf8.ValidString(e.Prompt) {
		e.Prompt = strings.ToValidUTF8(e.Prompt, "")
		faults = append(faults, "The prompt must have 1 to "+number(maxPrompt)+" characters.")
	}
	var err error
	if e.Count, err = strconv.Atoi(form.Get("count")); err != nil || e.Count < 1 || e.Count > job.MaxCount {
		e.Count = min(max(e.Count, 1), job.MaxCount)
		faults = append(faults, "Ask for 1 to "+number(job.MaxCount)+" pictures.")
	}
	if text := strings.TrimSpace(form.Get("seed")); text != "" {
		seed, err := strconv.ParseInt(text, 10, 32)
		most := int64(math.MaxInt32 - e.Count + 1)
		if err != nil || seed > most {
			faults = append(faults, "The seed must be a whole number, and "+strconv.FormatInt(most, 10)+" at most: each picture is drawn with the next one.")
		} else {
			e.Seed = new(int32(seed))
		}
	}
	return e, append(faults, d.modelFaults(e)...)
}

// modelFaults says what the model of edits cannot draw.
func (d *Dashboard) modelFaults(e Edits) (faults []string) {
	m, known := job.FindModel(d.options.Models, e.Model)
	if !known {
		return []string{"No lane draws that model. Choose another one."}
	}
	for _, part := range []struct {
		value  string
		allows func(string) bool
		all    []string
	}{{e.AspectRatio, m.AllowsRatio, m.AspectRatios}, {e.ImageSize, m.AllowsSize, m.ImageSizes}} {
		if part.value != "" && !part.allows(part.value) {
			faults = append(faults, cmp.Or(m.Name, "The model")+" draws "+strings.Join(part.all, ", ")+" only.")
		}
	}
	return faults
}
