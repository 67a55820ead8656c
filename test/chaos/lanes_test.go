package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// models are the names that the model has in turn. No caller is told of a new
// name: those that name a model go on to name the first. Both have prices, which a
// budget asks for.
var models = []string{"gemini-3.1-flash-image", "gemini-nano-banana-2.1"}

// laneNames are the lanes of the deployment. Each has a key of its own.
var laneNames = []string{"a", "b"}

// A laneSetting is one entry of LANES.
type laneSetting struct {
	Name       string   `json:"name"`
	Model      string   `json:"model"`
	Queue      string   `json:"queue"`
	APIKeyEnv  string   `json:"api_key_env"`
	Project    string   `json:"project"`
	Account    string   `json:"billing_account"`
	Paused     bool     `json:"paused,omitempty"`
	AlsoServes []string `json:"also_serves,omitempty"`
}

// serves reports whether the lane may draw what was asked for under the name of
// a model.
func (l laneSetting) serves(model string) bool {
	return l.Model == model || slices.Contains(l.AlsoServes, model)
}

func keyOf(lane string) string { return "AIzaTest-" + lane }

// A setup is the lanes as they are deployed at some time.
type setup struct {
	number   int
	renames  int            // how often the model got another name
	versions map[string]int // of the lanes' queues
	paused   string         // a lane, or empty
	removed  string         // a lane, or empty
}

// model returns the name of the model.
func (s setup) model() string { return models[s.renames%len(models)] }

func (s setup) queue(lane string) string {
	return fmt.Sprintf("%s/queues/%s-v%d", queueParent, lane, s.versions[lane])
}

// lanes returns what LANES says.
func (s setup) lanes() (lanes []laneSetting) {
	for _, name := range laneNames {
		if name == s.removed {
			continue
		}
		l := laneSetting{
			Name: name, Model: s.model(), Queue: s.queue(name), APIKeyEnv: "KEY_" + strings.ToUpper(name),
			Project: name, Account: "x", Paused: name == s.paused,
		}
		if s.renames > 0 {
			l.AlsoServes = slices.DeleteFunc(slices.Clone(models), func(m string) bool { return m == l.Model })
		}
		lanes = append(lanes, l)
	}
	return lanes
}

func (s setup) lane(name string) (laneSetting, bool) {
	lanes := s.lanes()
	if i := slices.IndexFunc(lanes, func(l laneSetting) bool { return l.Name == name }); i >= 0 {
		return lanes[i], true
	}
	return laneSetting{}, false
}

// idle returns the lanes whose tasks do not come by themselves.
func (s setup) idle() []string {
	return slices.DeleteFunc([]string{s.paused, s.removed}, func(name string) bool { return name == "" })
}

// env returns the settings of a worker.
func (s setup) env() ([]string, error) {
	lanes, err := json.Marshal(s.lanes())
	return []string{"LANES=" + string(lanes), "GEMINI_MODEL=" + s.model()}, err
}

// setups are those that were deployed, in order; the last is the present one.
type setups struct {
	mu  sync.Mutex
	all []setup
}

func (s *setups) add(next setup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, next)
}

func (s *setups) now() setup {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[len(s.all)-1]
}

// change deploys all workers with other lanes, as Terraform does: it makes
// queues before that, and deletes those that are not used any more after it. It
// does not wait. Changes follow each other in the order of their calls.
func (d *deployment) change(ctx context.Context, what trouble, lane string) {
	before := d.changed
	done := make(chan struct{})
	d.changed = done
	d.crew.busy.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		was := d.setups.now()
		next := changed(was, what, lane)
		d.setUpQueues(ctx, was, next)
		d.setups.add(next)
		d.crew.replaceAll(ctx)
		if next.removed != "" && next.removed != was.removed {
			d.deleteQueue(ctx, next.queue(next.removed))
			d.letPass(ctx, next.removed)
		}
	})
}

// isChanging reports whether a change has not ended. On a slow machine, changes
// would take longer than there is between them, and go on for long after the
// trouble. So those that are not the first of their kind are left out then.
func (d *deployment) isChanging() bool {
	if d.changed == nil {
		return false
	}
	select {
	case <-d.changed:
		return false
	default:
		return true
	}
}

