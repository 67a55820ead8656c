package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// prompts are what is asked for, with the ratio that fits.
var prompts = []struct{ text, ratio string }{
	{"A lighthouse at dusk, watercolour on rough paper", "3:2"}, {"Product shot of a ceramic mug on linen, soft window light", "1:1"},
	{"Isometric kitchen, cutaway, pastel colours", "1:1"}, {"Portrait of a violinist, stage light from the left", "4:5"},
	{"An orchard in fog seen from above", "16:9"}, {"Poster for a jazz festival, two colours, bold type", "2:3"},
	{"Macro photograph of frost on a fern", "3:2"}, {"A paper boat in a storm, woodcut", "1:1"},
	{"Running shoe exploding into paint, studio", "1:1"}, {"A map of an imaginary archipelago, ink and wash", "4:3"},
	{"Interior of a night train, warm lamps, rain on the glass", "16:9"}, {"Icon set: weather, flat, twelve tiles", "1:1"},
	{"Botanical plate of a passion flower, eighteenth century", "3:4"}, {"A market hall in Lisbon, gouache", "4:3"},
	{"Packaging mock-up for loose-leaf tea, kraft paper", "1:1"}, {"Astronaut reading in a hammock, children's book", "1:1"},
}

// odd prompts are of the latest jobs: pages must cope with them.
var odd = []string{
	"منارة عند الغسق بألوان مائية على ورق خشن، والبحر هادئ", "<script>alert(1)</script> & \"quotes\" in a prompt",
	strings.TrimSpace(strings.Repeat("A very long prompt that describes every leaf of the tree. ", 140)),
	strings.Repeat("unbroken", 40), "灯台、夕暮れ、水彩", "🦊🏔️ fox on a mountain\nwith a second line\nand a third",
}

var tenants = []string{"web", "web", "web", "web", "mobile", "mobile", "studio", "press", "partner-with-a-rather-long-name-for-a-key", "tests"}

// Lanes and models that the work is spread over.
const (
	nano, pro, flash, lite = "gemini-nano-banana-2.1", "gemini-3-pro-image", "gemini-3.1-flash-image", "gemini-3.1-flash-lite-image"
	receiver               = "https://hooks.shop.example/pictures"
)

var laneOf = map[string]string{nano: "nano", pro: "pro", flash: "flash"}

// times returns when jobs were asked for, in order: many in the last hour, fewer in
// the last day, and the rest in the last 27 days, with more by day than by night.
func (p *player) times() []time.Time {
	all := make([]time.Time, 0, jobs)
	for i := range jobs {
		var back time.Duration
		switch {
		case i < 800:
			back = 2*time.Minute + time.Duration(p.random.Float64()*float64(58*time.Minute))
		case i < 2200:
			back = time.Hour + time.Duration(p.random.Float64()*float64(23*time.Hour))
		default:
			back = 24*time.Hour + time.Duration(p.random.Float64()*float64(26*24*time.Hour))
		}
		at := p.end.Add(-back)
		if hour := at.Hour(); back > time.Hour && (hour < 6 || hour > 21) && p.chance(60) {
			at = at.Add(-9 * time.Hour)
		}
		all = append(all, at.Truncate(time.Millisecond))
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// draft returns a job as its tenant asks for it at a time.
func (p *player) draft(at time.Time) (record.Draft, sample) {
	s := p.samples[p.random.IntN(len(p.samples))]
	model := nano
	switch n := p.random.IntN(100); {
	case n < 12:
		model = pro
	case n < 30:
		model = flash
	}
	count := 1 + int(3*math.Pow(p.random.Float64(), 2)*1.4)
	return p.ask(at, tenants[p.random.IntN(len(tenants))], model, s, count), s
}

// ask returns a draft of a tenant's job.
func (p *player) ask(at time.Time, tenant, model string, s sample, count int) record.Draft {
	in := job.Input{Prompt: s.prompt, Model: model, Count: count, AspectRatio: s.ratio, ImageSize: generate.Model(model).ImageSizes[0]}
	if p.chance(30) {
		seed := p.random.Int32N(1_000_000)
		in.Seed = &seed
	}
	if p.chance(15) {
		in.Webhook = &job.Receiver{URL: receiver, Events: job.EndEvents()}
	}
	d := record.Draft{
		ID: p.id(at), Tenant: tenant, Weight: 1, Lanes: slices.Repeat([]string{laneOf[model]}, count), Input: in,
		ExpiresIn: 24 * time.Hour, Fingerprint: "seed", Priority: job.PriorityNormal,
	}
	if p.chance(12) {
		d.Priority = job.PriorityLow
	}
	if p.chance(20) {
		d.Metadata = []byte(`{"order": "A-10` + d.ID[9:13] + `", "page": "home"}`)
	}
	return d
}

// id returns a UUIDv7 of a time.
func (p *player) id(at time.Time) string {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(p.random.UintN(256))
	}
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6], id[8] = 0x70|id[6]&0x0f, 0x80|id[8]&0x3f
	return id.String()
}

// chance is true in so many of a hundred cases.
func (p *player) chance(percent int) bool { return p.random.IntN(100) < percent }

// between returns a duration between two, mostly near the first.
func (p *player) between(least, most time.Duration) time.Duration {
	share := p.random.Float64()
	return least + time.Duration(share*share*float64(most-least))
}

// bill returns what an answer with or without a picture cost. An answer that names no
// tokens is estimated.
func (p *player) bill(in job.Input, picture bool) job.Bill {
	m := generate.Model(in.Model)
	rates, known := map[string][3]int64{nano: {1500, 7500, 30000}, pro: {2000, 12000, 120000}}[in.Model]
	if !known {
		return m.Bill(in.ImageSize, job.Answer{})
	}
	t := &job.Tokens{Prompt: 20 + p.random.Int64N(300), Thought: 150 + p.random.Int64N(700)}
	if picture {
		t.Image = 1120
	}
	t.Total = t.Prompt + t.Thought + t.Image
	cost := (t.Prompt*rates[0] + t.Thought*rates[1] + t.Image*rates[2] + 500) / 1000
	return m.Bill(in.ImageSize, job.Answer{Tokens: t, CostMicros: cmp.Or(cost, 1), Estimated: p.chance(4)})
}
