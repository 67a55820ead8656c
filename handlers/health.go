package handlers

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// Health serves GET /health, and names the version that answers. It asks no
// other service: to ask the database would keep it awake, and a service that
// fails is not this instance's fault.
func Health(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Version", version)
		_, _ = io.WriteString(w, `{"status":"healthy"}`+"\n")
	}
}

// A LaneReader reads how the lanes are doing.
type LaneReader interface {
	LaneStates(context.Context) ([]record.LaneState, error)
	Models(context.Context) ([]record.ModelState, error)
}

// Lanes shows how the lanes are doing.
type Lanes struct {
	Lanes  []lane.Lane
	Record LaneReader
	Log    *slog.Logger

	queries singleflight.Group
	latest  atomic.Pointer[laneReading]
}

// A laneReading is what the record said of the lanes, and when.
type laneReading struct {
	states []record.LaneState
	models []record.ModelState
	err    error
	at     time.Time
}

// laneReadingLasts is for how long a reading is shown. Anybody may ask for it,
// and a query costs more than an answer.
const laneReadingLasts = 5 * time.Second

// read returns a reading that lasts still, or makes one: one at a time, however
// many ask for it. A failure is a reading as well.
func (h *Lanes) read(ctx context.Context) *laneReading {
	v, _, _ := h.queries.Do("", func() (any, error) {
		if l := h.latest.Load(); l != nil && time.Since(l.at) < laneReadingLasts {
			return l, nil
		}
		ctx := context.WithoutCancel(ctx) // others wait for it too
		states, err := h.Record.LaneStates(ctx)
		var models []record.ModelState
		if err == nil {
			models, err = h.Record.Models(ctx)
		}
		if err != nil {
			h.Log.ErrorContext(ctx, "lanes cannot be read", "error", err)
		}
		l := &laneReading{states: states, models: models, err: err, at: time.Now()}
		h.latest.Store(l)
		return l, nil
	})
	return v.(*laneReading)
}

// laneResource is a lane as people see it.
type laneResource struct {
	Name        string                  `json:"name"`
	Model       string                  `json:"model"`
	Status      string                  `json:"status"` // up, paused or broken
	RPM         int                     `json:"rpm"`
	Concurrency int                     `json:"concurrency"`
	Waiting     int                     `json:"waiting"` // images whose task is on its queue
	Reason      *snapshot.ErrorResource `json:"reason"`
	Since       *time.Time              `json:"since"`
	Until       *time.Time              `json:"until"` // when it is tried again
}

// unservedResource is what waits of a model that no lane serves.
type unservedResource struct {
	Model   string `json:"model"`
	Waiting int    `json:"waiting"`
}

// Health serves GET /health/lanes: 200 with the lanes, whatever their state, as
// they were 5 s ago at most. An alert goes by what the answer says.
func (h *Lanes) Health(w http.ResponseWriter, r *http.Request) {
	l := h.read(r.Context())
	if l.err != nil {
		w.Header().Set("Retry-After", strconv.Itoa(int(laneReadingLasts.Seconds())))
		WriteProblem(w, http.StatusServiceUnavailable, "The record cannot be reached. Ask again in a few seconds.")
		return
	}
	known := make(map[string]record.LaneState, len(l.states))
	loads := make(map[string]lane.Load, len(l.states))
	for _, s := range l.states {
		known[s.Name] = s
		loads[s.Name] = lane.Load{Paused: s.PausedByHand()}
	}
	quotas := lane.WithPauses(h.Lanes, loads)
	lanes := make([]laneResource, len(h.Lanes))
	for i, quota := range h.Lanes {
		lanes[i] = newLaneResource(quota, known[quota.Name])
	}
	unserved := []unservedResource{}
	for _, m := range l.models {
		if lane.ModelFor(quotas, m.Model) == "" {
			unserved = append(unserved, unservedResource{Model: m.Model, Waiting: m.Waiting})
		}
	}
	writeJSON(w, map[string]any{"lanes": lanes, "unserved": unserved})
}

func newLaneResource(l lane.Lane, s record.LaneState) laneResource {
	r := laneResource{
		Name: l.Name, Model: l.Model, Status: "up", RPM: l.RPM, Concurrency: l.Concurrency, Waiting: s.Waiting,
	}
	if l.Paused {
		r.Status = "paused"
		r.Reason = &snapshot.ErrorResource{
			Code: "paused_in_settings", Message: "The lane is paused in the settings (paused in LANES), until it is taken out there.",
		}
		return r
	}
	if s.PausedByHand() { // by whom and why is for operators
		r.Status, r.Since = "paused", optional(s.ByHand.At)
		r.Reason = &snapshot.ErrorResource{
			Code: "paused_by_hand", Message: "An operator has paused the lane, until one resumes it.",
		}
		return r
	}
	if s.Reason == nil || time.Now().After(s.Until) {
		return r
	}
	r.Status = "paused"
	if s.Broken {
		r.Status = "broken"
	}
	r.Reason = &snapshot.ErrorResource{Code: string(s.Reason.Code), Message: s.Reason.Message}
	r.Since, r.Until = optional(s.Since), optional(s.Until)
	return r
}

// optional returns a pointer to t, or nil for the zero time. Nil is null in
// JSON.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // there is nobody left to tell
}
