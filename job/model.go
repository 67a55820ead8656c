package job

import "slices"

// A Model is what is known of an image model: what may be asked of it, and what
// it costs. For a model that this service does not know, sizes, ratios and
// prices are empty. Then everything may be asked of it, and its price is
// unknown.
type Model struct {
	Name           string
	ImageSizes     []string // the first is the one that it draws when none is asked for
	SlowSizes      []string // those that take much longer to draw; also set for a model that is not known
	AspectRatios   []string
	MaxInputImages int
	// Prices are list prices by image size, in millionths of a US dollar.
	Prices    map[string]int64
	PriceList string // their version
}

// FindModel returns the model of a name. If there is none, it returns a model of which
// nothing is known, not even the price, and false.
func FindModel(models []Model, name string) (Model, bool) {
	if i := slices.IndexFunc(models, func(m Model) bool { return m.Name == name }); i >= 0 {
		return models[i], true
	}
	return Model{}, false
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

// Slow reports whether a picture of a size takes much longer than others.
func (m Model) Slow(size string) bool { return slices.Contains(m.SlowSizes, m.drawn(size)) }

// Price returns the list price of one picture in millionths of a US dollar, 0
// if it is not known.
func (m Model) Price(size string) int64 { return m.Prices[m.drawn(size)] }

// drawn returns the size that the model draws when size is asked for. If size
// is empty, the model chooses.
func (m Model) drawn(size string) string {
	if size == "" && m.Known() {
		return m.ImageSizes[0]
	}
	return size
}
