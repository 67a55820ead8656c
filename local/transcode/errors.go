package transcode

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// errorBody is the body of an answer that is an error, as Google's APIs have it.
type errorBody struct {
	Error struct {
		Code    int               `json:"code"` // of HTTP
		Message string            `json:"message"`
		Status  string            `json:"status"`
		Details []json.RawMessage `json:"details,omitempty"`
	} `json:"error"`
}

// WriteError answers with an error of a method as Google's APIs do: the HTTP status
// of its code, and a body with its message and its details.
func WriteError(w http.ResponseWriter, err error) {
	s := status.Convert(err)
	var body errorBody
	body.Error.Code = httpStatus(s.Code())
	body.Error.Message = s.Message()
	body.Error.Status = code.Code(s.Code()).String()
	for _, detail := range s.Proto().GetDetails() {
		if text, err := protojson.Marshal(detail); err == nil {
			body.Error.Details = append(body.Error.Details, layOut(text, false))
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "the error cannot be shown", http.StatusInternalServerError)
		return
	}
	write(w, body.Error.Code, text, true)
}

// httpStatus returns the HTTP status of a code (documented in google/rpc/code.proto).
func httpStatus(c codes.Code) int {
	switch c {
	case codes.OK:
		return http.StatusOK
	case codes.Canceled:
		return 499
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists, codes.Aborted:
		return http.StatusConflict
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// violations collects what is wrong with a request. All of it is told at once.
type violations []*errdetails.BadRequest_FieldViolation

// maxViolations is how many are told.
const maxViolations = 50

func (v *violations) addf(field, format string, args ...any) {
	if len(*v) < maxViolations {
		*v = append(*v, &errdetails.BadRequest_FieldViolation{Field: field, Description: fmt.Sprintf(format, args...)})
	}
}

// err returns an InvalidArgument error with a BadRequest in its details, or nil.
func (v *violations) err() error {
	if len(*v) == 0 {
		return nil
	}
	messages := make([]string, len(*v))
	for i, one := range *v {
		messages[i] = one.GetDescription()
	}
	s := status.New(codes.InvalidArgument, strings.Join(messages, "\n"))
	detailed, err := s.WithDetails(&errdetails.BadRequest{FieldViolations: *v})
	if err != nil {
		return s.Err()
	}
	return detailed.Err()
}

func violation(field, message string) error {
	var v violations
	v.addf(field, "%s", message)
	return v.err()
}
