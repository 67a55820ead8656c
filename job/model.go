package job

import "slices"

// A Model is what is known of an image model: what may be asked of it and what
// it costs. Of a model that this service does not know, only the name is set;
// everything may be asked of it, and its price is unknown.
type Model struct {
	Name           string
	ImageSizes     []string // first the one it draws when none is asked for
	AspectRatios   []string
	MaxInputImages int
	// Prices are list prices by image size, in millionths of a US dollar.
	Prices map[string]int64
}

// Known reports whether more than the model's name is known.
func (m Model) Known() bool { return len(m.ImageSizes) > 0 }

// AllowsSize reports whether the model draws pictures of a size.
func (m Model) AllowsSize(size string) bool {
	return !m.Known() || slices.Contains(m.ImageSizes, size)
}

// AllowsRatio reports whether the model draws pictures of an aspect ratio.
func (m Model) AllowsRatio(ratio string) bool {
	return !m.Known() || slices.Contains(m.AspectRatios, ratio)
}

// Price is the list price of one picture in millionths of a US dollar, 0 if
// not known. An empty size is the model's own choice.
func (m Model) Price(size string) int64 {
	if size == "" && m.Known() {
		size = m.ImageSizes[0]
	}
	return m.Prices[size]
}
