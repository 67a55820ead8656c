package recordtest

import (
	"cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// An order is what the contract says of turns, as short as possible, for one
// model.
type order struct {
	virtual map[job.Priority]float64
	finish  map[string]float64 // of a tenant's last image, by line
	weight  map[string]float64 // of a tenant's last job, by line
	jobs    int
}

func newOrder() *order {
	return &order{virtual: map[job.Priority]float64{}, finish: map[string]float64{}, weight: map[string]float64{}}
}

// A place is an image's place in the order of turns.
type place struct {
	priority job.Priority
	line     string // of a tenant and priority
	tag      float64
	job      int // by creation
	index    int
}

// lineOf returns the line that a job's images stand in.
func lineOf(s record.Draft) string { return string(s.Priority) + " " + s.Tenant }

// create adds the images of a new job to the order. waiting is how many images
// of its line wait. Weights are powers of two, so that no tag is rounded and no
// two implementations round differently.
func (o *order) create(s record.Draft, waiting int) []place {
	o.jobs++
	line := lineOf(s)
	tag := o.virtual[s.Priority]
	if weight, known := o.weight[line]; known {
		tag = max(tag, min(o.finish[line], tag+float64(waiting+1)/weight))
	}
	places := make([]place, s.Input.Count)
	for i := range places {
		places[i] = place{priority: s.Priority, line: line, tag: tag, job: o.jobs, index: i}
		tag += 1 / s.Weight
	}
	o.finish[line], o.weight[line] = tag, s.Weight
	return places
}

func (o *order) claim(p place) {
	o.virtual[p.priority] = max(o.virtual[p.priority], p.tag)
}

// compare returns a negative number if p's turn comes before q's.
func (p place) compare(q place) int {
	rank := map[job.Priority]int{job.PriorityNormal: 0, job.PriorityLow: 1}
	return cmp.Or(cmp.Compare(rank[p.priority], rank[q.priority]), cmp.Compare(p.tag, q.tag),
		cmp.Compare(p.job, q.job), cmp.Compare(p.index, q.index))
}
