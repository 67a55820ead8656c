package storage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
)

var (
	// ErrNotFound is in the error when there is no object under the key.
	ErrNotFound = errors.New("no such object")
	// ErrDenied is in the error when the credentials or the bucket are wrong.
	// Every call fails until a setting is corrected, and the text says which.
	ErrDenied = errors.New("access denied")
)

// S3's names for what goes wrong, as R2 uses them:
// https://developers.cloudflare.com/r2/api/error-codes/
const (
	codeNoSuchKey         = "NoSuchKey"
	codeNoSuchBucket      = "NoSuchBucket"
	codeInvalidBucketName = "InvalidBucketName"
	codeInvalidAccessKey  = "InvalidAccessKeyId"
	codeBadSignature      = "SignatureDoesNotMatch"
	codeNotEntitled       = "NotEntitled"
	codeInvalidArgument   = "InvalidArgument"
	codeClockSkew         = "RequestTimeTooSkewed" // a 403 that no setting corrects
)

// badKeyLength starts the message of R2's InvalidArgument for an access key ID
// that cannot be one, such as the secret in its place.
const badKeyLength = "Credential access key"

// A failure is an error whose text is safe to log. The text of the errors that
// it wraps may not be: a server may repeat what it was sent.
type failure struct {
	text   string
	causes []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.causes }

// fail returns an error that says what r was doing when err came, without
// credentials.
func (r *R2) fail(op, key string, err error) error {
	f := &failure{causes: []error{err}}
	reason := r.secrets.Replace(err.Error())
	if mend := TroubleOf(err).remedy(); mend != "" {
		f.causes = append(f.causes, ErrDenied)
		reason = fmt.Sprintf("%v: %s: %s", ErrDenied, mend, reason)
	}
	if codeOf(err) == codeNoSuchKey {
		f.causes = append(f.causes, ErrNotFound)
	}
	f.text = fmt.Sprintf("storage: %s %q in bucket %q: %s", op, key, r.bucket, reason)
	return f
}

// codeOf returns S3's name for err, or an empty string if err is not an answer
// of the server.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func messageOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorMessage()
	}
	return ""
}

// statusOf returns the HTTP status that err came with, or 0 if there was no
// answer.
func statusOf(err error) int {
	var answer interface{ HTTPStatusCode() int }
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// newRedactor returns a replacer that removes cfg's credentials from a text.
func newRedactor(cfg Config) *strings.Replacer {
	var pairs []string
	if cfg.AccessKeyID != "" {
		pairs = append(pairs, cfg.AccessKeyID, "[R2_ACCESS_KEY_ID]")
	}
	if cfg.SecretAccessKey != "" {
		pairs = append(pairs, cfg.SecretAccessKey, "[R2_SECRET_ACCESS_KEY]")
	}
	return strings.NewReplacer(pairs...)
}
