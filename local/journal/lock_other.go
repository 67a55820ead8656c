//go:build !unix

package journal

import "os"

// lockFile opens the file at path. Here nothing keeps other processes away.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
