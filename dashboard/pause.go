package dashboard

import (
	"strings"

	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

func pauseLane() actOn[lane.Lane] {
	return actOn[lane.Lane]{
		action: record.ActionPauseLane, verb: "Pause", code: "paused", find: (*Dashboard).laneOf, named: laneNamed, means: (*Dashboard).pauseMeans,
		do: func(d *Dashboard, v *visit, l lane.Lane, a record.Act) (string, error) {
			err := d.options.Record.PauseByHand(v.r.Context(), l.Name, a)
			if err == nil {
				d.askForSweep(v.r.Context()) // which moves what waits
			}
			return Path + "/lanes", err
		},
	}
}

// pauseMeans says what happens to the pictures of a lane that is paused by hand.
func (d *Dashboard) pauseMeans(v *visit, l lane.Lane) (string, error) {
	o, err := d.overview(v.r.Context())
	if err != nil {
		return "", err
	}
	waiting := 0
	for _, s := range o.Lanes {
		if s.Name == l.Name {
			waiting = max(0, s.Waiting)
		}
	}
	lanes := lane.WithPauses(d.lanesNow(o), map[string]lane.Load{l.Name: {Paused: true}})
	drawnBy := lane.ModelFor(lanes, l.Model)
	var others []string
	for _, other := range lanes {
		if other.Model == drawnBy && !other.Paused {
			others = append(others, other.Name)
		}
	}
	means := "From the next picture on, no instance uses the lane. What is being drawn ends as usual. "
	if len(others) > 0 {
		return means + "What waits on it (" + countOf(waiting, "picture") + ") goes to other lanes of " + drawnBy + ": " + strings.Join(others, ", ") + ".", nil
	}
	return means + "No other open lane draws " + l.Model + ": what waits (" + countOf(waiting, "picture") +
		") waits for the lane, says so to callers, and fails at its deadline.", nil
}

func resumeLane() actOn[lane.Lane] {
	return actOn[lane.Lane]{
		action: record.ActionResumeLane, verb: "Resume", code: "resumed", find: (*Dashboard).laneOf, named: laneNamed,
		means: func(*Dashboard, *visit, lane.Lane) (string, error) {
			return "From the next picture on, all instances use the lane again, unless it is closed for another reason.", nil
		},
		do: func(d *Dashboard, v *visit, l lane.Lane, a record.Act) (string, error) {
			err := d.options.Record.ResumeByHand(v.r.Context(), l.Name, a)
			if err == nil {
				d.askForSweep(v.r.Context()) // which moves what waits
			}
			return Path + "/lanes", err
		},
	}
}

// laneNamed returns how the form of an act on a lane names the lane.
func laneNamed(l lane.Lane) (title, button, back string) {
	return "lane " + l.Name, l.Name, Path + "/lanes"
}

// laneOf returns the lane of the settings that a path names.
func (d *Dashboard) laneOf(v *visit) (lane.Lane, error) {
	l, known := lane.Find(d.options.Lanes, v.r.PathValue("lane"))
	if !known {
		return lane.Lane{}, errNotFound
	}
	return l, nil
}
