package client

import (
	"bufio"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// An event is one server-sent event.
type event struct {
	kind, data string
	retry      time.Duration // after which to connect again; 0 if the server has not said
}

// maxEvent bounds a line of a stream, in bytes. A job has far less.
const maxEvent = 16 << 20

// events yields the events of a stream, and the error that ended it, if one did:
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
func events(stream io.Reader) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		var (
			e    event
			data []string
		)
		lines := bufio.NewScanner(stream)
		lines.Buffer(nil, maxEvent)
		for lines.Scan() {
			line := lines.Text()
			if line == "" {
				e.data = strings.Join(data, "\n")
				if len(data) > 0 && !yield(e, nil) {
					return
				}
				e.kind, data = "", nil
				continue
			}
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				e.kind = value
			case "data":
				data = append(data, value)
			case "retry":
				if ms, err := strconv.Atoi(value); err == nil && ms >= 0 {
					e.retry = time.Duration(ms) * time.Millisecond
				}
			}
		}
		if err := lines.Err(); err != nil {
			yield(event{}, err)
		}
	}
}
