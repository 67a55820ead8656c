package snapshot_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/snapshot"
)

// noon is the time of the renderers here.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// show returns the job as callers see it.
func show(t *testing.T, r snapshot.Renderer, j job.Job) snapshot.JobResource {
	t.Helper()
	snap, err := r.Render(j)
	if err != nil {
		t.Fatal(err)
	}
	var shown snapshot.JobResource
	if err := json.Unmarshal(snap.JSON, &shown); err != nil {
		t.Fatal(err)
	}
	return shown
}

// later returns the time some minutes after noon.
func later(minutes float64) *time.Time {
	at := noon.Add(time.Duration(minutes * float64(time.Minute)))
	return &at
}

func TestImagesSayWhatTheyWaitFor(t *testing.T) {
	t.Parallel()
	lane := func(name string, models ...string) snapshot.Lane {
		return snapshot.Lane{Name: name, Models: models, RPM: 60}
	}
	off := snapshot.Lane{Name: "off", Models: []string{"m", "old"}, RPM: 60, Paused: true}
	two := []snapshot.Lane{lane("a", "m"), lane("b", "m"), lane("other", "n")}
	queued := func(code job.Code, notBefore float64) job.Image {
		img := job.Image{Status: job.StatusQueued}
		if code != "" {
			img.Error = &job.Error{Code: code}
		}
		if notBefore != 0 {
			img.NotBefore = *later(notBefore)
		}
		return img
	}
	ready := queued("", 0)
	parked := job.Image{Status: job.StatusQueued, Parked: true}
	const quota, broken, timeout = job.CodeQuotaExhausted, job.CodeLaneUnavailable, job.CodeProviderTimeout
	pause := func(name string, code job.Code, minutes float64) job.PausedLane {
		return job.PausedLane{Name: name, Code: code, Until: *later(minutes)}
	}
	for name, tt := range map[string]struct {
		lanes    []snapshot.Lane // two of the model unless given
		paused   []job.PausedLane
		image    job.Image
		partial  bool // it is not known which lanes are paused
		want     snapshot.Waiting
		retryAt  *time.Time
		position bool // the job has one
	}{
		"its turn":               {image: ready, want: "turn", position: true},
		"its turn, once more":    {image: queued(timeout, 0), want: "turn", position: true},
		"back-off":               {image: queued(timeout, 3), want: "backoff", retryAt: later(3), position: true},
		"back-off, no reason":    {image: queued("", 3), want: "backoff", retryAt: later(3), position: true},
		"back-off that is over":  {image: queued(timeout, -1), want: "turn", position: true},
		"capacity":               {image: queued(quota, 3), want: "quota", retryAt: later(3), position: true},
		"a lane that is refused": {image: queued(broken, 3), want: "lane", retryAt: later(3), position: true},
		"one lane is closed":     {paused: []job.PausedLane{pause("a", quota, 5)}, image: ready, want: "turn", position: true},
		"all lanes are out of quota": {
			paused: []job.PausedLane{pause("a", quota, 5), pause("b", broken, 9)}, image: ready,
			want: "quota", retryAt: later(5), position: true,
		},
		"all lanes are broken": {
			paused: []job.PausedLane{pause("a", quota, 9), pause("b", broken, 5)}, image: ready,
			want: "lane", retryAt: later(5), position: true,
		},
		"all lanes tripped their breakers": {
			paused: []job.PausedLane{pause("a", job.CodeProviderError, 9), pause("b", timeout, 5)}, image: ready,
			want: "lane", retryAt: later(5), position: true,
		},
		"back-off while all lanes are closed for longer": {
			paused: []job.PausedLane{pause("a", quota, 9), pause("b", broken, 5)}, image: queued(timeout, 3),
			want: "backoff", retryAt: later(5), position: true,
		},
		"a pause that is over": {
			paused: []job.PausedLane{pause("a", quota, 0), pause("b", broken, 5)}, image: ready, want: "turn", position: true,
		},
		"out of quota, lanes not known": {image: queued(quota, 0), partial: true, want: "quota"},
		"refused, lanes not known":      {image: queued(broken, 0), partial: true, want: "lane"},
		"its turn, lanes not known":     {image: queued(timeout, 0), partial: true, want: "turn"},
		"back-off, lanes not known":     {image: queued(timeout, 3), partial: true, want: "backoff", retryAt: later(3)},
		"parked, no lane":               {lanes: []snapshot.Lane{lane("other", "n")}, image: parked, want: "model"},
		"parked, lane switched off":     {lanes: []snapshot.Lane{lane("other", "n"), off}, image: parked, want: "lane"},
		"parked, a lane came back":      {image: parked, want: "model"},
		"no lane, not parked yet":       {lanes: []snapshot.Lane{lane("other", "n")}, image: ready, want: "model"},
		"switched off, not parked yet":  {lanes: []snapshot.Lane{off}, image: ready, want: "lane"},
		"a lane that also serves it":    {lanes: []snapshot.Lane{lane("a", "n", "m"), off}, image: ready, want: "turn", position: true},
		"the lane that draws it is closed": {
			lanes: []snapshot.Lane{lane("b", "n", "m"), lane("a", "m")}, paused: []job.PausedLane{pause("a", broken, 5)}, image: ready,
			want: "lane", retryAt: later(5), position: true,
		},
		"another lane of the model that draws it is open": {
			lanes: []snapshot.Lane{lane("a", "n", "m"), lane("b", "n")}, paused: []job.PausedLane{pause("a", broken, 5)}, image: ready,
			want: "turn", position: true,
		},
		"one lane is paused by hand": {paused: []job.PausedLane{{Name: "a", ByHand: true}}, image: ready, want: "turn", position: true},
		"all lanes are paused by hand": {
			paused: []job.PausedLane{{Name: "a", ByHand: true}, {Name: "b", ByHand: true}}, image: ready, want: "lane",
		},
		"parked, paused by hand": {
			paused: []job.PausedLane{{Name: "a", ByHand: true}, {Name: "b", ByHand: true}}, image: parked, partial: true, want: "lane",
		},
		"one is paused by hand, the other is out of quota": {
			paused: []job.PausedLane{{Name: "a", ByHand: true}, pause("b", quota, 5)}, image: ready, want: "quota", retryAt: later(5), position: true,
		},
		"processing": {image: job.Image{Status: job.StatusProcessing}},
		"failed":     {image: job.Image{Status: job.StatusFailed, Error: &job.Error{Code: quota}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := renderer()
			if r.Lanes = two; tt.lanes != nil {
				r.Lanes = tt.lanes
			}
			j := job.Job{Input: job.Input{Model: "m"}, Images: []job.Image{tt.image}, Paused: tt.paused}
			if !tt.partial {
				j.Ahead = new(int)
			}
			shown := show(t, r, j)
			var want *snapshot.Waiting
			if tt.want != "" {
				want = &tt.want
			}
			if diff := cmp.Diff(want, shown.Images[0].WaitingFor); diff != "" {
				t.Errorf("waiting_for (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.retryAt, shown.Images[0].RetryAt); diff != "" {
				t.Errorf("retry_at (-want +got):\n%s", diff)
			}
			if (shown.QueuePosition != nil) != tt.position || (shown.EstimatedStartAt != nil) != tt.position {
				t.Errorf("position %v, start at %v; want both: %v", shown.QueuePosition, shown.EstimatedStartAt, tt.position)
			}
		})
	}
}

func TestSentBy(t *testing.T) {
	t.Parallel()
	at := func(minutes float64, rpm int) snapshot.Opening {
		return snapshot.Opening{At: *later(minutes), RPM: rpm}
	}
	for name, tt := range map[string]struct {
		n     int
		lanes []snapshot.Opening
		want  float64 // minutes after noon
	}{
		"none ahead":                      {0, []snapshot.Opening{at(0, 60)}, 0},
		"one lane":                        {90, []snapshot.Opening{at(0, 60)}, 1.5},
		"two lanes":                       {90, []snapshot.Opening{at(0, 60), at(0, 30)}, 1},
		"none ahead, closed":              {0, []snapshot.Opening{at(5, 60), at(7, 60)}, 5},
		"closed":                          {60, []snapshot.Opening{at(5, 60)}, 6},
		"done before the second opens":    {60, []snapshot.Opening{at(0, 60), at(5, 60)}, 1},
		"done as the second opens":        {300, []snapshot.Opening{at(0, 60), at(5, 60)}, 5},
		"the second helps":                {400, []snapshot.Opening{at(0, 60), at(5, 40)}, 6},
		"three, one after the other":      {60 + 2*90 + 120, []snapshot.Opening{at(1, 60), at(2, 30), at(4, 30)}, 5},
		"a slow lane while the fast rest": {1000, []snapshot.Opening{at(0, 10), at(60, 990)}, 60.4},
	} {
		if got := snapshot.SentBy(tt.n, tt.lanes...).Sub(*later(tt.want)).Abs(); got > time.Millisecond {
			t.Errorf("%s: off by %s", name, got)
		}
	}
}

// The estimate is for the next image that may start, and knows for how long that
// one waits.
func TestEstimates(t *testing.T) {
	t.Parallel()
	waits := func(minutes float64) job.Image {
		return job.Image{Status: job.StatusQueued, NotBefore: *later(minutes)}
	}
	ready, parked := job.Image{Status: job.StatusQueued}, job.Image{Status: job.StatusQueued, Parked: true}
	ended, runs := job.Image{Status: job.StatusFailed}, job.Image{Status: job.StatusProcessing}
	for name, tt := range map[string]struct {
		images []job.Image
		ahead  int
		paused []job.PausedLane
		want   *time.Time
	}{
		"after a first attempt":      {[]job.Image{ended, runs, ready}, 120, nil, later(2)},
		"the ready one goes first":   {[]job.Image{waits(9), ready}, 120, nil, later(2)},
		"what waits for long":        {[]job.Image{waits(9), waits(5)}, 120, nil, later(5)},
		"what waits for its turn":    {[]job.Image{waits(1)}, 120, nil, later(2)},
		"its lane opens":             {[]job.Image{ready}, 60, []job.PausedLane{{Name: "a", Until: *later(7)}}, later(8)},
		"another model's lane opens": {[]job.Image{ready}, 60, []job.PausedLane{{Name: "b", Until: *later(7)}}, later(1)},
		"beside a parked one":        {[]job.Image{parked, waits(5)}, 0, nil, later(5)},
		"parked":                     {[]job.Image{parked}, 3, nil, nil},
		"nothing waits":              {[]job.Image{ended, runs}, 0, nil, nil},
	} {
		j := job.Job{Input: job.Input{Model: "m"}, Images: tt.images, Ahead: &tt.ahead, Paused: tt.paused}
		shown := show(t, renderer(), j)
		if diff := cmp.Diff(tt.want, shown.EstimatedStartAt); diff != "" {
			t.Errorf("%s: estimated_start_at (-want +got):\n%s", name, diff)
		}
		if (shown.QueuePosition == nil) != (tt.want == nil) || tt.want != nil && *shown.QueuePosition != tt.ahead {
			t.Errorf("%s: queue_position %v, want %d", name, shown.QueuePosition, tt.ahead)
		}
	}
}
