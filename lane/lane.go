// Package lane is about quotas, and how to use all of a quota and no more. A
// lane is one quota: (billing account, project, model) with its key, its
// requests a minute and its queue. The package spaces a lane's requests,
// chooses a lane for an image, and tells for how long a failure closes a lane.
package lane

// A Lane is one quota of the provider.
type Lane struct {
	Name        string
	Model       string // that it serves
	RPM         int    // requests a minute that the provider allows
	Concurrency int    // requests in flight at once
	Queue       string // full name: projects/P/locations/L/queues/Q
	// Account is the billing account that pays. A spend cap belongs to the
	// account, and so closes all of its lanes. It is empty if no other lane
	// shares the account.
	Account string
}
