package sweep_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"testing"
	"time"
)

// An upload stays for as long as a job may take it. Only the daily sweep looks.
func TestDailySweepRemovesOldUploads(t *testing.T) {
	b := setupBucket(t)
	b.sweeper.Retention = 0 // jobs are kept, uploads are not
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	ticket, err := b.r2.SignUpload("web", "image/png", int64(picture.Len()))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, ticket.URL, &picture)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	taken, err := b.r2.TakeUpload(t.Context(), "web", ticket.ID, newID(), 0)
	if err != nil {
		t.Fatal(err)
	}

	b.sweeper.SetClock(func() time.Time { return time.Now().Add(24 * time.Hour) })
	if swept := b.daily(t); swept.Uploads != 0 {
		t.Errorf("after a day: %+v", swept)
	}
	b.sweeper.SetClock(func() time.Time { return time.Now().Add(26 * time.Hour) })
	if swept := b.sweepOnce(t); swept.Uploads != 0 {
		t.Errorf("a sweep that is not daily: %+v", swept)
	}
	if swept := b.daily(t); swept.Uploads != 1 {
		t.Errorf("after more than a day: %+v, want one upload", swept)
	}
	if got := b.keys(t); len(got) != 1 || got[0] != taken.Key {
		t.Errorf("left %v, want the job's copy", got)
	}
}
