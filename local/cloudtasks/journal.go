package cloudtasks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// journalFile, in Options.StateDir, has one JSON object a line, oldest first.
const journalFile = "cloudtasks.jsonl"

// A journal is rewritten as the present state once it has compactFrom lines, and
// compactGarbage times as many as that state needs.
const (
	compactFrom    = 2000
	compactGarbage = 4
)

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

// A journal keeps an engine's state in a file: every change is handed to the
// operating system before it is answered, so it outlives the process being killed
// (not the machine losing power: nothing is synced). The zero journal keeps
// nothing.
type journal struct {
	path  string
	file  *os.File
	size  int64
	lines int
}

// openJournal reads the journal in dir, hands each entry to apply, and goes on
// writing at its end. A last line that a crash cut short is dropped.
func openJournal(dir string, apply func(entry) error) (*journal, error) {
	j := &journal{path: filepath.Join(dir, journalFile)}
	file, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j.file = file
	if err := j.replay(apply); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: line %d: %w", j.path, j.lines+1, err), file.Close())
	}
	if err := file.Truncate(j.size); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

func (j *journal) replay(apply func(entry) error) error {
	in := bufio.NewReaderSize(j.file, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var en entry
		if err := json.Unmarshal(line, &en); err != nil {
			return err
		}
		if err := apply(en); err != nil {
			return err
		}
		j.size += int64(len(line))
		j.lines++
	}
}

// keeps tells whether there is a file to write to.
func (j *journal) keeps() bool { return j.file != nil }

// write appends an entry. After a failure the file ends where it ended before.
func (j *journal) write(en entry) error {
	if !j.keeps() {
		return nil
	}
	line, err := json.Marshal(en)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(len(line))
	j.lines++
	return nil
}

// overgrown tells that compacting pays off for a state of the given entries.
func (j *journal) overgrown(entries int) bool {
	return j.keeps() && j.lines >= compactFrom && j.lines >= compactGarbage*entries
}

// compact replaces the journal by the given entries, all or nothing.
func (j *journal) compact(entries []entry) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, en := range entries {
		if err := encoder.Encode(en); err != nil {
			return err
		}
	}
	if err := replaceFile(j.path, out.Bytes()); err != nil {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	old := j.file
	j.file, j.size, j.lines = file, int64(out.Len()), len(entries)
	return old.Close()
}

func (j *journal) close() error {
	if !j.keeps() {
		return nil
	}
	file := j.file
	j.file = nil
	return errors.Join(file.Sync(), file.Close())
}

// replaceFile writes a file so that a reader sees the old one or the new one.
func replaceFile(path string, data []byte) error {
	temp := path + ".new"
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
