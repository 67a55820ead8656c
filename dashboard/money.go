package dashboard

import (
	"fmt"
	"math"
)

// money returns an amount of millionths of a US dollar as people read it: to the
// cent, or to the hundredth of a cent below a dollar.
func money(micros int64) string {
	usd := float64(micros) / 1e6
	switch {
	case micros == 0:
		return "$0"
	case usd < 1:
		return fmt.Sprintf("$%.4f", usd)
	}
	cents := int64(math.Round(usd * 100))
	return fmt.Sprintf("$%s.%02d", number(int(cents/100)), cents%100)
}
