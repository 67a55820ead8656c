package handlers

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// maxAMinute bounds how many requests of one kind a process takes from a tenant
// in a minute, where one costs next to nothing and what it leads to does not.
const maxAMinute = 600

// A pace counts the requests of one kind of each tenant.
type pace struct {
	mu      sync.Mutex
	minutes map[string]minute // by tenant
}

// A minute is what a tenant has asked for since its first request of it.
type minute struct {
	began time.Time
	n     int
}

// take counts one more request. If there were too many in this minute, it does
// not, and fails with what the caller is told.
func (p *pace) take(tenant string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	m := p.minutes[tenant]
	if now.Sub(m.began) >= time.Minute {
		m = minute{began: now}
	}
	if m.n >= maxAMinute {
		seconds := strconv.Itoa(int(math.Ceil(m.began.Add(time.Minute).Sub(now).Seconds())))
		return huma.ErrorWithHeaders(
			huma.Error429TooManyRequests(fmt.Sprintf("An instance takes %d requests of this kind from an API key in a minute. "+
				"Send this one again after %s seconds.", maxAMinute, seconds)),
			http.Header{"Retry-After": {seconds}})
	}
	m.n++
	if p.minutes == nil {
		p.minutes = make(map[string]minute)
	}
	p.minutes[tenant] = m
	return nil
}
