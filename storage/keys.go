package storage

import (
	"strconv"
	"strings"
)

const (
	imagePrefix   = "images/"
	inputPrefix   = "inputs/"
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
