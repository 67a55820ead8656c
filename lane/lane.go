// Package lane is a quota and the way to use all of it and no more: a lane is
// one (billing account, project, model) with its key, its requests a minute and
// its queue. The package spaces a lane's requests, chooses a lane for an image,
// and tells for how long a limit that was reached closes a lane.
package lane

// A Lane is one quota of the provider's.
type Lane struct {
	Name        string
	Model       string // what it serves
	RPM         int    // requests a minute that the provider allows
	Concurrency int    // requests in flight at once
	Queue       string // full name: projects/P/locations/L/queues/Q
	// Account is the billing account that pays. Spend caps are its, and so
	// close all of its lanes. Empty is one that no other lane shares.
	Account string
}
