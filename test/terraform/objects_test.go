package terraform_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A stored object is one of Cloud Storage's. Its name is BUCKET/OBJECT.
type stored struct {
	data       []byte
	generation int64
}

// serveStored answers requests on objects of Cloud Storage as the Go client sends
// them: to upload, list, describe, read and delete. It reports whether the request
// is one.
func (g *googleAPIs) serveStored(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	bucket, name, known := g.storedName(r.URL.Path)
	if !known {
		return false
	}
	if status, problem := g.checkEnabled("storage"); status != 0 {
		refuse(w, status, fmt.Sprint(problem["message"]))
		return true
	}
	if g.objects["storage/b/"+bucket] == nil {
		refuse(w, http.StatusNotFound, "The specified bucket does not exist.")
		return true
	}
	isUpload := strings.HasPrefix(r.URL.Path, "/upload/")
	var data []byte
	if isUpload {
		var err error
		if name, data, err = readUpload(r); err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return true
		}
	}
	o, exists := g.stored[bucket+"/"+name]
	wanted := r.URL.Query().Get("ifGenerationMatch")
	switch {
	case wanted != "" && wanted != strconv.FormatInt(o.generation, 10):
		refuse(w, http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.")
	case isUpload:
		g.store(bucket+"/"+name, data)
		respond(w, http.StatusOK, g.described(bucket, name))
	case name == "":
		respond(w, http.StatusOK, object{"kind": "storage#objects", "items": g.listStored(bucket, r.URL.Query().Get("prefix"))})
	case !exists:
		refuse(w, http.StatusNotFound, "No such object: "+bucket+"/"+name)
	case r.Method == http.MethodDelete:
		delete(g.stored, bucket+"/"+name)
		w.WriteHeader(http.StatusNoContent)
	case strings.HasPrefix(r.URL.Path, "/storage/v1/") && r.URL.Query().Get("alt") != "media":
		respond(w, http.StatusOK, g.described(bucket, name))
	default:
		w.Header().Set("X-Goog-Generation", strconv.FormatInt(o.generation, 10))
		w.Header().Set("X-Goog-Metageneration", "1")
		_, _ = w.Write(o.data)
	}
	return true
}

// storedName takes the path of a request on objects apart. There are those of the
// JSON API, of its uploads, and of the XML API, by which the Go client reads.
func (g *googleAPIs) storedName(path string) (bucket, name string, known bool) {
	for _, begin := range []string{"/upload/storage/v1/b/", "/storage/v1/b/"} {
		if rest, ok := strings.CutPrefix(path, begin); ok {
			bucket, name, _ = strings.Cut(rest, "/")
			name, known = strings.CutPrefix(name, "o")
			return bucket, strings.TrimPrefix(name, "/"), known && (name == "" || name[0] == '/')
		}
	}
	bucket, name, known = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return bucket, name, known && g.objects["storage/b/"+bucket] != nil
}

// readUpload reads an upload of two parts: what describes the object, and its
// data. The Go client sends all that is smaller than 16 MB so.
func readUpload(r *http.Request) (name string, data []byte, err error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || r.URL.Query().Get("uploadType") != "multipart" {
		return "", nil, errors.Join(errors.New("the stand-in takes multipart uploads only"), err)
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	about, err := parts.NextPart()
	if err != nil {
		return "", nil, err
	}
	var o struct{ Name string }
	if err := json.NewDecoder(about).Decode(&o); err != nil {
		return "", nil, err
	}
	media, err := parts.NextPart()
	if err != nil {
		return "", nil, err
	}
	data, err = io.ReadAll(media)
	return o.Name, data, err
}

func refuse(w http.ResponseWriter, status int, message string) {
	respond(w, status, object{"error": object{"code": status, "message": message}})
}

func respond(w http.ResponseWriter, status int, answer object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(http.ErrAbortHandler) // the client was killed
	}
}

func (g *googleAPIs) store(name string, data []byte) {
	g.generation++
	g.stored[name] = stored{data: bytes.Clone(data), generation: g.generation}
}

// described returns what the API says of an object.
func (g *googleAPIs) described(bucket, name string) object {
	o := g.stored[bucket+"/"+name]
	sum := md5.Sum(o.data)
	return object{
		"kind": "storage#object", "bucket": bucket, "name": name, "generation": strconv.FormatInt(o.generation, 10),
		"metageneration": "1", "size": strconv.Itoa(len(o.data)), "md5Hash": base64.StdEncoding.EncodeToString(sum[:]),
		"timeCreated": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:00:00Z",
	}
}

// listStored describes the objects of a bucket whose names begin with a prefix.
func (g *googleAPIs) listStored(bucket, prefix string) []any {
	var items []any
	for _, key := range slices.Sorted(maps.Keys(g.stored)) {
		if name, ok := strings.CutPrefix(key, bucket+"/"); ok && strings.HasPrefix(name, prefix) {
			items = append(items, g.described(bucket, name))
		}
	}
	return items
}

// copyStored does what `gcloud storage cp` does to or from a file: one of the two
// is a URL like gs://BUCKET/OBJECT.
func (g *googleAPIs) copyStored(from, to string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if name, ok := strings.CutPrefix(to, "gs://"); ok {
		bucket, _, _ := strings.Cut(name, "/")
		if status, _ := g.checkEnabled("storage"); status != 0 || g.objects["storage/b/"+bucket] == nil {
			return errors.New("there is no bucket " + bucket)
		}
		data, err := os.ReadFile(from)
		if err == nil {
			g.store(name, data)
		}
		return err
	}
	o, ok := g.stored[strings.TrimPrefix(from, "gs://")]
	if !ok {
		return errors.New("the following URLs matched no objects or files: " + from)
	}
	return os.WriteFile(to, o.data, 0o600)
}

// listed returns what `gcloud storage ls` prints of all that is in a bucket.
func (g *googleAPIs) listed(bucket string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var lines strings.Builder
	for _, o := range g.listStored(bucket, "") {
		fmt.Fprintf(&lines, "gs://%s/%s\n", bucket, o.(object)["name"])
	}
	return lines.String()
}
