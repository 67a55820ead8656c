// Package storage keeps pictures in Cloudflare R2, through its S3 API.
//
// Objects are immutable and their keys follow from the job, so that a second
// attempt finds what the first one stored.
package storage

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// region is the only one that R2 has.
	region = "auto"

	defaultAttemptTimeout = 30 * time.Second // 20 MB at 1 MB/s, and a little more
	dialTimeout           = 5 * time.Second
	responseHeaderTimeout = 20 * time.Second // from the last byte sent
	idleConnTimeout       = 60 * time.Second
	idleConns             = 32 // kept for one host; with the default of 2, most uploads would have to dial

	// writeBuffer is in bytes. With the default of 4 KiB, every 4 KiB of a
	// picture would be a TLS record and a system call.
	writeBuffer = 64 << 10

	// neverExpectContinue: above 2 MB the SDK would ask with Expect:
	// 100-continue before it sends. That costs a round trip, or a second where
	// the server does not answer the question. Pictures are refused too seldom
	// for that.
	neverExpectContinue = -1

	// conditionalConflict is what S3 answers when two conditional writes of one
	// key meet. The SDK does not know that the write may be repeated.
	conditionalConflict = "ConditionalRequestConflict"
)

// Config is the settings of an R2.
type Config struct {
	Endpoint        string // https://<account>.r2.cloudflarestorage.com, or any S3 server's
	AccessKeyID     string
	SecretAccessKey string
	Bucket          string
	PublicURL       string // where the bucket is public; if empty, URLs are presigned

	Now            func() time.Time // the clock; nil is time.Now
	AttemptTimeout time.Duration    // for one HTTP exchange; 0 is 30 s
	MaxBackoff     time.Duration    // longest pause between the attempts of one call; 0 is 20 s
}

// R2 is a bucket. Its methods may be called from many goroutines. Each tries up
// to three times within its context, and every error names the bucket and key.
type R2 struct {
	bucket    string
	publicURL string // without a trailing slash; empty when there is none
	reachable bool   // whether the endpoint can be reached from the internet, and so by the model
	secrets   *strings.Replacer
	client    *s3.Client
	now       func() time.Time
	presigner *s3.PresignClient // signs as of now
	stable    *s3.PresignClient // signs as of the day's beginning
}

// NewR2 returns the bucket that cfg names. It does not dial.
func NewR2(cfg Config) *R2 {
	client := s3.New(s3.Options{
		BaseEndpoint:       aws.String(cfg.Endpoint),
		EndpointResolverV2: &oneEndpoint{next: s3.NewDefaultEndpointResolverV2()},
		Region:             region,
		UsePathStyle:       true,
		Credentials:        credentials.NewStaticCredentialsProvider(cfg.AccessKeyID, cfg.SecretAccessKey, ""),
		HTTPClient:         newHTTPClient(cfg.AttemptTimeout),
		Retryer:            newRetryer(cfg.MaxBackoff),
		// R2 refuses the headers and trailers of the SDK's own checksums.
		// Content-MD5 and the signed SHA-256 of the body replace them.
		RequestChecksumCalculation:   aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation:   aws.ResponseChecksumValidationWhenRequired,
		ContinueHeaderThresholdBytes: neverExpectContinue,
	})
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	return &R2{
		bucket:    cfg.Bucket,
		publicURL: strings.TrimRight(cfg.PublicURL, "/"),
		reachable: strings.HasPrefix(cfg.Endpoint, "https://"),
		secrets:   newRedactor(cfg),
		client:    client,
		now:       now,
		presigner: newPresigner(client, now),
		stable:    newPresigner(client, func() time.Time { return dayOf(now()) }),
	}
}

// newHTTPClient returns a client that gives up on one attempt in time. The
// SDK's default client would wait for a silent server as long as the context
// allows.
//
// It speaks HTTP/1.1, so that each upload has its own connection. Over HTTP/2
// they would share one, and all would wait when it stalls.
func newHTTPClient(attempt time.Duration) *http.Client {
	if attempt == 0 {
		attempt = defaultAttemptTimeout
	}
	return &http.Client{
		Timeout: attempt,
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: responseHeaderTimeout,
			MaxIdleConnsPerHost:   idleConns,
			IdleConnTimeout:       idleConnTimeout,
			WriteBufferSize:       writeBuffer,
		},
		// net/http would follow a redirected PUT with a GET, and call it stored.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newRetryer returns the SDK's own retryer, with two more errors that it may
// retry.
//
// R2 allows one write a second to a key and answers 429 to more, with the code
// TooManyRequests. To too much traffic it answers with the code
// ServiceUnavailable. So the status decides, not the code.
func newRetryer(maxBackoff time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		if maxBackoff > 0 {
			o.MaxBackoff = maxBackoff
		}
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}},
			retry.RetryableErrorCode{Codes: map[string]struct{}{conditionalConflict: {}}},
		)
	})
}
