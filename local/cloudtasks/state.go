package cloudtasks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ai-worker/ai-worker/local/journal"
)

// journalFile, in Options.StateDir, has one entry a line, oldest first.
const journalFile = "cloudtasks.jsonl"

// An op is what an entry of the journal says.
type op string

const (
	opQueue        op = "queue"         // a queue as it is now
	opQueueDeleted op = "queue_deleted" // a queue is gone, and its tasks with it
	opPolicy       op = "policy"        // a queue's access policy as it is now
	opTask         op = "task"          // a task as it is now; its body only the first time
	opEnded        op = "ended"         // a task is gone
	opPurged       op = "purged"        // all tasks of a queue are gone
)

// An entry is one line of the journal.
type entry struct {
	Op       op              `json:"op"`
	At       time.Time       `json:"at"`
	Name     string          `json:"name,omitempty"`
	Message  json.RawMessage `json:"message,omitempty"` // of Cloud Tasks or IAM, in protojson
	Body     []byte          `json:"body,omitempty"`
	Executed int             `json:"executed,omitempty"`
	Previous int             `json:"previous,omitempty"`
	Reason   string          `json:"reason,omitempty"`
}

// load restores the state that was kept in dir and keeps further changes there.
func (e *engine) load(dir string) error {
	var last time.Time
	j, err := journal.Open(filepath.Join(dir, journalFile), func(en entry) error {
		if en.At.After(last) {
			last = en.At
		}
		return e.apply(en)
	})
	if err != nil {
		return err
	}
	e.journal = j
	if p, ok := e.clock.(paced); ok {
		p.continueFrom(last)
	}
	return nil
}

// record writes a change to the journal. It is for changes whose loss only repeats
// work: if the disk refuses one, the error is logged and a restart delivers again
// what was delivered.
func (e *engine) record(en entry) {
	if err := e.journal.Write(en); err != nil {
		e.log.Error("cloud tasks: the change is not kept", slog.String("op", string(en.Op)), slog.Any("error", err))
	}
}

// recordTask records a task as it is now.
func (e *engine) recordTask(t *task, now time.Time) {
	if e.journal.Keeps() && !t.ended {
		e.record(taskEntry(t, now, false))
	}
}

// compact rewrites a journal that has grown too long. Call it only when every
// recorded change has been made; otherwise it drops the one in between.
func (e *engine) compact() {
	state := len(e.queues) + len(e.tasks) + len(e.ended.ended) + len(e.deleted.ended)
	if !e.journal.Overgrown(state) {
		return
	}
	if err := e.journal.Compact(e.entries(e.clock.Now())); err != nil {
		e.log.Error("cloud tasks: the journal could not be compacted", slog.Any("error", err))
	}
}

// entries returns the present state as journal entries.
func (e *engine) entries(now time.Time) []entry {
	var all []entry
	for _, g := range e.deleted.remaining(now) {
		all = append(all, entry{Op: opQueueDeleted, At: g.at, Name: g.name})
	}
	for _, g := range e.ended.remaining(now) {
		all = append(all, entry{Op: opEnded, At: g.at, Name: g.name})
	}
	for _, name := range sortedKeys(e.queues) {
		q := e.queues[name]
		all = append(all, messageEntry(opQueue, name, q.pb, now))
		if q.policy != nil {
			all = append(all, messageEntry(opPolicy, name, q.policy, now))
		}
		for _, t := range byCreation(q.tasks) {
			all = append(all, taskEntry(t, now, true))
		}
	}
	return all
}

func byCreation(tasks map[string]*task) []*task {
	list := make([]*task, 0, len(tasks))
	for _, t := range tasks {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *task) int { return cmp.Compare(a.seq, b.seq) })
	return list
}

// messageEntry returns an entry that holds a message of this package, which always
// marshals.
func messageEntry(o op, name string, m proto.Message, now time.Time) entry {
	text, err := protojson.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("cloudtasks: marshal %T: %v", m, err))
	}
	return entry{Op: o, At: now, Name: name, Message: text}
}

func taskEntry(t *task, now time.Time, withBody bool) entry {
	en := messageEntry(opTask, t.name(), t.pb, now)
	en.Executed, en.Previous, en.Reason = t.executed, t.previous, t.reason
	if withBody {
		en.Body = t.body
	}
	return en
}

// apply repeats an entry of the journal. An entry about something that does not
// exist has no effect.
func (e *engine) apply(en entry) error {
	q := e.queues[en.Name]
	switch en.Op {
	case opQueue:
		return e.applyQueue(en)
	case opTask:
		return e.applyTask(en)
	case opPolicy:
		policy := &iampb.Policy{}
		if q != nil {
			q.policy = policy
		}
		return protojson.Unmarshal(en.Message, policy)
	case opQueueDeleted:
		e.dropQueue(en.Name, en.At)
	case opPurged:
		e.dropTasks(q, en.At)
	case opEnded:
		if t := e.tasks[en.Name]; t != nil {
			e.remove(t, en.At)
		} else {
			e.ended.add(en.Name, en.At)
		}
	default:
		return fmt.Errorf("unknown op %q", en.Op)
	}
	return nil
}

func (e *engine) applyQueue(en entry) error {
	pb := &cloudtaskspb.Queue{}
	if err := protojson.Unmarshal(en.Message, pb); err != nil {
		return err
	}
	if q := e.queues[en.Name]; q != nil {
		q.configure(pb, e.clock.Now())
		return nil
	}
	e.queues[en.Name] = newQueue(pb, e.clock.Now())
	return nil
}

func (e *engine) applyTask(en entry) error {
	pb := &cloudtaskspb.Task{}
	if err := protojson.Unmarshal(en.Message, pb); err != nil {
		return err
	}
	name, _, _ := splitTask(en.Name)
	q, t := e.queues[name], e.tasks[en.Name]
	if q == nil {
		return nil
	}
	if t == nil {
		t = &task{queue: q, body: en.Body, index: -1}
	} else {
		q.due.remove(t)
	}
	t.pb, t.executed, t.previous, t.reason = pb, en.Executed, en.Previous, en.Reason
	t.due = pb.GetScheduleTime().AsTime()
	if e.tasks[en.Name] == nil {
		e.insert(t)
	} else {
		q.due.add(t)
	}
	return nil
}

// dropQueue removes a queue with its tasks. The queue's name stays taken for a
// while.
func (e *engine) dropQueue(name string, at time.Time) {
	if q := e.queues[name]; q != nil {
		e.dropTasks(q, at)
		delete(e.queues, name)
	}
	e.deleted.add(name, at)
}

// dropTasks ends every task of q. Attempts that are under way run on, and their
// answers change nothing.
func (e *engine) dropTasks(q *queue, at time.Time) {
	if q == nil {
		return
	}
	for _, t := range byCreation(q.tasks) {
		e.remove(t, at)
	}
}
