package chaos_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ai-worker/ai-worker/local/gemini"
	"github.com/ai-worker/ai-worker/local/s3"
)

// answers returns every kind of answer that Gemini is known to give, by weight.
// About one in three has no picture. One in a hundred says that the lane is
// broken.
func answers(hangs bool) map[gemini.Fault]int {
	weights := map[gemini.Fault]int{
		gemini.Ok: 640, gemini.JPEG: 30, gemini.URLSafe: 30,

		// No answer comes back, or not all of it.
		gemini.Reset: 15, gemini.EOF: 15, gemini.Truncated: 15, gemini.Garbage: 10, gemini.Empty: 5,
		// An answer without a picture.
		gemini.Nothing: 5, gemini.ErrorIn: 5, gemini.NoPicture: 8, gemini.DraftOnly: 5,
		gemini.Finish("NO_IMAGE"): 4, gemini.Finish("IMAGE_OTHER"): 4, gemini.Finish("OTHER"): 3,
		gemini.Finish("CONTINUATION"): 2, gemini.Finish("MAX_TOKENS"): 3, gemini.Finish("NEVER_SEEN_BEFORE"): 2,
		// Refused.
		gemini.Finish("SAFETY"): 4, gemini.Finish("IMAGE_SAFETY"): 4, gemini.Finish("PROHIBITED_CONTENT"): 2,
		gemini.Finish("SPII"): 1, gemini.Finish("BLOCKLIST"): 1, gemini.Finish("LANGUAGE"): 1,
		gemini.Finish("IMAGE_PROHIBITED_CONTENT"): 2, gemini.Finish("RECITATION"): 3, gemini.Finish("IMAGE_RECITATION"): 3,
		gemini.Block("SAFETY"): 3, gemini.Block("PROHIBITED_CONTENT"): 2, gemini.Block("OTHER"): 3,
		"400": 4, "400-image": 4, "400-fetch": 4, "400-file": 2, "403-file": 2, "404-file": 2, "413": 2,
		// The provider itself fails.
		"408": 5, "499": 5, "500": 25, "502": 15, "503": 25, "503-later": 5, "504": 10,
		// The provider's limits.
		"429-minute": 5, "429-day": 2, "429-spend": 2, "429-rate": 2, "429-capacity": 10,
		// The lane is broken.
		"400-key": 1, "400-location": 1, "400-billing": 1, "401": 1, "402": 1, "403-no-key": 1, "403-leaked": 1,
		"403-suspended": 1, "403-disabled": 1, "404-model": 1, "429-zero": 1, "429-prepaid": 1,
	}
	if hangs {
		weights[gemini.Hang] = 3
	}
	return weights
}

// pays reports whether an answer holds a picture.
func pays(f gemini.Fault) bool { return f == gemini.Ok || f == gemini.JPEG || f == gemini.URLSafe }

// A pictureID says which image a request is for: its job's number and its
// index. The request has it as its seed.
type pictureID struct{ job, index int }

// seedsPerJob is more than the number of pictures that a job may have.
const seedsPerJob = 100

func (p pictureID) seed() int { return p.job*seedsPerJob + p.index }

// A model notes the requests that it gets, and chooses answers at random.
type model struct {
	calm atomic.Bool // every answer is a picture

	mu     sync.Mutex
	asked  map[pictureID]int
	latest map[pictureID]time.Time // when asked
	failed map[pictureID]int       // of those asked, answered without a picture
	kinds  map[gemini.Fault]int

	drawnBy map[drawing]bool
	poisons map[int]gemini.Fault // by job: the answer to all of its requests
}

// A drawing says by which model a picture was asked for, and with which lane's
// key.
type drawing struct {
	key, model string
	picture    pictureID
}

func newModel(jobs []plannedJob) *model {
	m := &model{
		asked: map[pictureID]int{}, latest: map[pictureID]time.Time{}, failed: map[pictureID]int{}, kinds: map[gemini.Fault]int{},
		drawnBy: map[drawing]bool{}, poisons: map[int]gemini.Fault{},
	}
	for n, j := range jobs {
		if j.poison != nil {
			m.poisons[n] = j.poison.answer
		}
	}
	return m
}

// script returns the function that chooses the stand-in's answer to each
// request.
func (m *model) script(seed uint64, hangs bool) func(gemini.Request) gemini.Fault {
	pick := gemini.Mix(seed, answers(hangs))
	return func(r gemini.Request) gemini.Fault {
		fault := gemini.Ok
		if !m.calm.Load() {
			fault = pick(r)
		}
		id := pictureID{job: -1}
		if r.Seed != nil {
			id = pictureID{job: int(*r.Seed) / seedsPerJob, index: int(*r.Seed) % seedsPerJob}
		}
		if answer, is := m.poisons[id.job]; is {
			fault = answer
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.asked[id]++
		m.drawnBy[drawing{key: r.Key, model: r.Model, picture: id}] = true
		m.latest[id] = time.Now()
		if !pays(fault) {
			m.failed[id]++
			m.kinds[fault]++
		}
		return fault
	}
}

// bucketFaults makes R2 fail: now and then all the time, and always while it is
// down.
type bucketFaults struct {
	calm, down atomic.Bool

	mu     sync.Mutex
	random *rand.Rand
	count  int
}

// decide chooses the S3 server's fault for a request.
func (b *bucketFaults) decide(*http.Request) s3.Fault {
	if b.calm.Load() {
		return s3.Fault{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	fault := s3.Fault{}
	switch n := b.random.IntN(100); {
	case b.down.Load():
		fault = s3.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"}
	case n < 4:
		fault = s3.Fault{Status: http.StatusInternalServerError, Code: "InternalError"}
	case n < 7:
		fault = s3.Fault{Status: http.StatusTooManyRequests, Code: "TooManyRequests"}
	case n < 9:
		fault = s3.Fault{Cut: true}
	case n < 19: // stored, and the worker tries again: when it is killed now, the picture must not be paid for twice
		fault = s3.Fault{Cut: true, Done: true}
	case n < 24:
		fault = s3.Fault{Status: http.StatusInternalServerError, Code: "InternalError", Done: true}
	}
	if fault != (s3.Fault{}) {
		b.count++
	}
	return fault
}
