package chaos_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// checkPicture fetches a picture as its owner does, and compares it with the
// record.
func (d *deployment) checkPicture(img row, link string) {
	d.t.Helper()
	resp, err := http.Get(link)
	if err != nil {
		d.t.Errorf("picture %s/%d: %v", img.job, img.index, err)
		return
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	sum := sha256.Sum256(data)
	if err != nil || resp.StatusCode != http.StatusOK || hex.EncodeToString(sum[:]) != img.sha256 || int64(len(data)) != img.bytes {
		d.t.Errorf("picture %s/%d: %s, %d bytes, sha256 %x, error %v; recorded are %d bytes, sha256 %s",
			img.job, img.index, resp.Status, len(data), sum, err, img.bytes, img.sha256)
	}
}

// checkObjects fails unless the bucket has one object for each succeeded image,
// and nothing else. There is no exception: the next attempt finds a stored
// picture before anything can fail the image.
func (d *deployment) checkObjects(rows []row, stored map[string]time.Time, sum *summary) {
	d.t.Helper()
	sum.objects = len(stored)
	left := maps.Clone(stored)
	for _, r := range rows {
		_, is := stored[r.key()]
		delete(left, r.key())
		switch {
		case is && r.status == "failed":
			d.t.Errorf("%s is stored, and its image has failed (%s, %d attempts)", r.key(), r.code, r.attempts)
		case !is && r.status == "succeeded", r.status == "succeeded" && r.objectKey != r.key():
			d.t.Errorf("%s is not stored, or recorded as %s, and its image has succeeded", r.key(), r.objectKey)
		}
	}
	for key := range left {
		d.t.Errorf("%s is stored, and nobody asked for it", key)
	}
}

// listObjects lists the bucket: each key, and when its upload began.
func (d *deployment) listObjects() map[string]time.Time {
	d.t.Helper()
	found := map[string]time.Time{}
	for token := ""; ; {
		var page struct {
			Contents []struct {
				Key          string
				LastModified time.Time
			}
			IsTruncated           bool
			NextContinuationToken string
		}
		link := d.s3.URL() + "/" + bucket + "?list-type=2&continuation-token=" + url.QueryEscape(token)
		if token == "" {
			link = strings.TrimSuffix(link, "&continuation-token=")
		}
		resp, err := http.Get(link)
		if err != nil {
			d.t.Fatal(err)
		}
		err = xml.NewDecoder(resp.Body).Decode(&page)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			d.t.Fatalf("list the bucket: %s: %v", resp.Status, err)
		}
		for _, c := range page.Contents {
			found[c.Key] = c.LastModified
		}
		if token = page.NextContinuationToken; !page.IsTruncated {
			return found
		}
	}
}

// checkRequests counts the requests to Gemini. There may be one for each
// picture, one more for each answer without a picture, and one more for each
// attempt that was cut in the middle (see cutSQL). A kill cuts one attempt of
// each image that the worker had. Deliveries that come twice or early cost no
// request. Once a picture is stored, a cut costs none either: the picture is
// not asked for again.
func (d *deployment) checkRequests(byID map[string]*submitted, rows []row, stored map[string]time.Time, sum *summary) {
	d.t.Helper()
	m := d.model
	m.mu.Lock()
	defer m.mu.Unlock()
	sum.kinds = len(m.kinds)
	left := maps.Clone(m.asked)
	for _, r := range rows {
		j := byID[r.job]
		if j == nil {
			continue // reported already
		}
		id := pictureID{job: j.number, index: r.index}
		delete(left, id)
		asked, limit := m.asked[id], m.failed[id]+r.cut
		if r.status != "failed" {
			limit++
		}
		sum.asked += asked
		sum.answeredWithout += m.failed[id]
		sum.again += max(0, asked-m.failed[id]-1)
		if asked > limit {
			d.t.Errorf("%s (%s): Gemini was asked %d times, with %d answers without a picture and %d attempts cut",
				r.key(), r.status, asked, m.failed[id], r.cut)
		}
		if at, is := stored[r.key()]; is && m.latest[id].After(at.Add(clockStep)) {
			d.t.Errorf("%s: Gemini was asked %s after the picture was stored", r.key(), m.latest[id].Sub(at))
		}
	}
	if len(left) > 0 {
		d.t.Errorf("Gemini was asked for what nobody asked for: %v", left)
	}
}

// clockStep is the precision of an object's time.
const clockStep = time.Millisecond
