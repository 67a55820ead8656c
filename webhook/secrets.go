package webhook

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The form of a secret, by Standard Webhooks: the prefix, then 24 to 64 random
// bytes in base64.
const (
	secretPrefix       = "whsec_"
	minSecret          = 24
	maxSecret          = 64
	secretsAtOnce      = 2 // the one in use, and the one that it replaces
	secretInstructions = "make one with: echo whsec_$(openssl rand -base64 32)"
)

// Secrets sign webhooks. There are two while one is replaced. They are printed
// as how many there are.
type Secrets struct {
	signers []*standardwebhooks.Webhook
}

// ParseSecrets reads the value of a setting such as WEBHOOK_SECRET: one secret, or two
// with a comma or white space between. Its errors name the setting, and do not hold any
// part of the value.
func ParseSecrets(setting, value string) (Secrets, error) {
	texts := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	switch {
	case len(texts) == 0:
		return Secrets{}, fmt.Errorf("%s is empty: %s", setting, secretInstructions)
	case len(texts) > secretsAtOnce:
		return Secrets{}, fmt.Errorf("%s has %d secrets: give the new one and the one that it replaces", setting, len(texts))
	case len(texts) == secretsAtOnce && texts[0] == texts[1]:
		return Secrets{}, fmt.Errorf("%s has the same secret twice: leave one out", setting)
	}
	var s Secrets
	for i, text := range texts {
		key, err := parseSecret(text)
		if err != nil {
			return Secrets{}, fmt.Errorf("%s: secret %d of %d %w", setting, i+1, len(texts), err)
		}
		signer, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return Secrets{}, fmt.Errorf("%s: secret %d of %d cannot be used to sign", setting, i+1, len(texts))
		}
		s.signers = append(s.signers, signer)
	}
	return s, nil
}

// parseSecret returns the key that a secret holds.
func parseSecret(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return nil, fmt.Errorf("does not begin with %s: %s", secretPrefix, secretInstructions)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	switch {
	case err != nil: // it would tell where, which says something of the value
		return nil, fmt.Errorf("is not base64 after %s: %s", secretPrefix, secretInstructions)
	case len(key) < minSecret || len(key) > maxSecret:
		return nil, fmt.Errorf("has %d bytes, and must have %d to %d: %s", len(key), minSecret, maxSecret, secretInstructions)
	}
	return key, nil
}

// sign returns the value of webhook-signature: a signature by each secret, the
// first secret's first, with spaces between.
func (s Secrets) sign(id string, at time.Time, body []byte) (string, error) {
	signatures := make([]string, len(s.signers))
	for i, signer := range s.signers {
		var err error
		if signatures[i], err = signer.Sign(id, at, body); err != nil {
			return "", err
		}
	}
	return strings.Join(signatures, " "), nil
}

// String returns how many secrets there are.
func (s Secrets) String() string { return fmt.Sprintf("%d webhook secrets", len(s.signers)) }

// GoString returns the same, for %#v.
func (s Secrets) GoString() string { return s.String() }

// LogValue returns the same, for the log.
func (s Secrets) LogValue() slog.Value { return slog.StringValue(s.String()) }
