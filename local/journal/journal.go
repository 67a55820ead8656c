// Package journal keeps the state of a stand-in in a file: one JSON object a
// line for each change, oldest first. Every change is handed to the operating
// system before it is answered, so it survives when the process is killed, but
// not when the machine loses power: nothing is synced.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// A journal is overgrown once it has compactFrom lines, and compactGarbage
// times as many as the state needs.
const (
	compactFrom    = 2000
	compactGarbage = 4
)

// ErrInUse: another process has the journal open.
var ErrInUse = errors.New("in use by another process")

// A Journal keeps changes of the type E in a file. The zero Journal keeps
// nothing. It is not safe for concurrent use.
type Journal[E any] struct {
	path  string
	file  *os.File
	lock  *os.File
	size  int64
	lines int
}

// Open reads the journal at path, hands each change to apply, and goes on
// writing at its end. A last line that a crash cut short is dropped. It fails
// with ErrInUse while another process has the journal open.
func Open[E any](path string, apply func(E) error) (*Journal[E], error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	j := &Journal[E]{path: path, file: file, lock: lock}
	if err := j.replay(apply); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: line %d: %w", path, j.lines+1, err), j.Close())
	}
	if err := file.Truncate(j.size); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *Journal[E]) replay(apply func(E) error) error {
	in := bufio.NewReaderSize(j.file, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var change E
		if err := json.Unmarshal(line, &change); err != nil {
			return err
		}
		if err := apply(change); err != nil {
			return err
		}
		j.size += int64(len(line))
		j.lines++
	}
}

// Keeps reports whether there is a file to write to.
func (j *Journal[E]) Keeps() bool { return j.file != nil }

// Write appends a change. If it fails, the file ends where it ended before.
func (j *Journal[E]) Write(change E) error {
	if !j.Keeps() {
		return nil
	}
	line, err := json.Marshal(change)
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

// Overgrown reports whether compacting pays off for a state of so many changes.
func (j *Journal[E]) Overgrown(changes int) bool {
	return j.Keeps() && j.lines >= compactFrom && j.lines >= compactGarbage*changes
}

// Compact replaces the journal by the changes that make the present state, all
// or nothing.
func (j *Journal[E]) Compact(changes []E) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, change := range changes {
		if err := encoder.Encode(change); err != nil {
			return err
		}
	}
	file, err := replace(j.path, out.Bytes())
	if err != nil {
		return err
	}
	old := j.file
	j.file, j.size, j.lines = file, int64(out.Len()), len(changes)
	return old.Close()
}

// Close writes what is left to the disk, and closes the file.
func (j *Journal[E]) Close() error {
	if !j.Keeps() {
		return nil
	}
	file := j.file
	j.file = nil
	return errors.Join(file.Sync(), file.Close(), j.lock.Close())
}

// ReplaceFile writes a file so that a reader sees the old one or the new one.
func ReplaceFile(path string, data []byte) error {
	file, err := replace(path, data)
	if err != nil {
		return err
	}
	return file.Close()
}

// replace does what ReplaceFile does, and returns the new file. It is the one
// that was written, so nothing can fail between the replacing and the opening.
func replace(path string, data []byte) (*os.File, error) {
	temp := path + ".new"
	file, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
