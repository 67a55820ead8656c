package gemini

import (
	"hash/fnv"
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// cell is the width in pixels, at 1K, of the squares of the background. Colours
// are computed only at their corners, because they change slowly.
const cell = 32

// A painter draws pictures. It is safe for concurrent use.
type painter struct {
	bold, regular *opentype.Font
}

func newPainter() (*painter, error) {
	bold, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, err
	}
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	return &painter{bold: bold, regular: regular}, nil
}

// paint draws what req asks for: shapes and colours that depend only on the
// prompt and the seed, with the prompt as text over them.
func (p *painter) paint(req Request, seed uint64) (*image.RGBA, error) {
	width, height, err := pixels(req.AspectRatio, req.ImageSize)
	if err != nil {
		return nil, err
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(req.Prompt)) // it never fails
	random := rand.New(rand.NewPCG(hash.Sum64(), seed))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	scene := newScene(random, width, height)
	scene.fillBackground(img)
	for _, d := range scene.discs {
		d.fill(img)
	}
	return img, p.write(img, req, seed)
}

// A scene is the composition of a picture, the same at every size.
type scene struct {
	width, height float64
	base          [4]rgb // of the corners
	glows         []glow
	discs         []disc
}

// rgb is a colour with components from 0 to 255.
type rgb [3]float64

// A glow is a light without a border.
type glow struct {
	x, y, radius float64
	color        rgb
}

func newScene(random *rand.Rand, width, height int) scene {
	s := scene{width: float64(width), height: float64(height)}
	hue := random.Float64()
	for i := range s.base {
		s.base[i] = hsl(hue+0.09*float64(i)+0.04*random.Float64(), 0.55+0.2*random.Float64(), 0.2+0.16*random.Float64())
	}
	side := math.Sqrt(s.width * s.height)
	for range 5 {
		s.glows = append(s.glows, glow{
			x: random.Float64() * s.width, y: random.Float64() * s.height,
			radius: side * (0.25 + 0.35*random.Float64()),
			color:  hsl(hue+0.55*random.Float64(), 0.75, 0.45+0.2*random.Float64()),
		})
	}
	for range 9 {
		s.discs = append(s.discs, disc{
			x: random.Float64() * s.width, y: random.Float64() * s.height,
			radius: side * (0.05 + 0.3*random.Float64()*random.Float64()),
			color:  hsl(hue+0.35*random.Float64(), 0.8, 0.7),
			alpha:  0.06 + 0.12*random.Float64(),
			ring:   random.IntN(3) == 0,
		})
	}
	return s
}

// at returns the colour of the background at a point.
func (s scene) at(x, y float64) rgb {
	u, v := x/s.width, y/s.height
	// A slow wave keeps the gradient from looking like one.
	u += 0.08 * math.Sin(5*v+3*u)
	v += 0.08 * math.Sin(4*u-2*v)
	u, v = min(max(u, 0), 1), min(max(v, 0), 1)
	var c rgb
	for i := range c {
		c[i] = (s.base[0][i]*(1-u)+s.base[1][i]*u)*(1-v) + (s.base[3][i]*(1-u)+s.base[2][i]*u)*v
	}
	for _, g := range s.glows {
		d := ((x-g.x)*(x-g.x) + (y-g.y)*(y-g.y)) / (g.radius * g.radius)
		light := 0.6 * math.Exp(-2*d)
		for i := range c {
			c[i] += (g.color[i] - c[i]) * light
		}
	}
	return c
}

// fillBackground fills img. The colours are exact at the corners of cells and
// interpolated between them, because a picture at 4K has 17 million points.
func (s scene) fillBackground(img *image.RGBA) {
	size := max(cell*img.Bounds().Dx()/1024, 8)
	for top := 0; top < img.Rect.Max.Y; top += size {
		for left := 0; left < img.Rect.Max.X; left += size {
			s.fillCell(img, left, top, size)
		}
	}
}

// fillCell fills one cell, in 16.16 fixed point.
func (s scene) fillCell(img *image.RGBA, left, top, size int) {
	x0, y0, d := float64(left), float64(top), float64(size)
	nw, ne, sw, se := s.at(x0, y0), s.at(x0+d, y0), s.at(x0, y0+d), s.at(x0+d, y0+d)
	for y := top; y < min(top+size, img.Rect.Max.Y); y++ {
		f := float64(y-top) / d
		var now, step [3]int32
		for i := range now {
			west, east := nw[i]+(sw[i]-nw[i])*f, ne[i]+(se[i]-ne[i])*f
			now[i], step[i] = int32(west*65536), int32((east-west)/d*65536)
		}
		row := img.Pix[img.PixOffset(left, y):img.PixOffset(min(left+size, img.Rect.Max.X), y)]
		for ; len(row) >= 4; row = row[4:] {
			row[0], row[1], row[2], row[3] = byte(now[0]>>16), byte(now[1]>>16), byte(now[2]>>16), 255
			now[0], now[1], now[2] = now[0]+step[0], now[1]+step[1], now[2]+step[2]
		}
	}
}

// hsl returns a colour by its hue, which goes around from 0 to 1, its
// saturation and its lightness.
func hsl(h, s, l float64) rgb {
	var c rgb
	for i := range c {
		k := math.Mod(float64([3]int{0, 8, 4}[i])+h*12, 12)
		c[i] = 255 * (l - s*min(l, 1-l)*max(-1, min(k-3, 9-k, 1)))
	}
	return c
}

// rgba returns c without transparency.
func (c rgb) rgba() color.RGBA { return color.RGBA{byte(c[0]), byte(c[1]), byte(c[2]), 255} }
