package job_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
)

func TestBill(t *testing.T) {
	m := job.Model{ImageSizes: []string{"1K"}, Prices: map[string]int64{"1K": 33_600}, PriceList: "2026-11"}
	tokens := &job.Tokens{Prompt: 400, Thought: 600, Image: 1120, Total: 2120}
	for name, tt := range map[string]struct {
		model  job.Model
		answer job.Answer
		want   job.Bill
	}{
		"by its tokens, and no more than the list price against the bound": {
			m, job.Answer{Tokens: tokens, CostMicros: 38_700},
			job.Bill{Billed: true, Tokens: tokens, CostMicros: 38_700, BoundMicros: 33_600, PriceList: "2026-11"},
		},
		"less than the list price": {
			m, job.Answer{Tokens: tokens, CostMicros: 600},
			job.Bill{Billed: true, Tokens: tokens, CostMicros: 600, BoundMicros: 600, PriceList: "2026-11"},
		},
		"no count": {
			m, job.Answer{}, job.Bill{Billed: true, CostMicros: 33_600, BoundMicros: 33_600, Estimated: true, PriceList: "2026-11"},
		},
		"a count without prices": {
			m, job.Answer{Tokens: tokens},
			job.Bill{Billed: true, Tokens: tokens, CostMicros: 33_600, BoundMicros: 33_600, Estimated: true, PriceList: "2026-11"},
		},
		"nothing is known": {job.Model{}, job.Answer{}, job.Bill{Billed: true, Estimated: true}},
	} {
		if diff := cmp.Diff(tt.want, tt.model.Bill("", tt.answer)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Thinking makes pictures dearer than their list price. A job that may cost its
// quote gets all of them all the same.
func TestAJobThatMayCostItsQuoteGetsAllItsPictures(t *testing.T) {
	m := job.Model{ImageSizes: []string{"1K"}, Prices: map[string]int64{"1K": 33_600}}
	j := job.Job{Input: job.Input{Count: 3, MaxCostMicros: 3 * 33_600}, Images: make([]job.Image, 3)}
	for i := range j.Images {
		j.Images[i] = job.Image{Index: i, Status: job.StatusProcessing}
		if err := j.CheckCost(i, m.Price("")); err != nil {
			t.Errorf("picture %d: %v", i, err)
		}
		bill := m.Bill("", job.Answer{CostMicros: 38_700})
		j.Images[i] = job.Image{Index: i, Status: job.StatusSucceeded, CostMicros: bill.CostMicros, BoundMicros: bill.BoundMicros}
	}
	if cost, spent := j.CostMicros(), j.SpentMicros(); cost != 3*38_700 || spent != 3*33_600 {
		t.Errorf("it cost %d, of which %d count", cost, spent)
	}
}
