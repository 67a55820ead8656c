package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"google.golang.org/genai"
)

var (
	errUndecodable = errors.New("the answer cannot be decoded")
	errTooLarge    = errors.New("the answer is too large")
	errNotAPicture = errors.New("the picture cannot be read")
)

// An answer is what the transport noted about the one request of a call,
// besides what it handed to the SDK.
type answer struct {
	sent       bool
	connWanted bool
	connGot    bool
	err        error // why the answer did not come, or broke off

	status    int // of HTTP; 0 without an answer
	header    http.Header
	errorBody bytes.Buffer // of an answer that is not 2xx
	tokens    tokenizer    // of an answer that is 2xx
}

// ok reports whether HTTP says that the request succeeded.
func (a *answer) ok() bool { return a.status/100 == 2 }

// picture returns the bytes of the last picture in resp that is not a draft, or
// nil if there is none.
func (a *answer) picture(resp *genai.GenerateContentResponse) ([]byte, error) {
	var placeholder []byte
	for _, candidate := range resp.Candidates {
		if candidate == nil || candidate.Content == nil {
			continue
		}
		for _, part := range candidate.Content.Parts {
			if part != nil && part.InlineData != nil && !part.Thought {
				placeholder = part.InlineData.Data
			}
		}
	}
	if placeholder == nil {
		return nil, nil
	}
	if data, ok := a.tokens.pictures.take(placeholder); ok {
		return data, nil
	}
	return nil, errUndecodable
}

// A body is the parts of an answer's JSON that the SDK drops.
type body struct {
	Error      *errorBody `json:"error"`
	Candidates []struct {
		FinishMessage string `json:"finishMessage"`
	} `json:"candidates"`
}

// An errorBody is Google's error: google.rpc.Status with those of its details
// that matter here.
type errorBody struct {
	Code    int           `json:"code"`
	Message string        `json:"message"`
	Status  string        `json:"status"` // such as RESOURCE_EXHAUSTED
	Details []errorDetail `json:"details"`
}

// An errorDetail has the fields of google.rpc.ErrorInfo, RetryInfo and
// QuotaFailure together: their names do not collide.
type errorDetail struct {
	Reason     string           `json:"reason"`     // ErrorInfo, such as API_KEY_INVALID
	RetryDelay string           `json:"retryDelay"` // RetryInfo, such as "34.07s"
	Violations []quotaViolation `json:"violations"`
}

type quotaViolation struct {
	QuotaID    string `json:"quotaId"`
	QuotaValue any    `json:"quotaValue"` // an int64, which JSON mapping makes a string
}

// body parses what the SDK drops. It returns an empty body if the answer is not
// JSON.
func (a *answer) body() body {
	raw := a.tokens.rest
	if !a.ok() {
		raw = bytes.TrimSpace(a.errorBody.Bytes())
	}
	var b body
	if len(raw) > 0 && raw[0] == '[' { // some of Google's front ends put the error into an array
		var all []body
		if unmarshal(raw, &all) && len(all) > 0 {
			b = all[0]
		}
		return b
	}
	unmarshal(raw, &b)
	return b
}

// unmarshal reports whether raw is JSON. A field of an unexpected type is left
// out, and the others count.
func unmarshal(raw []byte, v any) bool {
	err := json.Unmarshal(raw, v)
	var mismatch *json.UnmarshalTypeError
	return err == nil || errors.As(err, &mismatch)
}
