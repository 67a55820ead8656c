package generate

import (
	"slices"

	"github.com/ai-worker/ai-worker/job"
)

// maxInputImages is how many pictures Google's models take to start from, but
// for those that say otherwise.
const maxInputImages = 14

// slowSizes take minutes to draw. That holds for every model that has them.
var slowSizes = []string{"4K"}

// Model returns what is known of the model with a name. One that is not known
// works all the same: its requests are checked by Google alone, and its cost
// is not reported.
func Model(name string) job.Model {
	m, known := knownModels()[name]
	if !known {
		m = job.Model{Name: name, MaxInputImages: maxInputImages}
	}
	m.SlowSizes = slices.Clone(slowSizes)
	return m
}

// priceList is the version of all prices here: the day on which they were read.
const priceList = "2026-11-24"

// rates are the prices of a model's tokens, in thousandths of a millionth of a US
// dollar: as many as US dollars for a thousand million tokens.
type rates struct{ in, out, image int64 }

// cost returns what tokens cost, in millionths of a US dollar. Thoughts cost as
// much as text.
func (r rates) cost(t job.Tokens) int64 {
	return (t.Prompt*r.in + (t.Text+t.Thought)*r.out + t.Image*r.image + 500) / 1000
}

// knownRates returns the prices of tokens by model, of those models of which all
// are known.
func knownRates() map[string]rates {
	return map[string]rates{
		"gemini-nano-banana-2.1": {in: 1_500, out: 7_500, image: 30_000},
		"gemini-3-pro-image":     {in: 2_000, out: 12_000, image: 120_000},
	}
}

// knownModels returns Google's image models by name, with sizes and list prices.
// A list price is that of the picture's own tokens, and of no thought.
func knownModels() map[string]job.Model {
	ratios := []string{"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"}
	wide := append([]string{"1:4", "4:1", "1:8", "8:1"}, ratios...)
	models := []job.Model{
		{
			Name: "gemini-nano-banana-2.1", AspectRatios: wide, MaxInputImages: maxInputImages,
			ImageSizes: []string{"1K", "2K", "4K"},
			Prices:     map[string]int64{"1K": 33_600, "2K": 50_400, "4K": 113_400},
		},
		{
			Name: "gemini-3-pro-image", AspectRatios: ratios, MaxInputImages: maxInputImages,
			ImageSizes: []string{"1K", "2K", "4K"},
			Prices:     map[string]int64{"1K": 134_000, "2K": 134_000, "4K": 240_000},
		},
		{
			Name: "gemini-3.1-flash-image", AspectRatios: wide, MaxInputImages: maxInputImages,
			ImageSizes: []string{"1K", "512", "2K", "4K"},
			Prices:     map[string]int64{"512": 44_820, "1K": 67_200, "2K": 100_800, "4K": 151_200},
		},
		{
			Name: "gemini-3.1-flash-lite-image", AspectRatios: ratios, MaxInputImages: maxInputImages,
			ImageSizes: []string{"1K"}, Prices: map[string]int64{"1K": 34_000},
		},
		{
			// It has no imageSize, and always draws 1K.
			Name: "gemini-2.5-flash-image", AspectRatios: ratios, MaxInputImages: 3,
			ImageSizes: []string{"1K"}, Prices: map[string]int64{"1K": 39_000},
		},
	}
	byName := make(map[string]job.Model, len(models))
	for _, m := range models {
		m.PriceList = priceList
		byName[m.Name] = m
	}
	return byName
}
