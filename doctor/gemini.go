package doctor

import (
	"context"
	"errors"

	"github.com/ai-worker/ai-worker/generate"
)

// newKey is where keys are made.
const newKey = "https://aistudio.google.com/apikey"

// Gemini checks that a lane's key is accepted and its model is there, without
// paying for a picture. look fails with a *generate.InspectError.
func Gemini(l LaneSettings, look func(ctx context.Context, model string) error) Check {
	return Check{
		Name: "gemini", Subject: l.Quota.Name, Needs: l.needs("GEMINI_API_KEY", "GEMINI_BASE_URL"),
		Run: func(ctx context.Context) []Finding {
			err := look(ctx, l.Quota.Model)
			if err == nil {
				return []Finding{ok("%s can be asked with the key of %s; quota and billing only show with a picture", l.Quota.Model, l.key())}
			}
			if refusal, is := errors.AsType[*generate.InspectError](err); is {
				return []Finding{refused(l, refusal)}
			}
			return []Finding{failed("Correct "+l.key()+", or GEMINI_BASE_URL.", "the key of %s cannot be used: %v", l.key(), err)}
		},
	}
}

// WithoutKey stands for the check of Gemini on a lane whose key this process
// does not have. It skips the check.
func WithoutKey(l LaneSettings) Check {
	return Check{Name: "gemini", Subject: l.Quota.Name, Needs: l.needs("GEMINI_API_KEY"), Run: func(context.Context) []Finding {
		return []Finding{skipped("no key is set with %s; only the worker needs one", l.key())}
	}}
}

// refused returns a finding that says why Gemini does not serve the lane. It
// names a key by its setting. It quotes the provider's words only if nothing
// else explains the refusal, and last.
func refused(l LaneSettings, e *generate.InspectError) Finding {
	key := l.key()
	another := "Make another key at " + newKey + " and set " + key + "."
	switch e.Why {
	case generate.RefusalKey:
		return failed(another, "Google knows no such key as that of %s", key)
	case generate.RefusalLeaked:
		return failed("Make another key at "+newKey+", set "+key+", and delete the old one.",
			"the key of %s was found in public, and Google has blocked it", key)
	case generate.RefusalSuspended:
		return failed("Ask Google why: https://console.cloud.google.com/support; meanwhile set "+key+" to a key of another project.",
			"the project of the key of %s is suspended", key)
	case generate.RefusalRestricted:
		return failed("Allow the Generative Language API, and this machine, to the key: https://console.cloud.google.com/apis/credentials.",
			"the key of %s is not allowed for this: %v", key, e)
	case generate.RefusalDisabled:
		return failed("gcloud services enable generativelanguage.googleapis.com --project=THE_PROJECT_OF_THE_KEY",
			"the Gemini API is not enabled in the project of the key of %s", key)
	case generate.RefusalPermission:
		return failed(another, "the key of %s is refused: %v", key, e)
	case generate.RefusalModel:
		return failed("Set "+l.model()+" to one of those at https://ai.google.dev/gemini-api/docs/models.",
			"there is no model %s for the key of %s", l.Quota.Model, key)
	case generate.RefusalUnfit:
		return failed("Set "+l.model()+" to a model that draws: https://ai.google.dev/gemini-api/docs/image-generation.",
			"the model %s draws nothing: %v", l.Quota.Model, e)
	default:
		return refusedForNow(l, e)
	}
}

// refusedForNow returns a finding about a refusal that is not due to the key or
// the model.
func refusedForNow(l LaneSettings, e *generate.InspectError) Finding {
	switch e.Why {
	case generate.RefusalLocation:
		return failed("Run it in a region that is served: https://ai.google.dev/gemini-api/docs/available-regions.",
			"Gemini does not serve where this runs: %v", e)
	case generate.RefusalBilling:
		return failed("Mend the billing of the project of "+l.key()+": https://aistudio.google.com/usage.",
			"Google does not serve the project of the key of %s: %v", l.key(), e)
	case generate.RefusalQuota:
		return warning("Wait, or ask for more quota: https://aistudio.google.com/usage.",
			"the key of %s is accepted, and its quota is used up: %v", l.key(), e)
	case generate.RefusalUnreachable:
		return failed("Let this machine reach the net, or correct GEMINI_BASE_URL.", "Gemini cannot be reached: %v", e)
	case generate.RefusalProvider:
		return failed("Run this again in a minute; https://aistudio.google.com/status tells of Gemini's own troubles.",
			"Gemini does not answer as it should: %v", e)
	default:
		return failed("Look at what GEMINI_BASE_URL leads to, if it is set; else at Google's words.",
			"Gemini refuses to tell about %s: %v", l.Quota.Model, e)
	}
}
