package generate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
)

// A model has a price for none of its sizes, or for each.
func TestModelsArePricedWhole(t *testing.T) {
	for _, name := range []string{
		"gemini-nano-banana-2.1", "gemini-3-pro-image", "gemini-3.1-flash-image", "gemini-3.1-flash-lite-image", "gemini-2.5-flash-image",
	} {
		m := generate.Model(name)
		if m.Name != name || !m.Known() || !m.AllowsRatio("16:9") || m.MaxInputImages < 1 {
			t.Errorf("%s is not described: %+v", name, m)
		}
		for _, size := range m.ImageSizes {
			if len(m.Prices) > 0 && m.Price(size) == 0 {
				t.Errorf("%s has no price at %s", name, size)
			}
			if got, want := m.Slow(size), size == "4K"; got != want {
				t.Errorf("%s is slow at %s: %v, want %v", name, size, got, want)
			}
		}
	}
}

func TestAModelThatIsNotKnownIsLeftToGoogle(t *testing.T) {
	want := job.Model{Name: "next", MaxInputImages: 14, SlowSizes: []string{"4K"}}
	if diff := cmp.Diff(want, generate.Model("next")); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
}
