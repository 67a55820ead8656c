package lane_test

import (
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/status/redis/redistest"
)

// instances are pacers of one lane that share a Redis, as processes do.
func instances(t *testing.T, server *redistest.Server, rpm, n int) []*lane.Pacer {
	t.Helper()
	opts, err := goredis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries = -1
	var pacers []*lane.Pacer
	for i := range n {
		client := goredis.NewClient(opts)
		t.Cleanup(func() { _ = client.Close() })
		l := lane.Lane{Name: "a", RPM: rpm}
		pacers = append(pacers, lane.NewPacer(l, client, string(rune('a'+i)), n, slog.New(slog.DiscardHandler)))
	}
	return pacers
}

// takeAll takes n slots of all pacers at once, and returns when they are, from
// the first one on.
func takeAll(t *testing.T, pacers []*lane.Pacer, n int) []time.Duration {
	t.Helper()
	start := time.Now()
	var mu sync.Mutex
	var slots []time.Duration
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			wait, taken := pacers[i%len(pacers)].Take(t.Context(), time.Hour)
			if !taken {
				t.Error("a slot within the hour was not taken")
			}
			mu.Lock()
			defer mu.Unlock()
			slots = append(slots, time.Since(start)+wait)
		})
	}
	wg.Wait()
	slices.Sort(slots)
	for i := range slots {
		slots[n-1-i] -= slots[0]
	}
	return slots
}

// The clocks of the test and of Redis are read at different moments.
const slack = 150 * time.Millisecond

func TestPacersShareAQuota(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for _, rpm := range []int{10, 60, 1000} {
		for _, n := range []int{1, 3} {
			server.Stop() // and forget
			server.Restart()
			slots := takeAll(t, instances(t, server, rpm, n), 2*rpm)
			for i := rpm; i < len(slots); i++ {
				if window := slots[i] - slots[i-rpm]; window <= time.Minute-slack {
					t.Fatalf("rpm %d, %d instances: requests %d to %d lie within %s", rpm, n, i-rpm, i, window)
				}
			}
			most := time.Duration(float64(len(slots)-1)/float64(rpm)*float64(time.Minute))*102/100 + slack
			if took := slots[len(slots)-1]; took > most {
				t.Errorf("rpm %d, %d instances: %d slots took %s, want at most %s", rpm, n, len(slots), took, most)
			}
		}
	}
}

func TestPacerLeavesSlotsThatAreFarAway(t *testing.T) {
	t.Parallel()
	pacers := instances(t, redistest.Start(t), 10, 2)
	const patience = 20 * time.Second
	var taken, later []time.Duration
	for i := range 9 {
		wait, ok := pacers[i%2].Take(t.Context(), patience)
		if ok {
			taken = append(taken, wait)
		} else {
			later = append(later, wait)
		}
	}
	// The first slot of a lane without memory is an interval (6.06 s) away.
	if len(taken) != 3 || taken[2] > patience {
		t.Errorf("took slots in %v, want three within %s", taken, patience)
	}
	for i, wait := range later {
		want := time.Duration(float64(time.Minute) / 9.9 * float64(4+i))
		if wait < want-slack || wait > want+slack {
			t.Errorf("caller %d shall come back in %s, want %s", i, wait, want)
		}
	}
}

// A lane that has been idle has its next slot at once, and no burst.
func TestPacerDoesNotSaveUp(t *testing.T) {
	t.Parallel()
	pacer := instances(t, redistest.Start(t), 600, 1)[0]
	for range 2 {
		wait, _ := pacer.Take(t.Context(), time.Minute)
		time.Sleep(wait + 300*time.Millisecond)
	}
	first, _ := pacer.Take(t.Context(), time.Minute)
	second, _ := pacer.Take(t.Context(), time.Minute)
	if first > 0 || second < 50*time.Millisecond {
		t.Errorf("the next slots are in %s and %s, want 0 and an interval", first, second)
	}
}

// While Redis is away, the instances together keep to the quota, over the
// change as well; and when it is back, so do they.
func TestPacersKeepToTheQuotaThroughAnOutage(t *testing.T) {
	t.Parallel()
	const rpm, n = 60, 3
	server := redistest.Start(t)
	pacers := instances(t, server, rpm, n)
	start := time.Now()
	var slots []time.Duration
	take := func(i int) {
		wait, taken := pacers[i%n].Take(t.Context(), time.Hour)
		if !taken {
			t.Fatal("a slot within the hour was not taken")
		}
		slots = append(slots, time.Since(start)+wait)
	}
	for i := range rpm / 2 {
		take(i)
	}
	server.Stop()
	for i := range 2 * rpm {
		take(i)
	}
	slices.Sort(slots)
	for i := rpm; i < len(slots); i++ {
		if window := slots[i] - slots[i-rpm]; window <= time.Minute-slack {
			t.Fatalf("requests %d to %d lie within %s", i-rpm, i, window)
		}
	}
	server.Restart()
	before := slots[len(slots)-1]
	deadline := time.Now().Add(20 * time.Second)
	for i := 0; ; i++ {
		take(i)
		// Slots come at the whole rate again, not at a third of it.
		if gap := slots[len(slots)-1] - slots[len(slots)-2]; gap > 0 && gap < 1100*time.Millisecond {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("Redis is back and not used")
		}
	}
	if slots[len(slots)-1] < before {
		t.Errorf("a slot at %s comes before the last one of the outage, at %s", slots[len(slots)-1], before)
	}
}
