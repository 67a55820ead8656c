package handlers

import (
	"fmt"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
)

// checkMaxCost returns the most that a job may cost, in millionths of a US dollar,
// 0 for no bound. It notes a bound that the job cannot keep.
func (c *checker) checkMaxCost(usd float64, in job.Input, m job.Model) int64 {
	if usd <= 0 || in.ImageSize != "" && !m.AllowsSize(in.ImageSize) { // the size is the fault that is noted
		return 0
	}
	most := max(1, int64(math.Round(usd*1e6)))
	switch cost := m.Cost(in); {
	case cost == 0:
		c.addFault("max_cost_usd", fmt.Sprintf("cannot be kept: the price of %s is not known. Leave it out, or name a model whose price is known", m.Name))
	case cost > most:
		c.addFault("max_cost_usd", fmt.Sprintf("is too little: %d pictures of %s cost %s by list price, %s each",
			in.Count, m.Name, job.USD(cost), job.USD(m.Price(in.ImageSize))))
	}
	return most
}

// price returns the list price of a picture in millionths of a US dollar, 0 if it
// is not known.
func (h *Jobs) price(in job.Input) int64 {
	m, _ := job.FindModel(h.Models, in.Model)
	return m.Price(in.ImageSize)
}

// tooCostly returns what a caller is told whose job would cost more than one of its
// tenant may.
func tooCostly(e *enqueue.CostError) error {
	why := fmt.Sprintf("its price is not known, and a job of this API key may cost %s at most", job.USD(e.LimitMicros))
	if e.PriceMicros > 0 {
		why = fmt.Sprintf("%d pictures cost %s by list price, %s each, and a job of this API key may cost %s at most",
			e.Count, job.USD(e.PriceMicros*int64(e.Count)), job.USD(e.PriceMicros), job.USD(e.LimitMicros))
	}
	return huma.NewError(http.StatusPaymentRequired, "The job is refused: "+why+
		" (max_cost_usd in TENANTS). Ask for less, or ask whoever runs this service to allow more.")
}
