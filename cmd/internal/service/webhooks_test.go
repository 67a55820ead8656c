package service_test

import (
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/cmd/internal/service"
	"github.com/ai-worker/ai-worker/config"
)

// The receiver of budgets is one on the internet, as those of jobs, with a secret that
// can sign. What is wrong is told by the setting's name, without its value.
func TestBudgetWebhookIsRefused(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for name, c := range map[string]struct {
		url, secret string
		want        string // "" for nothing
	}{
		"in order":       {"https://example.com/hooks?key=hunter2", secret, ""},
		"by http":        {"http://example.com/hunter2", secret, "BUDGET_WEBHOOK does not begin with https://"},
		"within the VPC": {"https://10.0.0.1/hunter2", secret, "BUDGET_WEBHOOK has an IP address that is not public"},
		"a bad secret":   {"https://example.com", "hunter2", "BUDGET_WEBHOOK_SECRET: secret 1 of 1 does not begin with whsec_"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := service.CheckWebhooks(config.Config{BudgetWebhook: c.url, BudgetWebhookSecret: config.Secret(c.secret)})
			switch {
			case c.want == "" && err == nil:
			case c.want == "" || err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2"):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
