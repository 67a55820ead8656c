package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// inspectBody returns a middleware that reads the body and refuses it if it is
// no JSON, is too large, breaks off, or inspect finds fault with it: all before
// huma decodes anything.
func inspectBody(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		op := ctx.Operation()
		if op.RequestBody == nil {
			next(ctx)
			return
		}
		if !isJSON(api, ctx.Header("Content-Type")) {
			_ = huma.WriteErr(api, ctx, http.StatusUnsupportedMediaType, "validation failed", &huma.ErrorDetail{
				Location: "header.Content-Type", Message: "unknown content type; send application/json",
			})
			return
		}
		raw, err := readBody(ctx, op.MaxBodyBytes)
		if err != nil {
			_ = huma.WriteErr(api, ctx, err.GetStatus(), err.Error())
			return
		}
		if code, faults := check(raw, bodySchema(api, op)); len(faults) > 0 {
			_ = huma.WriteErr(api, ctx, code, "validation failed", faults...)
			return
		}
		next(ctx)
	}
}

// isJSON reports whether huma decodes a body of the type as JSON.
func isJSON(api huma.API, contentType string) bool {
	var none any
	return !errors.Is(api.Unmarshal(contentType, nil, &none), huma.ErrUnknownContentType)
}

// bodySchema returns the schema of an operation's body.
func bodySchema(api huma.API, op *huma.Operation) *huma.Schema {
	s := op.RequestBody.Content["application/json"].Schema
	for s.Ref != "" {
		s = api.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// check returns what is wrong with a body before it is decoded, and the code of
// the answer. It leaves an empty body to huma.
func check(raw []byte, schema *huma.Schema) (code int, faults []error) {
	switch {
	case len(raw) == 0:
		return 0, nil
	case !json.Valid(raw):
		err := json.Unmarshal(raw, new(json.RawMessage)) // says what is wrong
		return http.StatusBadRequest, []error{&huma.ErrorDetail{Location: "body", Message: err.Error()}}
	}
	return http.StatusUnprocessableEntity, inspect(raw, schema)
}

// readBody reads the body, which must have less than limit bytes, and puts it
// back for the next reader.
func readBody(ctx huma.Context, limit int64) ([]byte, huma.StatusError) {
	r, _ := humachi.Unwrap(ctx)
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit))
	var slow net.Error
	var large *http.MaxBytesError
	switch {
	case n == limit, errors.As(err, &large):
		return nil, huma.NewError(http.StatusRequestEntityTooLarge,
			fmt.Sprintf("request body is too large limit=%d bytes", limit))
	case errors.As(err, &slow) && slow.Timeout():
		return nil, huma.NewError(http.StatusRequestTimeout, "request body read timeout")
	case err != nil:
		return nil, huma.Error400BadRequest("The request's body broke off. Send it again, whole.")
	}
	r.Body = &replay{Reader: *bytes.NewReader(buf.Bytes()), body: r.Body}
	return buf.Bytes(), nil
}

// replay is a body that was read already.
type replay struct {
	bytes.Reader
	body io.Closer
}

// Close gives up the bytes, since their request may wait for a minute.
func (b *replay) Close() error {
	b.Reset(nil)
	return b.body.Close()
}
