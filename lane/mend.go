package lane

import (
	"fmt"
	"slices"

	"github.com/ai-worker/ai-worker/job"
)

// What doctor and the dashboard tell people, so that both say the same.

// MendPause returns what opens a lane that is closed for a reason, in sentences.
// rpm names the setting that holds the lane's requests a minute.
func MendPause(broken bool, reason job.Code, rpm string) string {
	const log = `Google's own words are in the log line "lane paused".`
	switch {
	case broken:
		return "Mend what the gemini line of this lane in `ai-worker doctor` says, or its quota and billing: https://aistudio.google.com/usage. " +
			"It opens by itself within 5 minutes after that. " + log
	case reason == job.CodeQuotaExhausted:
		return "Wait, raise the quota, or add a lane of another project: https://aistudio.google.com/usage. " +
			"If it comes often, lower " + rpm + " to what the quota is. " + log
	default:
		return "Wait: the provider failed many times in a row, and it is tried again by itself. " + log
	}
}

// An Unserved is why no lane draws images of a model, and what changes that, in
// sentences.
type Unserved struct{ Why, Mend string }

// ExplainUnserved returns why no lane draws images of a model. lanes is as
// WithPauses returns it, and settings as they are in the settings.
func ExplainUnserved(settings, lanes []Lane, model string) Unserved {
	serves := func(l Lane) bool { return l.Serves(model) }
	for i, l := range lanes {
		if serves(l) && l.Paused && !settings[i].Paused {
			return Unserved{
				"all lanes that serve the model are paused, " + l.Name + " by hand",
				fmt.Sprintf("Resume lane %q on the dashboard, or let another lane serve the model. Else they fail at their deadline.", l.Name),
			}
		}
	}
	if i := slices.IndexFunc(lanes, serves); i >= 0 {
		return Unserved{
			"all lanes that serve the model are paused in the settings",
			fmt.Sprintf(`Take "paused" from lane %q in LANES (with terraform: in lanes), or add %q to "also_serves" of another lane. Else they fail at their deadline.`,
				lanes[i].Name, model),
		}
	}
	return Unserved{
		"no lane serves the model",
		fmt.Sprintf(`Add %q to "also_serves" of the lane in LANES that is to draw them (with terraform: in lanes). Else they fail at their deadline.`, model),
	}
}
