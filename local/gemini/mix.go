package gemini

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Mix returns a script that picks faults at random by weight: with
// {Ok: 90, "503": 7, Reset: 3}, seven requests in a hundred meet a 503. The
// same seed picks the same faults in the same order.
func Mix(seed uint64, weights map[Fault]int) func(Request) Fault {
	random := rand.New(rand.NewPCG(seed, 2))
	faults := slices.Sorted(maps.Keys(weights))
	total := 0
	for _, f := range faults {
		total += max(weights[f], 0)
	}
	return func(Request) Fault {
		if total == 0 {
			return Ok
		}
		n := random.IntN(total)
		for _, f := range faults {
			if n -= max(weights[f], 0); n < 0 {
				return f
			}
		}
		return Ok
	}
}
