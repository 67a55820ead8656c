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
	finish  map[string]float64 // of a tenant's last image, by priority
	jobs    int
}

func newOrder() *order {
	return &order{virtual: map[job.Priority]float64{}, finish: map[string]float64{}}
}

// A place is an image's place in the order of turns.
type place struct {
	priority job.Priority
	tag      float64
	job      int // by creation
	index    int
}

// create adds the images of a new job to the order. Weights are powers of two,
// so that no tag is rounded and no two implementations round differently.
func (o *order) create(s record.Draft) []place {
	o.jobs++
	line := string(s.Priority) + " " + s.Tenant
	tag := max(o.virtual[s.Priority], o.finish[line])
	places := make([]place, s.Input.Count)
	for i := range places {
		places[i] = place{priority: s.Priority, tag: tag, job: o.jobs, index: i}
		tag += 1 / s.Weight
	}
	o.finish[line] = tag
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
