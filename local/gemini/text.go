package gemini

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// lineHeight is the distance between lines, in multiples of the font size.
const lineHeight = 1.28

// maxShown is how much of a prompt is drawn at most, in characters. Nobody
// reads more, and setting text takes time.
const maxShown = 1200

// write puts the prompt in the middle of the picture, and the other settings of
// the request under it.
func (p *painter) write(img *image.RGBA, req Request, seed uint64) error {
	width, height := float64(img.Rect.Max.X), float64(img.Rect.Max.Y)
	side := min(width, height)
	margin := 0.09 * side
	small := max(0.026*side, 0.011*math.Sqrt(width*height), 9)

	footer, err := setText(p.regular, caption(req, seed), small, width-2*margin, height/4)
	if err != nil {
		return err
	}
	prompt, err := setText(p.bold, shown(req.Prompt), 0, width-2*margin-0.1*side, height-2*margin-footer.height()-0.14*side)
	if err != nil {
		return err
	}
	gap := min(0.5*prompt.size, 0.05*side)
	total := prompt.height() + gap + footer.height()
	top := (height - total) / 2
	pad := 0.045 * side
	panelWidth := max(prompt.width, footer.width) + 2*pad
	panel := image.Rect(int((width-panelWidth)/2), int(top-pad), int((width+panelWidth)/2), int(top+total+pad))
	fillRounded(img, panel, 0.035*side, rgb{8, 10, 20}, 0.42)
	prompt.draw(img, width/2, top, rgb{255, 255, 255})
	footer.draw(img, width/2, top+prompt.height()+gap, rgb{214, 220, 235})
	return nil
}

func shown(prompt string) string {
	runes := []rune(prompt)
	if len(runes) <= maxShown {
		return prompt
	}
	return string(runes[:maxShown]) + "…"
}

// caption returns a line with the settings of the request other than the
// prompt.
func caption(req Request, seed uint64) string {
	words := []string{req.Model, req.AspectRatio, req.ImageSize}
	if req.Seed != nil {
		words = append(words, fmt.Sprintf("seed %d", *req.Seed))
	} else {
		words = append(words, fmt.Sprintf("variation %d", seed%1000))
	}
	switch {
	case req.Images == 1:
		words = append(words, "1 input image")
	case req.Images > 1:
		words = append(words, fmt.Sprintf("%d input images", req.Images))
	}
	return strings.Join(words, "  ·  ")
}

// A block is text set in lines.
type block struct {
	face  font.Face
	size  float64 // of the font, in pixels
	lines []string
	width float64 // of the longest line, in pixels
	split bool    // a word was too long for a line
}

// setText sets text within width and height, at size or smaller; a size of 0
// means as large as fits. Text that does not fit even at the smallest size ends
// in an ellipsis.
func setText(f *opentype.Font, text string, size, width, height float64) (block, error) {
	smallest := max(0.018*math.Sqrt(width*height), 9)
	if size == 0 {
		runes := float64(len([]rune(text)) + 1)
		size = min(1.25*math.Sqrt(width*height/(0.6*lineHeight*runes)), 0.13*math.Sqrt(width*height), 0.3*min(width, height))
	}
	for {
		size = max(size, smallest)
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return block{}, err
		}
		b := block{face: face, size: size}
		b.wrap(text, width)
		if b.height() <= height && !b.split || size == smallest {
			b.cut(height)
			return b, nil
		}
		size *= 0.93
	}
}

func (b *block) height() float64 { return float64(len(b.lines)) * lineHeight * b.size }

// wrap breaks text into lines: at spaces, and within words that are wider than
// a line.
func (b *block) wrap(text string, width float64) {
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if joined := strings.TrimPrefix(line+" "+word, " "); b.measure(joined) <= width {
				line = joined
				continue
			}
			if line != "" {
				b.add(line)
			}
			line = b.breakWord(word, width)
		}
		b.add(line)
	}
}

// breakWord adds the part of word that is too long as lines of their own, and
// returns the rest.
func (b *block) breakWord(word string, width float64) string {
	for b.measure(word) > width {
		b.split = true
		runes := []rune(word)
		n := 1
		for n < len(runes)-1 && b.measure(string(runes[:n+1])) <= width {
			n++
		}
		b.add(string(runes[:n]))
		if word = string(runes[n:]); len(runes) == n {
			break
		}
	}
	return word
}

func (b *block) add(line string) {
	b.lines = append(b.lines, line)
	b.width = max(b.width, b.measure(line))
}

func (b *block) measure(s string) float64 {
	return float64(font.MeasureString(b.face, s)) / 64
}

// cut removes the lines that do not fit into height.
func (b *block) cut(height float64) {
	fit := max(int(height/(lineHeight*b.size)), 1)
	if len(b.lines) > fit {
		b.lines = b.lines[:fit]
		b.lines[fit-1] += " …"
	}
}

// draw writes b with its lines centred on x, from top down, over a soft shadow.
func (b *block) draw(img *image.RGBA, x, top float64, c rgb) {
	shadow := max(b.size/32, 1)
	for i, line := range b.lines {
		left := x - b.measure(line)/2
		baseline := top + (float64(i)*lineHeight+0.98)*b.size
		b.drawLine(img, line, left+shadow, baseline+shadow, color.NRGBA{5, 6, 14, 130})
		b.drawLine(img, line, left, baseline, c.rgba())
	}
}

func (b *block) drawLine(img *image.RGBA, s string, x, y float64, c color.Color) {
	d := font.Drawer{
		Dst:  img,
		Src:  image.NewUniform(c),
		Face: b.face,
		Dot:  fixed.Point26_6{X: fixed.Int26_6(x * 64), Y: fixed.Int26_6(y * 64)},
	}
	d.DrawString(s)
}
