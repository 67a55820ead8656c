package config

import (
	"fmt"
	"strings"
)

// A Fault is what is wrong with one setting. It never quotes the value, which
// may be a secret.
type Fault struct {
	Setting string
	Problem string
}

// Faults are everything that is wrong with the settings, by name.
type Faults []Fault

// Error lists the faults, one a line.
func (f Faults) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d bad settings:", len(f))
	if len(f) == 1 {
		b.Reset()
		b.WriteString("1 bad setting:")
	}
	for _, fault := range f {
		fmt.Fprintf(&b, "\n  %s %s", fault.Setting, fault.Problem)
	}
	return b.String()
}
