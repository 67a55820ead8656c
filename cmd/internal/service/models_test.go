package service_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/cmd/internal/service"
	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
)

// Callers may ask for a model by an older name that a lane answers for. Then they
// may ask for what the lane's own model draws.
func TestModelsHaveTheirOlderNames(t *testing.T) {
	const flash, pro = "gemini-2.5-flash-image", "gemini-3-pro-image"
	cfg := config.Config{
		Gemini: config.Gemini{Model: flash},
		Lanes: []config.KeyedLane{
			{Lane: lane.Lane{Name: "a", Model: pro, AlsoServes: []string{"imagen", flash}}},
			{Lane: lane.Lane{Name: "b", Model: flash, AlsoServes: []string{"imagen"}}},
		},
	}
	older := generate.Model(pro)
	older.Name = "imagen"
	if diff := cmp.Diff([]job.Model{generate.Model(flash), generate.Model(pro), older}, service.Models(cfg)); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
}
