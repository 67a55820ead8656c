package generate

import (
	"time"

	"google.golang.org/genai"

	"github.com/ai-worker/ai-worker/job"
)

// answerOf returns what an answer tells besides the picture: how it ended, and what
// it was charged for. resp is nil if the answer could not be decoded.
func answerOf(resp *genai.GenerateContentResponse, model string, at time.Time) job.Answer {
	a := job.Answer{At: at}
	if resp == nil {
		return a
	}
	if len(resp.Candidates) > 0 && resp.Candidates[0] != nil {
		a.FinishReason = shownName(string(resp.Candidates[0].FinishReason))
	}
	a.Tokens, a.Estimated = tokensOf(resp.UsageMetadata)
	if r, known := knownRates()[model]; known && a.Tokens != nil {
		a.CostMicros = r.cost(*a.Tokens)
	}
	return a
}

// shownName returns a name of the provider, or "" if it has not the form of one.
func shownName(name string) string {
	if !enumName.MatchString(name) {
		return ""
	}
	return name
}

// tokensOf returns what an answer was charged for, or nil if it does not say. A
// count that is not there is 0. Tokens of the answer that have no kind are taken
// for those of a picture, which are the dearest; guessed tells that there are some.
func tokensOf(u *genai.GenerateContentResponseUsageMetadata) (tokens *job.Tokens, guessed bool) {
	if u == nil {
		return nil, false
	}
	t := job.Tokens{Prompt: int64(u.PromptTokenCount), Thought: int64(u.ThoughtsTokenCount), Total: int64(u.TotalTokenCount)}
	for _, d := range u.CandidatesTokensDetails {
		switch {
		case d == nil:
		case d.Modality == genai.MediaModalityImage:
			t.Image += int64(d.TokenCount)
		default:
			t.Text += int64(d.TokenCount)
		}
	}
	if rest := int64(u.CandidatesTokenCount) - t.Text - t.Image; rest > 0 {
		t.Image += rest
		guessed = true
	}
	sum := t.Prompt + t.Text + t.Thought + t.Image
	if sum == 0 || min(t.Prompt, t.Text, t.Thought, t.Image, t.Total) < 0 {
		return nil, false
	}
	t.Total = max(t.Total, sum)
	return &t, guessed
}
