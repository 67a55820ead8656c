package snapshot

import (
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// Waiting is what a queued image waits for, as callers see it.
type Waiting string

// Values of waiting_for. They are part of the API.
const (
	WaitingTurn    Waiting = "turn"    // the images before it
	WaitingQuota   Waiting = "quota"   // the provider's quota has no room now
	WaitingLane    Waiting = "lane"    // no lane of its model works now: a key is refused, or an operator paused it
	WaitingBackoff Waiting = "backoff" // its next attempt, after one that failed
	WaitingBudget  Waiting = "budget"  // its tenant's budget
	WaitingModel   Waiting = "model"   // a lane that serves its model
)

// A Lane is what the configuration says of a lane, as far as callers wait for it.
type Lane struct {
	Name   string
	Models []string // that it serves: first the one that it asks for
	RPM    int      // requests a minute; positive
	Paused bool     // by its configuration, or by an operator: it takes no image
}

// An outlook is when the lanes of a model can send requests.
type outlook struct {
	now     time.Time
	budgets job.Budgets
	// openings are the lanes that draw the model's images, the first to open first.
	openings []opening
	// known tells that it is known which lanes are closed; otherwise all of them
	// count as open.
	known bool
	// switchedOff tells that a lane serves the model, but that its configuration
	// or an operator pauses it.
	switchedOff bool
}

// An opening is from when on a lane sends requests.
type opening struct {
	at   time.Time // not before now
	rpm  int
	code job.Code // why it does not send now; empty if it does
}

// outlook returns the outlook of the job's model.
func (r Renderer) outlook(j job.Job) outlook {
	o := outlook{now: r.Now().UTC(), budgets: r.Budgets, known: j.Ahead != nil}
	r.Lanes = withPauses(r.Lanes, j.Paused)
	drawnBy := r.drawnBy(j.Input.Model)
	for _, l := range r.Lanes {
		switch {
		case l.Paused:
			o.switchedOff = o.switchedOff || slices.Contains(l.Models, j.Input.Model)
		case l.Models[0] == drawnBy:
			o.openings = append(o.openings, o.opening(l, j.Paused))
		}
	}
	slices.SortStableFunc(o.openings, func(a, b opening) int { return a.at.Compare(b.at) })
	return o
}

// withPauses returns the lanes with those paused that operators have paused by
// hand.
func withPauses(lanes []Lane, paused []job.PausedLane) []Lane {
	lanes = slices.Clone(lanes)
	for i, l := range lanes {
		lanes[i].Paused = l.Paused || slices.ContainsFunc(paused, func(p job.PausedLane) bool { return p.ByHand && p.Name == l.Name })
	}
	return lanes
}

// drawnBy returns the model by which images of a model are drawn, as lane.ModelFor
// does.
func (r Renderer) drawnBy(model string) string {
	drawnBy := ""
	for _, l := range r.Lanes {
		switch {
		case l.Paused || !slices.Contains(l.Models, model):
		case l.Models[0] == model:
			return model
		case drawnBy == "":
			drawnBy = l.Models[0]
		}
	}
	return drawnBy
}

func (o outlook) opening(l Lane, paused []job.PausedLane) opening {
	for _, p := range paused {
		if p.Name == l.Name && p.Until.After(o.now) {
			return opening{at: p.Until, rpm: l.RPM, code: p.Code}
		}
	}
	return opening{at: o.now, rpm: l.RPM}
}

// waitingFor returns what a queued image waits for, and when its next attempt
// may begin if it waits for a time.
func (o outlook) waitingFor(img job.Image) (Waiting, *time.Time) {
	var opens time.Time // when the first lane does, if all are closed
	if len(o.openings) > 0 && o.openings[0].at.After(o.now) {
		opens = o.openings[0].at
	}
	switch {
	case held(img):
		return WaitingBudget, o.budgetBegins(img.HeldBy)
	case img.Parked || len(o.openings) == 0:
		if o.switchedOff {
			return WaitingLane, nil
		}
		return WaitingModel, nil
	case img.NotBefore.After(o.now):
		at := img.NotBefore
		if opens.After(at) {
			at = opens
		}
		return waitingAfter(img.Error, WaitingBackoff), &at
	case !opens.IsZero() && o.openings[0].code == job.CodeQuotaExhausted:
		return WaitingQuota, &opens
	case !opens.IsZero():
		return WaitingLane, &opens
	case !o.known: // the latest attempt tells of the lanes, if anything does
		return waitingAfter(img.Error, WaitingTurn), nil
	default:
		return WaitingTurn, nil
	}
}

// budgetBegins returns when the next period of a budget begins, or nil if it is not set
// any more: then the next sweep releases what it holds.
func (o outlook) budgetBegins(scope job.BudgetScope) *time.Time {
	b, set := o.budgets[scope]
	if !set {
		return nil
	}
	_, to := b.Period(o.now)
	return &to
}

// waitingAfter returns what an image waits for whose latest attempt ended with
// an error. It is otherwise if that was not for want of a lane.
func waitingAfter(err *job.Error, otherwise Waiting) Waiting {
	switch {
	case err == nil:
		return otherwise
	case err.Code == job.CodeQuotaExhausted:
		return WaitingQuota
	case err.Code == job.CodeLaneUnavailable:
		return WaitingLane
	default:
		return otherwise
	}
}

// next returns how many images go before the job's next one, and when that
// should start. Both are nil if none waits for its turn, or if that is not known.
func (o outlook) next(j job.Job) (ahead *int, start *time.Time) {
	if len(o.openings) == 0 {
		return nil, nil
	}
	if j.Ahead == nil {
		return nil, o.heldUntil(j)
	}
	var ready *time.Time // when the first of them may start
	for _, img := range j.Images {
		if waits(img) && (ready == nil || img.NotBefore.Before(*ready)) {
			ready = &img.NotBefore
		}
	}
	if ready == nil {
		return nil, nil
	}
	at := sentBy(*j.Ahead, o.openings)
	if ready.After(at) {
		at = *ready
	}
	return j.Ahead, &at
}

// heldUntil returns when the first image that waits for a budget may start, nil if none
// does or that is not known.
func (o outlook) heldUntil(j job.Job) *time.Time {
	i := slices.IndexFunc(j.Images, held)
	if i < 0 || slices.ContainsFunc(j.Images, waits) {
		return nil
	}
	at := o.budgetBegins(j.Images[i].HeldBy)
	if at != nil && o.openings[0].at.After(*at) {
		at = &o.openings[0].at
	}
	return at
}

// waits reports whether the image waits for its turn.
func waits(img job.Image) bool {
	return img.Status == job.StatusQueued && !img.Parked && img.HeldBy == ""
}

// held reports whether the image waits for room in a budget.
func held(img job.Image) bool { return img.Status == job.StatusQueued && img.HeldBy != "" }

// sentBy returns when lanes have sent n requests more. Each sends them evenly,
// from its opening on. lanes must not be empty, and be ordered by when they open.
func sentBy(n int, lanes []opening) time.Time {
	var rate float64 // of the lanes that are open, in requests a second
	left, at := float64(n), lanes[0].at
	for _, l := range lanes {
		sent := rate * l.at.Sub(at).Seconds()
		if rate > 0 && sent >= left {
			break
		}
		left, at, rate = left-sent, l.at, rate+float64(l.rpm)/60
	}
	return at.Add(time.Duration(left / rate * float64(time.Second)))
}
