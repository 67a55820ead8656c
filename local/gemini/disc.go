package gemini

import (
	"image"
	"math"
)

// A disc is a translucent circle, or its rim.
type disc struct {
	x, y, radius float64
	color        rgb
	alpha        float64
	ring         bool
}

// fill draws d.
func (d disc) fill(img *image.RGBA) {
	inner := 0.0
	if d.ring {
		inner = d.radius * 0.9
	}
	first := max(int(d.y-d.radius), 0)
	last := min(int(d.y+d.radius)+1, img.Rect.Max.Y)
	for y := first; y < last; y++ {
		dy := float64(y) + 0.5 - d.y
		outer := chord(d.radius, dy)
		if hole := chord(inner, dy); hole > 0 {
			fillSpan(img, y, d.x-outer, d.x-hole, d.color, d.alpha)
			fillSpan(img, y, d.x+hole, d.x+outer, d.color, d.alpha)
			continue
		}
		fillSpan(img, y, d.x-outer, d.x+outer, d.color, d.alpha)
	}
}

// chord returns half the width of a circle at dy from its centre.
func chord(radius, dy float64) float64 {
	return math.Sqrt(max(radius*radius-dy*dy, 0))
}

// fillRounded fills a rectangle with rounded corners.
func fillRounded(img *image.RGBA, r image.Rectangle, radius float64, c rgb, alpha float64) {
	r = r.Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		fromEdge := min(float64(y-r.Min.Y), float64(r.Max.Y-1-y)) + 0.5
		inset := 0.0
		if fromEdge < radius {
			inset = radius - chord(radius, radius-fromEdge)
		}
		fillSpan(img, y, float64(r.Min.X)+inset, float64(r.Max.X)-inset, c, alpha)
	}
}

// fillSpan blends c into row y from left to right. It blends the pixels at
// either end by the share of them that it covers.
func fillSpan(img *image.RGBA, y int, left, right float64, c rgb, alpha float64) {
	left, right = max(left, 0), min(right, float64(img.Rect.Max.X))
	if right <= left {
		return
	}
	first, last := int(left), int(math.Ceil(right))
	blend(img, first, y, c, alpha*min(float64(first+1)-left, right-left))
	if last-1 > first {
		blend(img, last-1, y, c, alpha*(right-float64(last-1)))
	}
	keep := uint32(256 * (1 - alpha))
	add := [3]uint32{uint32(c[0] * alpha * 256), uint32(c[1] * alpha * 256), uint32(c[2] * alpha * 256)}
	if last-1 <= first+1 {
		return
	}
	row := img.Pix[img.PixOffset(first+1, y):img.PixOffset(last-1, y)]
	for ; len(row) >= 4; row = row[4:] {
		row[0] = byte((uint32(row[0])*keep + add[0]) >> 8)
		row[1] = byte((uint32(row[1])*keep + add[1]) >> 8)
		row[2] = byte((uint32(row[2])*keep + add[2]) >> 8)
	}
}

func blend(img *image.RGBA, x, y int, c rgb, alpha float64) {
	at := img.PixOffset(x, y)
	for i := range c {
		old := float64(img.Pix[at+i])
		img.Pix[at+i] = byte(old + (c[i]-old)*alpha)
	}
}
