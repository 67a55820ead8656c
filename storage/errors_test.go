package storage_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/storage"
)

// refusing returns a client of a server that refuses every request as S3 does
// and repeats what it was sent, and the number of requests so far.
func refusing(t *testing.T, status int, code, message string) (*storage.R2, *int) {
	t.Helper()
	requests := new(int)
	return answering(t, func(w http.ResponseWriter, r *http.Request) {
		*requests++
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s, with %s and %s</Message></Error>",
			code, message, accessKey, secretKey)
	}), requests
}

func TestWhatIsDenied(t *testing.T) {
	tests := []struct {
		status        int
		code, message string
		mend          string // settings named; empty if it is not an ErrDenied
	}{
		{401, "Unauthorized", "", "R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY"},
		{403, "InvalidAccessKeyId", "", "R2_ACCESS_KEY_ID"},
		{400, "InvalidArgument", "Credential access key has length 64, should be 32", "R2_ACCESS_KEY_ID"},
		{403, "SignatureDoesNotMatch", "", "R2_SECRET_ACCESS_KEY"},
		{403, "AccessDenied", "", "R2_BUCKET"},
		{403, "NotEntitled", "", "R2_ACCOUNT_ID"},
		{404, "NoSuchBucket", "", "R2_BUCKET"},
		{400, "InvalidBucketName", "", "R2_BUCKET"},
		{400, "InvalidArgument", "something else", ""},
		{400, "BadDigest", "", ""},
		{501, "NotImplemented", "", ""},
	}
	for _, test := range tests {
		t.Run(test.code, func(t *testing.T) {
			r2, requests := refusing(t, test.status, test.code, test.message)
			_, err := r2.Put(t.Context(), "x", 0, picture("a", 10))
			if *requests != 1 {
				t.Errorf("%d requests", *requests)
			}
			if got := errors.Is(err, storage.ErrDenied); got != (test.mend != "") {
				t.Errorf("denied is %v in: %v", got, err)
			}
			for _, part := range []string{bucket, "images/x/0", test.code, test.mend} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in: %v", part, err)
				}
			}
			checkSafe(t, err)
		})
	}
}

// No setting corrects a wrong clock. The SDK corrects for it and tries again.
func TestAWrongClockIsNotDenied(t *testing.T) {
	r2, _ := refusing(t, 403, "RequestTimeTooSkewed", "")
	_, err := r2.Put(t.Context(), "x", 0, picture("a", 10))
	if err == nil || errors.Is(err, storage.ErrDenied) {
		t.Errorf("error %v", err)
	}
}

// An answer to HEAD has no body and so no code.
func TestStatTellsFromTheStatus(t *testing.T) {
	tests := map[int]error{401: storage.ErrDenied, 403: storage.ErrDenied}
	for status, want := range tests {
		r2, _ := refusing(t, status, "", "")
		_, _, _, err := r2.Stat(t.Context(), "x", 0)
		if !errors.Is(err, want) {
			t.Errorf("%d: error %v", status, err)
		}
		checkSafe(t, err)
	}
}

// When there is no server, the text holds no more than the address.
func TestAnEndpointThatIsNotThere(t *testing.T) {
	r2 := storage.NewR2(config("http://127.0.0.1:1"))
	_, err := r2.Put(t.Context(), "x", 0, picture("a", 10))
	if err == nil || errors.Is(err, storage.ErrDenied) {
		t.Fatalf("error %v", err)
	}
	checkSafe(t, err)
}

func checkSafe(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{accessKey, secretKey, "X-Amz-Signature", "X-Amz-Credential"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q in: %v", secret, err)
		}
	}
}
