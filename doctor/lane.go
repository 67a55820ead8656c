package doctor

import (
	"fmt"
	"strings"

	"github.com/ai-worker/ai-worker/lane"
)

// A LaneSettings is one lane, and where its settings are.
type LaneSettings struct {
	Quota  lane.Lane
	Listed bool // it is an entry of LANES, and not of the plain settings
}

// setting returns where to set a property of the lane: the plain setting, or
// the field of the lane's entry in LANES.
func (l LaneSettings) setting(plain, field string) string {
	if !l.Listed {
		return plain
	}
	return fmt.Sprintf("%q of lane %q in LANES", field, l.Quota.Name)
}

func (l LaneSettings) key() string         { return l.setting("GEMINI_API_KEY", "api_key_env") }
func (l LaneSettings) model() string       { return l.setting("GEMINI_MODEL", "model") }
func (l LaneSettings) concurrency() string { return l.setting("WORKER_CONCURRENCY", "concurrency") }

// needs returns others and the settings that define the lane.
func (l LaneSettings) needs(others ...string) []string {
	return append(others, "LANES", "GEMINI_MODEL", "GEMINI_RPM", "WORKER_CONCURRENCY")
}

// rate returns how many tasks a second the lane's queue should dispatch.
func (l LaneSettings) rate() float64 { return float64(l.Quota.RPM) / 60 }

// queue returns the end of a gcloud command: the queue's short name, project
// and location.
func (l LaneSettings) queue() string { return shortName(l.Quota.Queue) + " " + l.place() }

// place returns the flags of a gcloud command that say where the queue is.
func (l LaneSettings) place() string {
	project, location := place(l.Quota.Queue)
	return fmt.Sprintf("--project=%s --location=%s", project, location)
}

// place returns project and location of a queue's full name,
// projects/P/locations/L/queues/Q.
func place(queue string) (project, location string) {
	parts := strings.Split(queue, "/")
	if len(parts) != 6 {
		return "PROJECT", "REGION"
	}
	return parts[1], parts[3]
}

func shortName(queue string) string { return queue[strings.LastIndex(queue, "/")+1:] }
