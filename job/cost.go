package job

import (
	"fmt"
	"strconv"
)

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

// SpentMicros returns what the job may have cost so far, in millionths of a US
// dollar: its pictures, and the attempts that were billed without one.
func (j Job) SpentMicros() int64 {
	sum := j.CostMicros()
	for _, img := range j.Images {
		sum += img.BilledMicros
	}
	return sum
}

// CheckCost returns an error if an attempt at the image at index could bring the
// job above the most that it may cost. price is that of one attempt, in
// millionths of a US dollar, 0 if it is not known. Each other image that is being
// drawn counts as one that costs as much.
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
		USD(most), USD(price), USD(spent), USD(spent-j.CostMicros()), USD(drawing))}
}

// USD returns an amount in millionths of a US dollar as people write it.
func USD(micros int64) string {
	return "$" + strconv.FormatFloat(float64(micros)/1e6, 'f', -1, 64)
}
