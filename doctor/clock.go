package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// clockOff is more than the difference between clocks that are set
	// automatically.
	clockOff = 30 * time.Second
	// clockWrong is the difference from which tokens and signatures are
	// refused.
	clockWrong = 5 * time.Minute
)

// A Clock is the clock of another machine.
type Clock struct {
	Name string
	// Ahead returns by how much it is ahead of this machine's clock.
	Ahead func(context.Context) (time.Duration, error)
}

// Clocks checks this machine's clock against others. It leaves out a clock that
// does not answer: the line about that service says why.
func Clocks(clocks ...Clock) Check {
	return Check{Name: "clock", Run: func(ctx context.Context) []Finding {
		ahead := make([]time.Duration, len(clocks))
		errs := make([]error, len(clocks))
		var group sync.WaitGroup
		for i, c := range clocks {
			group.Go(func() { ahead[i], errs[i] = c.Ahead(ctx) })
		}
		group.Wait()
		var asked []string
		var findings []Finding
		for i, c := range clocks {
			if errs[i] != nil {
				continue
			}
			asked = append(asked, c.Name)
			findings = append(findings, clockApart(c.Name, ahead[i])...)
		}
		switch {
		case len(asked) == 0:
			return []Finding{skipped("nobody could be asked for the time")}
		case len(findings) == 0:
			return []Finding{ok("this machine's agrees with %s", strings.Join(asked, ", "))}
		}
		return findings
	}}
}

func clockApart(whose string, ahead time.Duration) []Finding {
	apart := "behind"
	if ahead < 0 {
		apart = "ahead of"
	}
	fix := "Set this machine's clock: sudo timedatectl set-ntp true. If only one line says so, it is that one's clock that is wrong."
	message := fmt.Sprintf("this machine's is %s %s that of %s", ahead.Abs().Round(time.Second), apart, whose)
	switch {
	case ahead.Abs() > clockWrong:
		return []Finding{failed(fix, "%s: signatures and tokens are refused", message).on(whose)}
	case ahead.Abs() > clockOff:
		return []Finding{warning(fix, "%s", message).on(whose)}
	}
	return nil
}

var errNoClock = errors.New("doctor: it tells no time")

// HTTPClock returns a function that reads the clock of the server at an
// address. Any answer will do, also an error.
func HTTPClock(client *http.Client, address string) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
		if err != nil {
			return 0, err
		}
		asked := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		answered := time.Now()
		date, err := http.ParseTime(resp.Header.Get("Date"))
		if err != nil {
			return 0, errNoClock
		}
		// The header has whole seconds: on average, half a second is missing.
		return date.Add(time.Second / 2).Sub(asked.Add(answered.Sub(asked) / 2).Round(0)), nil
	}
}
