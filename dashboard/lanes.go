package dashboard

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// A state is how a lane is, in a word, a sign and a colour: any one of these tells.
type state struct {
	Word, Sign string
	Kind       string // names the colour
}

var (
	stateOpen      = state{"open", "●", "good"}
	stateProbation = state{"on probation", "◐", "warn"}
	statePaused    = state{"paused", "‖", "warn"}
	stateBroken    = state{"broken", "✕", "bad"}
	stateByHand    = state{"paused by hand", "■", "hand"}
	stateOff       = state{"off in the settings", "○", "off"}
	stateGone      = state{"not in the settings", "?", "warn"}
)

// A laneView is a lane as pages show it.
type laneView struct {
	Name, Model string
	AlsoServes  []string
	State       state
	Reason      string // why it is closed; empty if it is open
	Needs       bool   // somebody should know that it is closed: nobody asked for it in the settings
	Mend        string // what opens it
	Since       *moment
	Opens       *moment // when it is tried again; nil if that takes somebody's hand, and while it is open
	Waiting     int
	Oldest      time.Duration // how long the oldest has waited; known on the overview only
	InFlight    int
	RPM         int
	Concurrency int
	Drained     *moment // when what waits will have been sent, if nothing is added; nil if that cannot be told
	Pausable    bool    // by hand
	Resumable   bool
	Known       bool // it is in the settings, and has a page
	Refused     refusedView
}

// An unservedView is a model that no lane draws, of which pictures wait.
type unservedView struct {
	Model     string
	Waiting   int
	Why, Mend string
}

// A lanesView is what there is to say of all lanes.
type lanesView struct {
	Lanes    []laneView
	Unserved []unservedView
	Acts     bool // whoever looks may pause and resume
}

// viewLanes returns the lanes of the settings in their order, then those that are
// gone and still hold pictures.
func (d *Dashboard) viewLanes(o record.Overview, role Role) lanesView {
	view := lanesView{Acts: role.may(Operator)}
	for _, l := range d.options.Lanes {
		s := record.LaneState{Name: l.Name}
		if i := slices.IndexFunc(o.Lanes, func(s record.LaneState) bool { return s.Name == l.Name }); i >= 0 {
			s = o.Lanes[i]
		}
		view.Lanes = append(view.Lanes, d.viewLane(l, s, o))
	}
	for _, s := range o.Lanes {
		if _, known := lane.Find(d.options.Lanes, s.Name); !known && s.Waiting+o.InFlight[s.Name] > 0 {
			view.Lanes = append(view.Lanes, laneView{
				Name: s.Name, State: stateGone, Waiting: s.Waiting, InFlight: o.InFlight[s.Name],
				Reason: "The lane is not in LANES any more.", Mend: "The next sweep gives its pictures to other lanes of their models.", Needs: true,
			})
		}
	}
	quotas := d.lanesNow(o)
	for _, m := range o.Models {
		if lane.ModelFor(quotas, m.Model) == "" {
			u := lane.ExplainUnserved(d.options.Lanes, quotas, m.Model)
			view.Unserved = append(view.Unserved, unservedView{Model: m.Model, Waiting: m.Waiting, Why: sentence(u.Why), Mend: u.Mend})
		}
	}
	return view
}

// lanesNow returns the lanes of the settings, with those paused that operators have
// paused by hand.
func (d *Dashboard) lanesNow(o record.Overview) []lane.Lane {
	loads := make(map[string]lane.Load, len(o.Lanes))
	for _, s := range o.Lanes {
		loads[s.Name] = lane.Load{Paused: s.PausedByHand()}
	}
	return lane.WithPauses(d.options.Lanes, loads)
}

// sentence returns a clause as a sentence.
func sentence(clause string) string { return strings.ToUpper(clause[:1]) + clause[1:] + "." }

// viewLane returns a lane of the settings.
func (d *Dashboard) viewLane(l lane.Lane, s record.LaneState, o record.Overview) laneView {
	v := laneView{
		Name: l.Name, Model: l.Model, AlsoServes: l.AlsoServes, RPM: l.RPM, Concurrency: l.Concurrency,
		Waiting: max(0, s.Waiting), InFlight: o.InFlight[l.Name], State: stateOpen,
		Known: true, Needs: s.PausedByHand() || s.Reason != nil, Pausable: !s.PausedByHand() && !l.Paused, Resumable: s.PausedByHand(),
	}
	opens := o.At
	switch {
	case s.PausedByHand():
		v.State, v.Since = stateByHand, at(s.ByHand.At, o.At)
		v.Reason, v.Mend = s.ByHand.Who+": "+s.ByHand.Reason, "It stays so until an operator resumes it."
		if s.Reason != nil && s.Until.After(o.At) {
			v.Mend += " After that it is closed until " + at(s.Until, o.At).Clock() + ": " + s.Reason.Message
		}
		return v
	case l.Paused:
		v.State, v.Reason, v.Needs = stateOff, `"paused" is set in LANES.`, false
		v.Mend = `Take "paused" from the lane in LANES (with terraform: in lanes), and deploy.`
		return v
	case s.Reason == nil:
	case s.Until.After(o.At):
		opens = s.Until
		v.State = statePaused
		if s.Broken {
			v.State = stateBroken
		}
		v.Since, v.Opens = at(s.Since, o.At), at(s.Until, o.At)
		v.Reason, v.Mend = s.Reason.Error(), d.mend(s)
	default:
		v.State, v.Since = stateProbation, at(s.Since, o.At)
		v.Reason, v.Mend = "It was closed: "+s.Reason.Error(), "The next delivery finds out whether it is mended. "+d.mend(s)
	}
	if v.Waiting > 0 && l.RPM > 0 {
		v.Drained = at(opens.Add(time.Duration(v.Waiting)*time.Minute/time.Duration(l.RPM)), o.At)
	}
	return v
}

// mend returns what opens a lane, in the words of doctor.
func (d *Dashboard) mend(s record.LaneState) string {
	return lane.MendPause(s.Broken, s.Reason.Code, cmp.Or(d.options.RPMSetting, "GEMINI_RPM"))
}

// lanesPage shows each lane, and what mends it.
func (d *Dashboard) lanesPage(v *visit) error {
	o, err := d.overview(v.r.Context())
	if err != nil {
		return err
	}
	hours, err := d.refusedByHour(v.r.Context(), o.At)
	if err != nil {
		return err
	}
	view := d.viewLanes(o, v.who.Role)
	for i, l := range view.Lanes {
		view.Lanes[i].Refused = hours.view(i, l.Name)
	}
	d.write(v, http.StatusOK, page{name: "lanes", Title: "Lanes", Live: true, Main: view})
	return nil
}
