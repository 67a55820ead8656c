package cloudtasks

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
)

// rpcStatus returns an attempt's HTTP status as the task's last_attempt shows
// it: "UNAVAILABLE(14): HTTP status code 503" (reported by users).
func rpcStatus(http int) *status.Status {
	c := rpcCode(http)
	name := strings.ToUpper(c.String())
	return &status.Status{Code: int32(c), Message: fmt.Sprintf("%s(%d): HTTP status code %d", name, c, http)}
}

// rpcCode maps an HTTP status to an RPC code as Google usually does.
func rpcCode(http int) code.Code {
	switch http {
	case statusNoResponse:
		return code.Code_UNAVAILABLE
	case 400:
		return code.Code_INVALID_ARGUMENT
	case 401:
		return code.Code_UNAUTHENTICATED
	case 403:
		return code.Code_PERMISSION_DENIED
	case 404:
		return code.Code_NOT_FOUND
	case 409:
		return code.Code_ABORTED
	case 416:
		return code.Code_OUT_OF_RANGE
	case 429:
		return code.Code_RESOURCE_EXHAUSTED
	case 499:
		return code.Code_CANCELLED
	case 501:
		return code.Code_UNIMPLEMENTED
	case 503:
		return code.Code_UNAVAILABLE
	case statusDeadline:
		return code.Code_DEADLINE_EXCEEDED
	}
	switch http / 100 {
	case 2:
		return code.Code_OK
	case 4:
		return code.Code_FAILED_PRECONDITION
	case 5:
		return code.Code_INTERNAL
	}
	return code.Code_UNKNOWN
}
