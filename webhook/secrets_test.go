package webhook_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/webhook"
)

func TestParseSecrets(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		newSecret:                           "1 webhook secrets",
		"  " + newSecret + "\n":             "1 webhook secrets",
		newSecret + "," + oldSecret:         "2 webhook secrets",
		newSecret + ", " + oldSecret + "\n": "2 webhook secrets",
		newSecret + " " + oldSecret:         "2 webhook secrets",
	} {
		s, err := webhook.ParseSecrets("WEBHOOK_SECRET", value)
		if err != nil || s.String() != want {
			t.Errorf("%q: %v, %v", value, s, err)
		}
	}
}

// An error says what is wrong and how to mend it. It is written to the log of a
// service that does not start, so it holds nothing of the value.
func TestParseSecretsRefuses(t *testing.T) {
	t.Parallel()
	const part = "MfKQ9r8G"
	for value, want := range map[string]string{
		"":                                 "is empty",
		",":                                "is empty",
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "secret 1 of 1 does not begin with whsec_",
		newSecret + ",whsek_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":                       "secret 2 of 2 does not begin with whsec_",
		"whsec_MfKQ9r8G!YqrTwjUPD8ILPZIo2LaLaSw":                                    "secret 1 of 1 is not base64",
		"whsec_MfKQ9r8G-YqrTwjUPD8ILPZIo2LaLaSw":                                    "secret 1 of 1 is not base64",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaR=":                                    "secret 1 of 1 is not base64",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==":                                    "has 22 bytes, and must have 24 to 64",
		"whsec_":                                                                    "has 0 bytes",
		"whsec_" + strings.Repeat("MfKQ9r8G", 11):                                   "has 66 bytes",
		newSecret + " " + newSecret:                                                 "the same secret twice",
		newSecret + " " + oldSecret + " " + strings.Replace(newSecret, "M", "N", 1): "has 3 secrets",
	} {
		_, err := webhook.ParseSecrets("WEBHOOK_SECRET", value)
		if err == nil {
			t.Errorf("%q is allowed", value)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "WEBHOOK_SECRET") || !strings.Contains(text, want) || strings.Contains(text, part) {
			t.Errorf("%q: %s, want something about %q", value, text, want)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	s := secrets(t, newSecret)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("started", "secrets", s, "config", struct{ S webhook.Secrets }{s})
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", s, s, s, s), log.String()} {
		if !strings.Contains(text, "1 webhook secrets") || strings.Contains(text, "49 242 144") || strings.Contains(text, "MfKQ") {
			t.Errorf("printed as %s", text)
		}
	}
}
