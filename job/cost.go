package job

import (
	"fmt"
	"strconv"
)

// A Bill is what an attempt cost.
type Bill struct {
	Billed     bool    // the provider charged for it, or may have
	Tokens     *Tokens // nil if the answer did not say
	CostMicros int64   // in millionths of a US dollar, 0 if not known or not billed
	Estimated  bool    // the cost is the list price, or a part of the tokens is guessed
	PriceList  string  // the version of the prices; empty if none is known
	// BoundMicros is what the attempt counts against the most that its job may
	// cost: CostMicros, but the list price at most.
	BoundMicros int64
}

// Bill returns what a request for a picture of a size cost that was charged, with
// what its answer tells of that. If it does not tell, the list price is taken.
func (m Model) Bill(size string, a Answer) Bill {
	b := Bill{Billed: true, Tokens: a.Tokens, CostMicros: a.CostMicros, Estimated: a.Estimated, PriceList: m.PriceList}
	list := m.Price(size)
	if b.CostMicros == 0 {
		b.CostMicros, b.Estimated = list, true
	}
	b.BoundMicros = b.CostMicros
	if list > 0 {
		b.BoundMicros = min(b.CostMicros, list)
	}
	return b
}

// Cost returns the list price of all pictures that an input asks for, in
// millionths of a US dollar, 0 if it is not known.
func (m Model) Cost(in Input) int64 { return m.Price(in.ImageSize) * int64(in.Count) }

// MostMicros returns the most that the job may cost: the lesser of the caller's
// bound and the tenant's, in millionths of a US dollar, 0 for no bound.
func (in Input) MostMicros() int64 {
	if in.MaxCostMicros == 0 || in.CostLimitMicros == 0 {
		return max(in.MaxCostMicros, in.CostLimitMicros)
	}
	return min(in.MaxCostMicros, in.CostLimitMicros)
}

// SpentMicros returns what counts against the most that the job may cost, in
// millionths of a US dollar: its pictures, and the attempts that were billed
// without one. No attempt counts as more than its list price.
func (j Job) SpentMicros() int64 {
	var sum int64
	for _, img := range j.Images {
		sum += img.BoundMicros + img.BilledMicros
	}
	return sum
}

// billedMicros returns the part of SpentMicros that brought no picture.
func (j Job) billedMicros() int64 {
	var sum int64
	for _, img := range j.Images {
		sum += img.BilledMicros
	}
	return sum
}

// CheckCost returns an error if an attempt at the image at index could bring the
// job above the most that it may cost, by list price. price is that of one
// attempt, in millionths of a US dollar, 0 if it is not known. Each other image
// that is being drawn counts as one that costs as much.
//
// j must be as a claim of the image left it. Claims of one job's images follow
// each other, so of two at the same time the second one counts the first.
func (j Job) CheckCost(index int, price int64) *Error {
	most := j.Input.MostMicros()
	if most == 0 {
		return nil
	}
	if price == 0 {
		return &Error{CodeMaxCostExceeded, fmt.Sprintf("The job may cost %s at most, and the price of the model that draws it now is not known.", USD(most))}
	}
	spent, drawing := j.SpentMicros(), int64(0)
	for _, img := range j.Images {
		if img.Status == StatusProcessing && img.Index != index {
			drawing += price
		}
	}
	if spent+drawing+price <= most {
		return nil
	}
	return &Error{CodeMaxCostExceeded, fmt.Sprintf("The job may cost %s at most, and one more attempt costs %s. "+
		"Spent are %s, %s of it for attempts that brought no picture; being drawn are pictures for %s.",
		USD(most), USD(price), USD(spent), USD(j.billedMicros()), USD(drawing))}
}

// USD returns an amount in millionths of a US dollar as people write it.
func USD(micros int64) string {
	return "$" + strconv.FormatFloat(float64(micros)/1e6, 'f', -1, 64)
}
