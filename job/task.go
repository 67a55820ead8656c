package job

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Task names one entry on a queue: an image that was put on a queue for the
// dispatch-th time. A delivery carries it.
//
// A task is first of all a slot of quota, and only then a certain image's: the
// delivery runs the image whose turn it is, and the record exchanges the tasks
// of the two.
type Task struct {
	JobID    string
	Index    int
	Dispatch int    // from 1
	Lane     string // whose queue it is on
}

// ID returns the task's name within its queue. The same task always has the
// same ID, so that the queue refuses to create it twice. It starts with a hash
// because sequential names make Cloud Tasks slow. The rest is legible because
// people meet it in the console. The lane is no part of it, because a dispatch
// is on one lane only.
func (t Task) ID() string {
	id := fmt.Sprintf("%s-%d-%d", t.JobID, t.Index, t.Dispatch)
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:4]) + "-" + id
}
