package storage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/storage"
)

func TestPutOnce(t *testing.T) {
	_, r2 := setup(t)
	key := storage.InspectKey()
	if other := storage.InspectKey(); other == key || strings.HasPrefix(key, "images/") {
		t.Errorf("keys %q and %q", key, other)
	}
	for _, want := range []bool{true, false} {
		if stored, err := r2.PutOnce(t.Context(), key, []byte("a")); stored != want || err != nil {
			t.Errorf("stored %v, %v; want %v", stored, err, want)
		}
	}
	url, err := r2.URL(key)
	if err != nil {
		t.Fatal(err)
	}
	header, _ := fetch(t, url)
	if got := header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q: a cache could answer for the bucket", got)
	}
	if data, err := r2.Read(t.Context(), key); string(data) != "a" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
	if err := r2.Remove(t.Context(), key); err != nil {
		t.Error(err)
	}
	if data, err := r2.Read(t.Context(), key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("after its removal %q, %v; want %v", data, err, storage.ErrNotFound)
	}
}

func TestTroubleOf(t *testing.T) {
	for _, tt := range []struct {
		status        int
		code, message string
		want          storage.Trouble
	}{
		{404, "NoSuchBucket", "", storage.TroubleBucket},
		{400, "InvalidBucketName", "", storage.TroubleBucketName},
		{403, "InvalidAccessKeyId", "", storage.TroubleKeyID},
		{400, "InvalidArgument", "Credential access key has length 64, should be 32", storage.TroubleKeyID},
		{403, "SignatureDoesNotMatch", "", storage.TroubleSecret},
		{401, "Unauthorized", "", storage.TroubleCredentials},
		{403, "AccessDenied", "", storage.TroublePermission},
		{403, "NotEntitled", "", storage.TroubleSubscription},
		{403, "RequestTimeTooSkewed", "", storage.TroubleClock},
		{501, "NotImplemented", "", storage.TroubleOther},
		{400, "InvalidArgument", "something else", storage.TroubleOther},
	} {
		r2, _ := refusing(t, tt.status, tt.code, tt.message)
		_, err := r2.PutOnce(t.Context(), "doctor/x", []byte("a"))
		if got := storage.TroubleOf(err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.code, got, tt.want)
		}
		checkSafe(t, err)
	}
	_, err := storage.NewR2(config("http://127.0.0.1:1")).Read(t.Context(), "doctor/x")
	if got := storage.TroubleOf(err); got != storage.TroubleUnreachable {
		t.Errorf("no server: %q", got)
	}
}
