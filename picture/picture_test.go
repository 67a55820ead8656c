package picture_test

import (
	"bytes"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/ai-worker/ai-worker/picture"
)

// encoded returns a picture of 3 by 2 pixels, as write writes it.
func encoded(t *testing.T, write func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInspect(t *testing.T) {
	asPNG := encoded(t, func(b *bytes.Buffer, m image.Image) error { return png.Encode(b, m) })
	asJPEG := encoded(t, func(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) })
	asGIF := encoded(t, func(b *bytes.Buffer, m image.Image) error { return gif.Encode(b, m, nil) })
	for name, test := range map[string]struct {
		data []byte
		want picture.Header
	}{
		"PNG":                    {asPNG, picture.Header{ContentType: "image/png", Width: 3, Height: 2}},
		"the beginning of a PNG": {asPNG[:40], picture.Header{ContentType: "image/png", Width: 3, Height: 2}},
		"JPEG":                   {asJPEG, picture.Header{ContentType: "image/jpeg", Width: 3, Height: 2}},
		"GIF":                    {asGIF, picture.Header{}},
		"a signature alone":      {asPNG[:8], picture.Header{}},
		"a text":                 {[]byte("<html>"), picture.Header{}},
		"nothing":                {nil, picture.Header{}},
	} {
		got, err := picture.Inspect(test.data)
		if got != test.want || errors.Is(err, picture.ErrUnknown) != (test.want == picture.Header{}) {
			t.Errorf("%s: %+v, error %v, want %+v", name, got, err, test.want)
		}
	}
}
