package dashboard

import (
	"fmt"
	"strings"
)

// Amounts are millionths of a US dollar. What is compared or summed up is written
// with money: lists, charts and sums over many jobs. What one job, picture or attempt
// cost, or will cost, is written with dollars: people check it against a bill.

// money returns an amount to the cent, or to the hundredth of a cent below a dollar.
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

// dollars returns an amount to the cent, or as exactly as it is known. It returns a
// dash for nothing.
func dollars(micros int64) string {
	if micros == 0 {
		return "–"
	}
	whole, rest, _ := strings.Cut(exactly(micros), ".")
	rest = strings.TrimRight(rest, "0")
	for len(rest) < 2 {
		rest += "0"
	}
	return "$" + whole + "." + rest
}

// exactly returns an amount as a number of dollars, for programs.
func exactly(micros int64) string { return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6) }

// listed returns an amount as money does, and a dash for nothing.
func listed(micros int64) string {
	if micros == 0 {
		return "–"
	}
	return money(micros)
}
