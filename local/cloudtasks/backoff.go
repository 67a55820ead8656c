package cloudtasks

import (
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
)

// backoff returns the documented wait after a task's failures-th failed attempt:
// the minimum, doubled max_doublings times, then growing by the last doubled
// interval each time, and never above the maximum. 10 s, 300 s and 3 doublings
// give 10, 20, 40, 80, 160, 240, 300, 300, … The wait counts from the failure
// (recorded).
func backoff(c *cloudtaskspb.RetryConfig, failures int) time.Duration {
	interval, limit := c.GetMinBackoff().AsDuration(), c.GetMaxBackoff().AsDuration()
	doublings := min(failures-1, int(c.GetMaxDoublings()))
	for range doublings {
		if interval >= limit {
			return limit
		}
		interval *= 2
	}
	if steps := failures - 1 - doublings; steps > 0 {
		if interval > 0 && time.Duration(steps) >= limit/interval {
			return limit
		}
		interval += time.Duration(steps) * interval
	}
	return min(interval, limit)
}

// givesUp reports whether a task is deleted after a failed attempt. The limits
// that are set must all be met (documented): attempts −1 and a duration of 0 are
// no limit, and with neither, only the retention of 31 days ends the task.
func givesUp(c *cloudtaskspb.RetryConfig, attempts int, sinceFirst time.Duration) bool {
	limitAttempts := c.GetMaxAttempts() != unlimitedAttempts
	limitDuration := c.GetMaxRetryDuration().AsDuration() > 0
	if !limitAttempts && !limitDuration {
		return false
	}
	if limitAttempts && attempts < int(c.GetMaxAttempts()) {
		return false
	}
	return !limitDuration || sinceFirst >= c.GetMaxRetryDuration().AsDuration()
}
