package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/ai-worker/ai-worker/lane"
)

// A KeyedLane is a lane with the key that it belongs to.
type KeyedLane struct {
	Lane   lane.Lane
	APIKey Secret
}

// defaultLane is the name of the lane of the plain settings.
const defaultLane = "default"

// laneSetting is an entry of LANES.
type laneSetting struct {
	Name           string `json:"name"`
	Model          string `json:"model"`           // GEMINI_MODEL unless given
	RPM            int    `json:"rpm"`             // GEMINI_RPM unless given
	Concurrency    int    `json:"concurrency"`     // WORKER_CONCURRENCY unless given
	Queue          string `json:"queue"`           // full name
	APIKey         string `json:"api_key"`         // the key itself; better:
	APIKeyEnv      string `json:"api_key_env"`     // the name of the setting that holds the key
	Project        string `json:"project"`         // that the key belongs to
	BillingAccount string `json:"billing_account"` // that the project belongs to
	Paused         bool   `json:"paused"`          // its images go to others of the model, or wait

	AlsoServes []string `json:"also_serves"` // older names of models that it answers for
}

var laneName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// deriveLanes reads the lanes from LANES, a JSON array. Without LANES, the
// plain settings are the one lane. Plain settings that the lanes replace may be
// absent. Only a worker needs the keys, because only it asks Gemini.
func (r *reader) deriveLanes() {
	c := &r.config
	if r.lanes == "" {
		c.Lanes = []KeyedLane{{
			Lane: lane.Lane{
				Name: defaultLane, Model: c.Gemini.Model, RPM: c.Gemini.RPM, Concurrency: c.Gemini.Concurrency, Queue: c.Tasks.Queue,
			},
			APIKey: c.Gemini.APIKey,
		}}
		return
	}
	entries, err := decodeLanes(r.lanes)
	if err != nil {
		r.addFault("LANES", "must be a JSON array of lanes with name, model, rpm, concurrency, queue, api_key_env, "+
			"project, billing_account, paused and also_serves: "+err.Error())
		r.queueless = true
		return
	}
	for i, e := range entries {
		c.Lanes = append(c.Lanes, r.readLane(i, e, c.Gemini, c.Role.Worker() && !r.embeds))
	}
	r.checkLanes(entries, c.Gemini)
	r.queueless = entries[0].Queue == ""
	c.Tasks.Queue = orDefault(c.Tasks.Queue, entries[0].Queue)
	c.Gemini.APIKey = orDefault(c.Gemini.APIKey, c.Lanes[0].APIKey)
}

// decodeLanes reads the entries of LANES. Its errors never quote the text,
// which may hold keys.
func decodeLanes(text string) ([]laneSetting, error) {
	var entries []laneSetting
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&entries); err != nil {
		if strings.HasPrefix(err.Error(), "json: unknown field") {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
		}
		if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, fmt.Errorf("%s must be a %s", kind.Field, kind.Type)
		}
		return nil, errors.New("it is not valid JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the array")
	}
	if len(entries) == 0 {
		return nil, errors.New("it is empty")
	}
	return entries, nil
}

// readLane reads and checks one entry.
func (r *reader) readLane(i int, e laneSetting, g Gemini, needsKey bool) KeyedLane {
	l := KeyedLane{
		Lane: lane.Lane{
			Name: e.Name, Model: orDefault(e.Model, g.Model), RPM: orDefault(e.RPM, g.RPM),
			Concurrency: orDefault(e.Concurrency, g.Concurrency), Queue: e.Queue, Account: e.BillingAccount,
			Paused: e.Paused, AlsoServes: append([]string(nil), e.AlsoServes...), // nil for none
		},
		APIKey: Secret(e.APIKey),
	}
	bad := func(problem string) { r.addFault("LANES", fmt.Sprintf("entry %d (%.40q): %s", i+1, e.Name, problem)) }
	switch {
	case e.APIKey != "" && e.APIKeyEnv != "":
		bad("has both api_key and api_key_env")
	case e.APIKeyEnv != "":
		if l.APIKey = Secret(r.text(e.APIKeyEnv)); l.APIKey == "" && needsKey {
			r.addFault(e.APIKeyEnv, fmt.Sprintf("is missing: the key of lane %q in LANES", e.Name))
		}
	case e.APIKey == "" && needsKey:
		bad("needs api_key_env, the name of the setting that holds its key")
	}
	r.secrets = append(r.secrets, l.APIKey.Reveal())
	if !laneName.MatchString(e.Name) {
		bad("name must be 1 to 40 lower-case letters, digits and -")
	}
	if l.Lane.RPM < 1 || l.Lane.RPM > maxRPM {
		bad(fmt.Sprintf("rpm must be from 1 to %d", maxRPM))
	}
	if l.Lane.Concurrency < 1 || l.Lane.Concurrency > maxConcurrency {
		bad(fmt.Sprintf("concurrency must be from 1 to %d", maxConcurrency))
	}
	if slices.Contains(e.AlsoServes, "") || slices.Contains(e.AlsoServes, l.Lane.Model) {
		bad("also_serves must hold names of other models than its own")
	}
	if !queueName.MatchString(e.Queue) && (e.Queue != "" || !r.embeds) {
		bad("queue must be a full name, projects/PROJECT/locations/REGION/queues/QUEUE")
	}
	return l
}

// checkLanes notes what two lanes must not share. A quota belongs to a project
// and a model: a second key of one project adds nothing to it.
func (r *reader) checkLanes(entries []laneSetting, g Gemini) {
	names, queues, quotas := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, e := range entries {
		bad := func(problem string) { r.addFault("LANES", fmt.Sprintf("entry %d (%.40q): %s", i+1, e.Name, problem)) }
		quota := e.Project + " " + orDefault(e.Model, g.Model)
		switch {
		case names[e.Name]:
			bad("the name is another lane's too")
		case e.Queue != "" && queues[e.Queue]:
			bad("the queue is another lane's too")
		case e.Project != "" && quotas[quota]:
			bad("another lane has the same project and model: a second key of one project adds no quota")
		}
		names[e.Name], queues[e.Queue], quotas[quota] = true, true, true
	}
}
