// Package lane is about quotas, and how to use all of a quota and no more. A
// lane is one quota: (billing account, project, model) with its key, its
// requests a minute and its queue. The package spaces a lane's requests,
// chooses a lane for an image, and tells for how long a failure closes a lane.
package lane

import "slices"

// A Lane is one quota of the provider.
type Lane struct {
	Name  string
	Model string // that it asks for
	// AlsoServes are older names of models that the lane answers for. Images
	// that were asked for under them are drawn by Model.
	AlsoServes  []string
	RPM         int    // requests a minute that the provider allows
	Concurrency int    // requests in flight at once
	Queue       string // full name: projects/P/locations/L/queues/Q
	// Account is the billing account that pays. A spend cap belongs to the
	// account, and so closes all of its lanes. It is empty if no other lane
	// shares the account.
	Account string
	// Paused tells that the lane is to be left alone: by its settings, or by an
	// operator (see WithPauses). Its images go to other lanes of their model, or
	// wait.
	Paused bool
}

// Serves reports whether the lane draws images of a model: its own, or one that
// it answers for.
func (l Lane) Serves(model string) bool {
	return l.Model == model || slices.Contains(l.AlsoServes, model)
}

// ModelFor returns the model by which images of a model are drawn: that model, if
// a lane asks for it that is not paused. Otherwise it is that of the first lane
// which answers for it and is not paused. It is empty if there is none.
func ModelFor(lanes []Lane, model string) string {
	drawnBy := ""
	for _, l := range lanes {
		switch {
		case l.Paused || !l.Serves(model):
		case l.Model == model:
			return model
		case drawnBy == "":
			drawnBy = l.Model
		}
	}
	return drawnBy
}

// Rates returns how many requests a minute there are for images of each model that
// a lane serves, under each of its names. Paused lanes make none.
func Rates(lanes []Lane) map[string]int {
	rates := make(map[string]int)
	for _, l := range lanes {
		if !l.Paused {
			rates[l.Model] += l.RPM
		}
	}
	for _, l := range lanes {
		for _, name := range l.AlsoServes {
			if drawnBy := ModelFor(lanes, name); drawnBy != "" {
				rates[name] = rates[drawnBy]
			}
		}
	}
	return rates
}

// Find returns the lane of a name, if there is one.
func Find(lanes []Lane, name string) (Lane, bool) {
	if i := slices.IndexFunc(lanes, func(l Lane) bool { return l.Name == name }); i >= 0 {
		return lanes[i], true
	}
	return Lane{}, false
}
