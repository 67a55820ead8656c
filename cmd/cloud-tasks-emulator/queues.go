package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/local/transcode"
)

// A namedQueue is a queue that is to exist, and where it was asked for.
type namedQueue struct {
	source string // for errors
	queue  *cloudtaskspb.Queue
}

// readQueues reads the queues of files, and then those of flags.
func readQueues(flags, files []string) (all []namedQueue, errs []error) {
	for _, path := range files {
		queues, err := readFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("--queues-file %s: %w", path, err))
		}
		all = append(all, queues...)
	}
	for _, text := range flags {
		q, err := parseQueue(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--queue %s: %w", text, err))
			continue
		}
		all = append(all, namedQueue{"--queue " + text, q})
	}
	for i, q := range all {
		same := func(other namedQueue) bool { return other.queue.GetName() == q.queue.GetName() }
		if first := slices.IndexFunc(all, same); first < i {
			errs = append(errs, fmt.Errorf("%s: %s asks for the same queue", q.source, all[first].source))
		}
	}
	return all, errs
}

// sections says where each field of --queue is in a queue.
var sections = map[string]string{
	"max_dispatches_per_second": "rateLimits", "max_concurrent_dispatches": "rateLimits",
	"max_attempts": "retryConfig", "max_retry_duration": "retryConfig", "min_backoff": "retryConfig",
	"max_backoff": "retryConfig", "max_doublings": "retryConfig",
	"state": "",
}

// parseQueue reads NAME[,FIELD=VALUE…].
func parseQueue(text string) (*cloudtaskspb.Queue, error) {
	name, fields, _ := strings.Cut(text, ",")
	object := map[string]any{"name": name, "rateLimits": map[string]any{}, "retryConfig": map[string]any{}}
	for field := range strings.SplitSeq(fields, ",") {
		if field == "" {
			continue
		}
		key, value, ok := strings.Cut(field, "=")
		section, known := sections[key]
		switch {
		case !ok || value == "":
			return nil, fmt.Errorf("%s needs a value, as in max_attempts=5", key)
		case !known:
			return nil, fmt.Errorf("there is no field %s; see --help for those that are", key)
		case section == "":
			object[key] = value
		default:
			object[section].(map[string]any)[key] = fieldValue(value)
		}
	}
	return newQueue(object)
}

// fieldValue returns a value as the API has it in JSON. Durations may be in other
// units than seconds.
func fieldValue(text string) any {
	if d, err := time.ParseDuration(text); err == nil && text != "0" {
		return fmt.Sprintf("%.9fs", d.Seconds())
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text) // a number
	}
	return text
}

// newQueue reads a queue as the API has it.
func newQueue(object any) (*cloudtaskspb.Queue, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	q := &cloudtaskspb.Queue{}
	if err := transcode.Unmarshal(text, q); err != nil {
		return nil, errors.New(strings.ReplaceAll(status.Convert(err).Message(), "Invalid JSON payload received. ", ""))
	}
	if q.GetName() == "" {
		return nil, errors.New("a queue needs a name, such as projects/p/locations/l/queues/q")
	}
	return q, nil
}

// readFile reads a file of queues. YAML is a superset of JSON.
func readFile(path string) ([]namedQueue, error) {
	text, err := os.ReadFile(path) //nolint:gosec // whoever starts the program names it
	if err != nil {
		return nil, err
	}
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	list, ok := file["queues"].([]any)
	if !ok || len(file) != 1 {
		return nil, errors.New(`it must have a list "queues" and nothing else`)
	}
	var all []namedQueue
	var errs []error
	for i, object := range list {
		q, err := newQueue(object)
		if err != nil {
			errs = append(errs, fmt.Errorf("queues[%d]: %w", i, err))
			continue
		}
		all = append(all, namedQueue{fmt.Sprintf("--queues-file %s: %s", path, q.GetName()), q})
	}
	return all, errors.Join(errs...)
}
