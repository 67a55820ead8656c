package files

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrExists means that there is another file at the path already.
var ErrExists = errors.New("there is another file already, and nothing is overwritten without --force")

// Save writes a file whole, or not at all: under another name in the same folder,
// which it makes if there is none, and then under its own. It replaces another file
// only with force, and fails with ErrExists otherwise. A file that has the same
// content already is left as it is.
func Save(path string, data []byte, force bool) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil { //nolint:gosec // the user's umask says who may read pictures
		return err
	}
	temporary := filepath.Join(dir, ".ai-worker-"+rand.Text())
	if err := write(temporary, data); err != nil {
		return err
	}
	defer os.Remove(temporary) // it has gone already where it was renamed
	if force {
		return os.Rename(temporary, path)
	}
	return publish(temporary, path, data)
}

// write writes a file that is not there yet. If it fails, there is none.
func write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) //nolint:gosec // the user names the path, and the umask says who may read it
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// publish gives a file its own name, if nothing has it. A link fails where a rename
// would replace what came there meanwhile. Some file systems have no links.
func publish(temporary, path string, data []byte) error {
	if err := os.Link(temporary, path); err == nil {
		return nil
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(temporary, path)
	case err != nil:
		return err
	case info.Mode().IsRegular() && info.Size() == int64(len(data)):
		there, err := os.ReadFile(path) //nolint:gosec // the user names the path
		if err == nil && bytes.Equal(there, data) {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", path, ErrExists)
}
