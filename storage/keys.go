package storage

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	imagePrefix   = "images/"
	inputPrefix   = "inputs/"
	uploadPrefix  = "uploads/"
	inspectPrefix = "doctor/"
)

// imageKey returns the key of the index-th picture of a job. The key has no
// extension, so that it is known before the picture is.
func imageKey(jobID string, index int) string {
	return imagePrefix + jobID + "/" + strconv.Itoa(index)
}

// inputKey returns the key of the n-th picture that came with a job.
func inputKey(jobID string, n int) string {
	return inputPrefix + jobID + "/" + strconv.Itoa(n)
}

// jobOf returns the job that the object under key is stored for. It reports false
// for a key that is no job's.
func jobOf(key string) (jobID string, ok bool) {
	kind, rest, _ := strings.Cut(key, "/")
	if kind += "/"; kind != imagePrefix && kind != inputPrefix {
		return "", false
	}
	jobID, n, _ := strings.Cut(rest, "/")
	id, err := uuid.Parse(jobID)
	if err != nil || id.String() != jobID || id.Version() != jobIDVersion {
		return "", false
	}
	_, err = strconv.ParseUint(n, 10, 16)
	return jobID, err == nil
}

// jobIDVersion is the version of the UUIDs of jobs: those that begin with the
// time (RFC 9562, section 5.7).
const jobIDVersion = 7

// firstID returns a text that sorts after the IDs of all jobs made before a time,
// and before those of all others. A time before 1970 is none.
func firstID(t time.Time) string {
	ms := max(0, t.UnixMilli())
	digits := fmt.Sprintf("%012x", ms)
	return digits[:8] + "-" + digits[8:]
}

// fileName returns the name that a browser gives the picture under key when it
// saves it.
func fileName(key, contentType string) string {
	return strings.ReplaceAll(strings.TrimPrefix(key, imagePrefix), "/", "-") + extension(contentType)
}

// extension returns the file name extension for the types that models and
// callers send. The mime package's answer would depend on the machine.
func extension(contentType string) string {
	switch contentType {
	case "image/png":
		return ".png"
	case "image/jpeg":
		return ".jpg"
	case "image/webp":
		return ".webp"
	case "image/gif":
		return ".gif"
	default:
		return ""
	}
}
