package doctor_test

import (
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/record"
)

// Each row has what waits and the lane's settings, and what doctor says of it.
func TestWorkWithoutALane(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		model      record.ModelState
		parked     int
		alsoServes string
		paused     bool
		want       []want
	}{
		"a model that is gone": {
			record.ModelState{Model: "retired", Waiting: 3, Parked: true}, 3, "", false,
			[]want{{doctor.Failed, "retired", "3 images wait, and no lane serves the model", `Add "retired" to "also_serves"`}, {doctor.Warning, "waiting", "all for a lane", "models' own lines"}},
		},
		"not parked yet": {
			record.ModelState{Model: "retired", Waiting: 3}, 0, "", false,
			[]want{{doctor.Failed, "retired", "no lane serves the model", ""}, {doctor.OK, "waiting", "3 images wait", ""}},
		},
		"a lane that is paused": {
			record.ModelState{Model: model, Waiting: 1, Parked: true}, 1, "", true,
			[]want{{doctor.Failed, model, "all lanes that serve the model are paused", `Take "paused" from lane "a"`}, {doctor.Warning, "waiting", "all for a lane", ""}},
		},
		"served again": {
			record.ModelState{Model: "retired", Waiting: 3, Parked: true}, 3, "retired", false,
			[]want{{doctor.Warning, "retired", "a lane serves the model again", "gcloud scheduler jobs run"}, {doctor.Warning, "waiting", "all for a lane", ""}},
		},
		"an older name": {
			record.ModelState{Model: "retired", Waiting: 3}, 0, "retired", false,
			[]want{{doctor.OK, "waiting", "3 images wait", ""}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := laneA()
			l.Quota.Paused = tt.paused
			if tt.alsoServes != "" {
				l.Quota.AlsoServes = []string{tt.alsoServes}
			}
			r := told{
				models:  []record.ModelState{tt.model},
				backlog: record.Backlog{Waiting: tt.model.Waiting, Parked: tt.parked, Waits: time.Minute},
			}
			got := examine(t, doctor.Work{Lanes: []doctor.LaneSettings{l}, Record: r, Account: account}.Check())
			expect(t, got, append(tt.want, want{doctor.OK, "outcomes", "", ""})...)
		})
	}
}

// Terraform stops the queue of a lane that is paused in the settings.
func TestQueueOfAPausedLaneMayBePaused(t *testing.T) {
	t.Parallel()
	q := setupQueue(t, cloudtasks.Options{})
	if _, err := q.client.PauseQueue(t.Context(), &cloudtaskspb.PauseQueueRequest{Name: queueName}); err != nil {
		t.Fatal(err)
	}
	l := laneA()
	expect(t, examine(t, doctor.Queue(l, q.open)), want{doctor.Failed, "a", "is paused", "resume"})
	l.Quota.Paused = true
	expect(t, examine(t, doctor.Queue(l, q.open)), want{doctor.OK, "a", "as its lane is in the settings", ""})
}
