package terminal

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	_ "image/jpeg" // a type of pictures
	"image/png"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/iterm2"
	"github.com/charmbracelet/x/ansi/kitty"
	"github.com/charmbracelet/x/ansi/sixel"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // a type of pictures
)

// A Protocol is a way in which a terminal shows pictures.
type Protocol string

// The protocols. None means that a terminal shows no pictures, as far as is known.
const (
	None   Protocol = ""
	Kitty  Protocol = "kitty"
	ITerm2 Protocol = "iterm2"
	Sixel  Protocol = "sixel"
)

// konsoleWithSixel is the first version of Konsole that shows sixels, in its own
// notation: 22.04.
const konsoleWithSixel = 220400

// Detect returns what the terminal shows, by what it says of itself in the
// environment. Nothing is asked of it: an answer could come too late, and would then
// be taken for typing.
func Detect(getenv func(string) string) Protocol {
	kind, program := getenv("TERM"), getenv("TERM_PROGRAM")
	konsole, _ := strconv.Atoi(getenv("KONSOLE_VERSION"))
	switch {
	case getenv("TMUX") != "" || getenv("STY") != "" || strings.HasPrefix(kind, "tmux") || strings.HasPrefix(kind, "screen"):
		return None // what is in between does not hand pictures on
	case getenv("KITTY_WINDOW_ID") != "" || kind == "xterm-kitty" || kind == "xterm-ghostty" || program == "ghostty":
		return Kitty
	case program == "iTerm.app" || program == "WezTerm" || program == "mintty" || getenv("LC_TERMINAL") == "iTerm2":
		return ITerm2
	case konsole >= konsoleWithSixel || strings.HasPrefix(kind, "foot") || strings.HasPrefix(kind, "mlterm") || strings.HasPrefix(kind, "contour"):
		return Sixel
	default:
		return None
	}
}

const (
	// previewColumns and previewRows are how large a picture is shown at most. A row
	// is about as high as two columns are wide.
	previewColumns = 40
	previewRows    = 20
	// previewPixels bounds both sides of what is sent to the terminal.
	previewPixels = 480
	// sixelPixels is how many pixels a column has, as terminals without a better
	// idea have it.
	sixelPixels = 10
)

// Encode returns a picture in the terminal's form, in a number of columns at most. It
// fails if the bytes are no picture.
func (p Protocol) Encode(picture []byte, columns int) (string, error) {
	full, _, err := image.Decode(bytes.NewReader(picture))
	if err != nil {
		return "", fmt.Errorf("preview: %w", err)
	}
	size := full.Bounds().Size()
	columns = max(1, min(previewColumns, columns-1, 2*previewRows*size.X/max(1, size.Y)))
	small := shrink(full, previewPixels)
	var out bytes.Buffer
	switch p {
	case Kitty:
		err = kitty.EncodeGraphics(&out, small, &kitty.Options{
			Action: kitty.TransmitAndPut, Transmission: kitty.Direct, Format: kitty.PNG, Quiet: 2, Chunk: true, Columns: columns,
		})
	case ITerm2:
		var file bytes.Buffer
		err = png.Encode(&file, small)
		out.WriteString(ansi.ITerm2(iterm2.File{
			Inline: true, Size: int64(file.Len()), Width: iterm2.Cells(columns), Content: base64.StdEncoding.AppendEncode(nil, file.Bytes()),
		}))
	case Sixel:
		var payload bytes.Buffer
		err = (&sixel.Encoder{}).Encode(&payload, shrink(full, columns*sixelPixels*max(size.X, size.Y)/max(1, size.X)))
		out.WriteString(ansi.SixelGraphics(0, 1, 0, payload.Bytes()))
	case None:
	}
	return out.String(), err
}

// shrink returns a picture whose sides have some pixels at most.
func shrink(full image.Image, most int) image.Image {
	size := full.Bounds().Size()
	longest := max(size.X, size.Y)
	if longest <= most {
		return full
	}
	small := image.NewRGBA(image.Rect(0, 0, max(1, size.X*most/longest), max(1, size.Y*most/longest)))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), full, full.Bounds(), draw.Src, nil)
	return small
}
