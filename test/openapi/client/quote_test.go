package client_test

import (
	"testing"

	"github.com/ai-worker/ai-worker/test/openapi/client/api"
)

// A dry run is answered with a quote.
func TestQuote(t *testing.T) {
	f := setup(t)
	c := newClient(t, f.URL, f.Keys["web"])
	request := &api.GenerateRequest{
		Prompt: "a fox", Count: api.NewOptInt64(2), ImageSize: api.NewOptGenerateRequestImageSize("1K"),
		MaxCostUsd: api.NewOptFloat64(0.07), DryRun: api.NewOptBool(true),
	}
	got := as[*api.QuoteResourceHeaders](t)(c.GenerateImages(t.Context(), request, api.GenerateImagesParams{})).Response
	if !got.DryRun || got.Count != 2 || got.CostUsd.Value != 0.068 || got.EstimatedStartAt.Null {
		t.Errorf("got %+v", got)
	}
	request.MaxCostUsd.Value = 0.06
	as[*api.GenerateImagesUnprocessableEntity](t)(c.GenerateImages(t.Context(), request, api.GenerateImagesParams{}))
}
