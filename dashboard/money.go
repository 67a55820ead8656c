package dashboard

import "fmt"

// money returns an amount of millionths of a US dollar as people read it: to the
// cent, or to the hundredth of a cent below a dollar.
func money(micros int64) string {
	const cent, fine = 10_000, 100 // in millionths
	hundredths := (micros + fine/2) / fine
	switch {
	case micros == 0:
		return "$0"
	case hundredths < 10_000:
		return fmt.Sprintf("$0.%04d", hundredths)
	}
	cents := (micros + cent/2) / cent
	return fmt.Sprintf("$%s.%02d", number(int(cents/100)), cents%100)
}
