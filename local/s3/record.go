package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// An object's file is its contents, then its record as JSON, then the record's
// length in four bytes (big-endian), then recordMagic. Contents come first for
// two reasons: they can be written as they arrive, before their MD5 is known,
// and an image viewer can open the file as it is.
const (
	recordMagic = "S3OBJ\x00\x01\n"
	trailerSize = int64(4 + len(recordMagic))
	draftPrefix = ".draft-" // no object's file starts with a dot
)

// errCutShort means that the file ends without a record, as after a power
// failure. Such an object was never safely stored, and counts as absent.
var errCutShort = errors.New("s3: file without a record")

// A record is all that is known about an object, except its contents.
type record struct {
	Key      string
	Size     int64  // bytes of contents
	MD5      []byte // of the contents; the ETag
	Meta     map[string]string
	Modified time.Time
}

func (rec record) object() *gofakes3.Object {
	return &gofakes3.Object{Name: rec.Key, Metadata: rec.Meta, Size: rec.Size, Hash: rec.MD5}
}

// fileName returns the name of key's file. It is flat, so that "a" and "a/b"
// can both exist, and has no dots, so that no key leads out of the directory.
func fileName(key string) string {
	return strings.ReplaceAll(url.QueryEscape(key), ".", "%2E")
}

// keyOf returns the key that a file's name belongs to, or false for a file of
// another kind.
func keyOf(name string) (string, bool) {
	key, err := url.QueryUnescape(name)
	return key, err == nil && fileName(key) == name
}

// writeDraft writes an object's file under a temporary name in dir and returns
// that name. Errors of body's reader, such as a wrong Content-MD5, come back
// unwrapped, because gofakes3 does not look inside a wrapped error.
func writeDraft(dir string, rec record, body io.Reader) (string, error) {
	file, err := os.CreateTemp(dir, draftPrefix)
	if err != nil {
		return "", err
	}
	err = rec.writeTo(file, body)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// writeTo writes body and then rec, with the Size and MD5 of body filled in.
func (rec record) writeTo(file *os.File, body io.Reader) (err error) {
	hash := md5.New()
	if rec.Size, err = io.Copy(io.MultiWriter(file, hash), body); err != nil {
		return err
	}
	rec.MD5 = hash.Sum(nil)
	trailer, err := rec.trailer()
	if err != nil {
		return err
	}
	_, err = file.Write(trailer)
	return err
}

func (rec record) trailer() ([]byte, error) {
	encoded, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(encoded, uint32(len(encoded))), recordMagic...), nil
}

// openRecord opens an object's file and reads its record. The caller closes the
// file.
func openRecord(path string) (*os.File, record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, record{}, err
	}
	rec, err := readRecord(file)
	if err != nil {
		return nil, record{}, errors.Join(err, file.Close())
	}
	return file, rec, nil
}

func readRecord(file *os.File) (rec record, err error) {
	info, err := file.Stat()
	if err != nil {
		return rec, err
	}
	end := info.Size() - trailerSize
	trailer := make([]byte, trailerSize)
	if end < 0 {
		return rec, errCutShort
	}
	if _, err := file.ReadAt(trailer, end); err != nil {
		return rec, err
	}
	length := int64(binary.BigEndian.Uint32(trailer))
	if !bytes.Equal(trailer[4:], []byte(recordMagic)) || length > end {
		return rec, errCutShort
	}
	if err := json.NewDecoder(io.NewSectionReader(file, end-length, length)).Decode(&rec); err != nil {
		return rec, fmt.Errorf("s3: record in %s: %w", file.Name(), err)
	}
	return rec, nil
}

// removeDrafts removes the files that a killed process had not finished.
func removeDrafts(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("s3: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), draftPrefix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("s3: %w", err)
		}
	}
	return nil
}
