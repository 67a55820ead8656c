package job

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Task names one entry on a queue: the dispatch-th time that an image was
// put on one. It is what a delivery carries.
//
// A task is a slot of quota first and an image's only second: the delivery
// runs the image whose turn it is, and the record exchanges the two tasks.
type Task struct {
	JobID    string
	Index    int
	Dispatch int    // from 1
	Lane     string // whose queue it is on
}

// ID is the task's name within its queue. The same task always has the same
// ID, so that creating it twice is refused by the queue. It starts with a hash
// because sequential names make Cloud Tasks slow, and goes on legibly because
// people meet it in the console. A dispatch is on one lane only, so that the
// lane is no part of it.
func (t Task) ID() string {
	id := fmt.Sprintf("%s-%d-%d", t.JobID, t.Index, t.Dispatch)
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:4]) + "-" + id
}