// changed returns the setup that follows another one.
func changed(s setup, what trouble, lane string) setup {
	next := s
	next.number++
	next.paused, next.removed = "", ""
	switch what {
	case pauseLane:
		next.paused = lane
	case removeLane:
		next.removed = lane
	case renameModel:
		next.renames++
	default: // returnLanes
	}
	if s.removed != "" { // the name of a queue that was deleted cannot be used for three days
		next.versions = map[string]int{}
		for _, name := range laneNames {
			next.versions[name] = s.versions[name]
		}
		next.versions[s.removed]++
	}
	return next
}

// setUpQueues makes a queue anew, and pauses or resumes the queues of lanes.
func (d *deployment) setUpQueues(ctx context.Context, was, next setup) {
	queue := d.queue.Service()
	var err error
	switch {
	case was.removed != "":
		err = d.createQueue(ctx, next.queue(was.removed))
	case was.paused != "" && next.paused != was.paused:
		_, err = queue.ResumeQueue(ctx, &cloudtaskspb.ResumeQueueRequest{Name: next.queue(was.paused)})
	}
	if err == nil && next.paused != "" {
		_, err = queue.PauseQueue(ctx, &cloudtaskspb.PauseQueueRequest{Name: next.queue(next.paused)})
	}
	if err != nil && ctx.Err() == nil {
		d.t.Errorf("queues: %v", err)
	}
}

// createQueue makes the queue of a lane. Retries come sooner than in production.
func (d *deployment) createQueue(ctx context.Context, name string) error {
	_, err := d.queue.Service().CreateQueue(ctx, &cloudtaskspb.CreateQueueRequest{
		Parent: queueParent, Queue: &cloudtaskspb.Queue{
			Name:       name,
			RateLimits: &cloudtaskspb.RateLimits{MaxDispatchesPerSecond: 10, MaxConcurrentDispatches: 20},
			RetryConfig: &cloudtaskspb.RetryConfig{
				MaxAttempts: -1, MinBackoff: durationpb.New(retryFirst), MaxBackoff: durationpb.New(retryLast),
			},
		},
	})
	return err
}

func (d *deployment) deleteQueue(ctx context.Context, name string) {
	_, err := d.queue.Service().DeleteQueue(ctx, &cloudtaskspb.DeleteQueueRequest{Name: name})
	if err != nil && ctx.Err() == nil {
		d.t.Errorf("delete a queue: %v", err)
	}
}

// A claimed is what the database noted of a claim.
type claimed struct {
	worker, lane, model string
	asked               string // the model that the caller asked for
	image               string
}

// checkLanes fails if an image was claimed for a lane that does not serve the
// model which its caller asked for, by the settings of the process that claimed
// it, or was drawn by another model than that lane's.
func (d *deployment) checkLanes(rows []row, byID map[string]*submitted) {
	d.t.Helper()
	asked := map[pictureID]string{}
	for _, r := range rows {
		if j := byID[r.job]; j != nil {
			asked[pictureID{j.number, r.index}] = r.asked
		}
	}
	for _, c := range d.readClaims() {
		_, text, _ := strings.Cut(c.worker, setupMark)
		number := 0
		if _, err := fmt.Sscan(text, &number); err != nil || number >= len(d.setups.all) {
			d.t.Errorf("%s was claimed by %s, which is no worker", c.image, c.worker)
			continue
		}
		l, known := d.setups.all[number].lane(c.lane)
		if !known || l.Paused || l.Model != c.model || !l.serves(c.asked) {
			d.t.Errorf("%s, asked of %s, was claimed as one of %s on lane %s by %s, whose lanes are %+v",
				c.image, c.asked, c.model, c.lane, c.worker, d.setups.all[number].lanes())
		}
	}
	for request := range d.model.drawnBy {
		if !d.mayDraw(request.key, request.model, asked[request.picture]) {
			d.t.Errorf("picture %v, asked of %s, was asked of %s with key %s", request.picture, asked[request.picture], request.model, request.key)
		}
	}
}

// mayDraw reports whether a lane with a key ever drew by a model what was asked
// of another.
func (d *deployment) mayDraw(key, model, asked string) bool {
	for _, s := range d.setups.all {
		for _, l := range s.lanes() {
			if keyOf(l.Name) == key && !l.Paused && l.Model == model && l.serves(asked) {
				return true
			}
		}
	}
	return false
}
