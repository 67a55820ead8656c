package terminal

import (
	"bufio"
	"io"
	"strings"
)

// ReadYes reads a line, and reports whether it says yes. Anything else is no, and so
// is an end without a line.
func ReadYes(in io.Reader) bool {
	line, _ := bufio.NewReader(in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	default:
		return false
	}
}
