package cloudtasks

import "strings"

// A queuePath is a queue's full name, taken apart.
type queuePath struct {
	project, location, queue string
}

// parseQueue reads projects/P/locations/L/queues/Q and reports whether it is well
// formed.
func parseQueue(name string) (queuePath, bool) {
	p := strings.Split(name, "/")
	if len(p) != 6 || p[0] != "projects" || p[2] != "locations" || p[4] != "queues" {
		return queuePath{}, false
	}
	ok := consists(p[1], "-:.") && consists(p[3], "-") && consists(p[5], "-") && len(p[5]) <= maxQueueIDLength
	return queuePath{project: p[1], location: p[3], queue: p[5]}, ok
}

// parseLocation reports whether name is projects/P/locations/L.
func parseLocation(name string) bool {
	p := strings.Split(name, "/")
	return len(p) == 4 && p[0] == "projects" && p[2] == "locations" && consists(p[1], "-:.") && consists(p[3], "-")
}

// splitTask splits a task's full name into its queue's name and its ID. It does
// not look at the ID.
func splitTask(name string) (queue, id string, ok bool) {
	queue, id, ok = strings.Cut(name, "/tasks/")
	if !ok {
		return "", "", false
	}
	_, ok = parseQueue(queue)
	return queue, id, ok
}

// validTaskID reports whether a task ID has the documented alphabet and length.
func validTaskID(id string) bool {
	return len(id) <= maxTaskIDLength && consists(id, "-_")
}

// consists reports whether s is not empty and has only letters, digits and the
// given characters.
func consists(s, extra string) bool {
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune(extra, r) {
			return false
		}
	}
	return s != ""
}
