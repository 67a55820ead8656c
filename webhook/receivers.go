package webhook

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// perReceiver is how many tries may be under way to one host at a time, in
	// this process. A receiver that lets each time out then takes no more of
	// the instance than that.
	perReceiver = 4
	// atOnce is how many tries may be under way at a time to all of them, so
	// that many slow receivers leave the instance to the API.
	atOnce = 32
	// The first and the greatest wait of a try that is put off because its
	// receiver is busy. One of a receiver that stays busy is put off ever
	// longer, so that a long backlog does not cost a task for each wait.
	putOffFirst, putOffMax = 5 * time.Second, 5 * time.Minute
)

// receivers counts the tries that are under way, by host.
type receivers struct {
	mu      sync.Mutex
	sending map[string]int
	all     int
}

func newReceivers() *receivers { return &receivers{sending: map[string]int{}} }

// take takes a place for a try to a host, if there is one. The caller gives it
// back with leave.
func (r *receivers) take(host string) (leave func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all >= atOnce || r.sending[host] >= perReceiver {
		return nil, false
	}
	r.all++
	r.sending[host]++
	return func() { r.leave(host) }, true
}

func (r *receivers) leave(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.sending[host]--; r.sending[host] == 0 {
		delete(r.sending, host)
	}
}

// putOffBy returns how long a try waits that was put off n times before: half of
// a bound that doubles each time, and a random part of the other half.
func putOffBy(n int) time.Duration {
	bound := putOffFirst
	for ; n > 0 && bound < putOffMax; n-- {
		bound *= 2
	}
	bound = min(bound, putOffMax)
	return bound/2 + rand.N(bound/2+1)
}
