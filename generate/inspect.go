package generate

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genai"
)

// A Refusal is the reason why Gemini does not serve a lane, as far as an inspection of
// its model tells. A Failure says less, because it is for the job's owner. A
// Refusal is for the operator who can correct it.
type Refusal string

const (
	RefusalKey         Refusal = "key"         // no such API key
	RefusalLeaked      Refusal = "leaked"      // the key was found in public
	RefusalSuspended   Refusal = "suspended"   // the key's project is suspended
	RefusalRestricted  Refusal = "restricted"  // the key is not for this API, or not for use from here
	RefusalDisabled    Refusal = "disabled"    // the API is not enabled in the key's project
	RefusalPermission  Refusal = "permission"  // any other 403
	RefusalModel       Refusal = "model"       // no such model
	RefusalUnfit       Refusal = "unfit"       // the model does not generate content
	RefusalLocation    Refusal = "location"    // not served from where this runs
	RefusalBilling     Refusal = "billing"     // the project's billing
	RefusalQuota       Refusal = "quota"       // used up, for now or at all
	RefusalUnreachable Refusal = "unreachable" // no connection
	RefusalProvider    Refusal = "provider"    // it fails, or does not answer in time
	RefusalOther       Refusal = "other"
)

// An InspectError says why the inspection of a model failed. Its text is for the log: it
// may hold the provider's words, secrets removed.
type InspectError struct {
	Why  Refusal
	text string
}

// Error returns the provider's words.
func (e *InspectError) Error() string { return e.text }

// generateContent is the action of a model that Generate asks for.
const generateContent = "generateContent"

// Inspect finds out whether the lane's key is accepted and the model can be asked.
// It sends one request, which costs nothing and counts against no quota of
// pictures. It cannot tell whether there is quota and money left. It fails with
// a *InspectError.
func (g *Gemini) Inspect(ctx context.Context, model string) error {
	var a answer
	m, err := g.get(a.in(ctx), model)
	if err == nil && m.Name == "" {
		err = errUndecodable // such as an error with status 200
	}
	if err != nil {
		e := evidenceOf(&a, nil, err)
		e.late = errors.Is(ctx.Err(), context.DeadlineExceeded)
		return &InspectError{Why: e.refused(), text: g.redact.text(e.text())}
	}
	if !slices.Contains(m.SupportedActions, generateContent) {
		return &InspectError{Why: RefusalUnfit, text: "it offers only " + strings.Join(m.SupportedActions, ", ")}
	}
	return nil
}

// get asks the SDK for a model and turns its panics into errors, as call does.
func (g *Gemini) get(ctx context.Context, model string) (m *genai.Model, err error) {
	defer func() {
		if recover() != nil {
			m, err = nil, errUndecodable
		}
	}()
	return g.client.Models.Get(ctx, model, nil)
}

// These match facts that only the text of an error tells, as seen in answers of
// the real service.
var (
	leaked     = regexp.MustCompile(`(?i)reported as leaked`)
	wrongPlace = regexp.MustCompile(`(?i)location is not supported|not available in your (country|region)`)
)

// refused returns what the evidence of an inspection means.
func (e *evidence) refused() Refusal {
	for _, d := range e.body.Details {
		switch {
		case strings.HasPrefix(d.Reason, "API_KEY_") && strings.HasSuffix(d.Reason, "_BLOCKED"):
			return RefusalRestricted // as API_KEY_SERVICE_BLOCKED, API_KEY_IP_ADDRESS_BLOCKED
		case d.Reason == "CONSUMER_SUSPENDED":
			return RefusalSuspended
		case d.Reason == "SERVICE_DISABLED":
			return RefusalDisabled
		}
	}
	if leaked.MatchString(e.body.Message) {
		return RefusalLeaked
	}
	switch s := classify(e); s {
	case signalKey:
		if e.status == http.StatusForbidden {
			return RefusalPermission
		}
		return RefusalKey
	case signalBilling:
		if wrongPlace.MatchString(e.body.Message) {
			return RefusalLocation
		}
		return RefusalBilling
	default:
		if r, ok := plainRefusals()[s]; ok {
			return r
		}
		return RefusalOther
	}
}

// plainRefusals returns the refusal for each signal that means one thing only.
// Other signals are RefusalOther.
func plainRefusals() map[signal]Refusal {
	return map[signal]Refusal{
		signalModel:       RefusalModel,
		signalMinute:      RefusalQuota,
		signalDay:         RefusalQuota,
		signalSpend:       RefusalQuota,
		signalQuotaZero:   RefusalQuota,
		signalCapacity:    RefusalQuota,
		signalUnreachable: RefusalUnreachable,
		signalTimeout:     RefusalProvider,
		signalLost:        RefusalProvider,
		signalInternal:    RefusalProvider,
		signalSlow:        RefusalProvider,
		signalUnavailable: RefusalProvider,
	}
}
