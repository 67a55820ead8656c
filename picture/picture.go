// Package picture reads what the beginning of a picture tells of it. It knows
// the types that models draw and take.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"slices"

	"golang.org/x/image/webp"
)

// ErrUnknown means that bytes are no picture of one of Types.
var ErrUnknown = errors.New("picture: not one of image/png, image/jpeg, image/webp")

// MaxHeader is how many bytes of a picture are enough for Inspect, but for a JPEG
// with more metadata than cameras write.
const MaxHeader = 256 << 10

// A Header is what the beginning of a picture tells.
type Header struct {
	ContentType   string
	Width, Height int // pixels
}

// decoders reads the header of each type.
var decoders = map[string]func(io.Reader) (image.Config, error){
	"image/png":  png.DecodeConfig,
	"image/jpeg": jpeg.DecodeConfig,
	"image/webp": webp.DecodeConfig,
}

// Types returns the content types that Inspect knows.
func Types() []string {
	types := make([]string, 0, len(decoders))
	for t := range decoders {
		types = append(types, t)
	}
	slices.Sort(types)
	return types
}

// Inspect reads the header of a picture, of which data has the beginning or all.
// The type is that of the bytes, whatever anybody calls them. Inspect fails with
// ErrUnknown.
func Inspect(data []byte) (Header, error) {
	contentType := http.DetectContentType(data)
	decode := decoders[contentType]
	if decode == nil {
		return Header{}, fmt.Errorf("%w: %d bytes of %s", ErrUnknown, len(data), contentType)
	}
	config, err := decode(bytes.NewReader(data))
	if err != nil {
		return Header{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return Header{ContentType: contentType, Width: config.Width, Height: config.Height}, nil
}
