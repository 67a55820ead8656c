package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

func credentials(user, password string) url.Values {
	return url.Values{"user": {user}, "password": {password}}
}

// A wrong password and an unknown name are told the same.
func TestLoginSaysNothingOfNames(t *testing.T) {
	s := setup(t)
	wrong := s.do(request{method: "POST", path: path + "/login", form: credentials("ada", "wrong")})
	unknown := s.do(request{method: "POST", path: path + "/login", form: credentials("nobody", "wrong")})
	empty := s.do(request{method: "POST", path: path + "/login"})
	page := text(t, wrong)
	if wrong.StatusCode != http.StatusUnauthorized || unknown.StatusCode != http.StatusUnauthorized || empty.StatusCode != http.StatusUnauthorized || text(t, unknown) != page || text(t, empty) != page {
		t.Errorf("answered %s, %s and %s", wrong.Status, unknown.Status, empty.Status)
	}
	want(t, page, "The name or the password is wrong.", "-ada")
	want(t, s.log.String(), "-nobody", "address=192.0.2.7")
}

// What somebody types into the wrong field is in no log and no record.
func TestLoginKeepsNoName(t *testing.T) {
	s := setup(t)
	s.do(request{method: "POST", path: path + "/login", form: credentials("my secret password", "")})
	want(t, s.log.String(), "-secret")
	seen := &tries{Record: s.kept}
	s.options.Record = seen
	s.start()
	s.do(request{method: "POST", path: path + "/login", form: credentials("my secret password", "")})
	want(t, fmt.Sprint(seen.all), "-secret", "192.0.2.7")
}

// After ten failures within 15 minutes even the right password is refused, with the
// time after which it is not, and no password is compared.
func TestFailedLoginsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		try := func(user, password, address string) *http.Response {
			return s.do(request{method: "POST", path: path + "/login", form: credentials(user, password), header: map[string]string{"X-Forwarded-For": address}})
		}
		for n := range 10 {
			if got := try("ada", "wrong", fmt.Sprint("198.51.100.", n)).StatusCode; got != http.StatusUnauthorized {
				t.Fatalf("try %d is answered %d", n, got)
			}
		}
		resp := try("ada", password, "203.0.113.1")
		after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if resp.StatusCode != http.StatusTooManyRequests || err != nil || after < 800 || after > 900 {
			t.Errorf("answered %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
		}
		want(t, text(t, resp), "Try again in 15 min")
		if got := try("vera", password, "203.0.113.1").StatusCode; got != http.StatusSeeOther {
			t.Errorf("another user is answered %d", got)
		}
		time.Sleep(15 * time.Minute)
		if got := try("ada", password, "203.0.113.1").StatusCode; got != http.StatusSeeOther {
			t.Errorf("15 minutes later: answered %d", got)
		}
	})
}

// A flood from one address is stopped before the record is asked.
func TestAFloodIsStoppedInFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		seen := &tries{Record: s.kept}
		s.options.Record = seen
		s.start()
		for range 100 {
			s.do(request{method: "POST", path: path + "/login", form: credentials("nobody", "wrong")})
		}
		if n := len(seen.all); n > 20 {
			t.Errorf("the record was asked %d times", n)
		}
	})
}

// Of a thousand tries at once, from as many addresses, two passwords are compared at a
// time, and as many tries are with the record. Those whose turn does not come in five
// seconds are told so, and do not count: who knows a password gets in afterwards.
func TestAFloodComparesTwoPasswordsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		with := &atOnce{Record: s.kept}
		s.options.Record = with
		site := dashboard.New(s.options)
		var compared atOnceCount
		site.SetCompare(func(hash, password []byte) error {
			defer compared.enter()()
			time.Sleep(250 * time.Millisecond)
			return bcrypt.CompareHashAndPassword(hash, password)
		})
		s.handler = site
		var answers [600]atomic.Int32
		var group sync.WaitGroup
		for n := range 1000 {
			group.Go(func() {
				q := request{method: "POST", path: path + "/login", form: credentials(fmt.Sprint("nobody-", n), "wrong"), header: map[string]string{"X-Forwarded-For": fmt.Sprintf("198.51.%d.%d", n/250, n%250)}}
				if n%50 == 0 {
					q.form = credentials("vera", password)
				}
				answers[s.do(q).StatusCode].Add(1)
			})
		}
		start := time.Now()
		group.Wait()
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("the last was answered after %s", took)
		}
		if compared.most != 2 || with.tries.most != 2 {
			t.Errorf("%d were compared at once, and %d were with the record, want 2", compared.most, with.tries.most)
		}
		if n := answers[http.StatusServiceUnavailable].Load(); n < 900 {
			t.Errorf("%d were told that it is busy, want almost all", n)
		}
		if answers[http.StatusTooManyRequests].Load() > 0 {
			t.Error("a try counts that was never compared")
		}
		s.logIn("vera")
	})
}

// An atOnceCount counts how many do something at once.
type atOnceCount struct {
	mu        sync.Mutex
	now, most int
}

// enter counts one more. The caller calls what it returns at the end.
func (c *atOnceCount) enter() (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	c.most = max(c.most, c.now)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
	}
}

// atOnce is a record that takes some time to begin a login, and counts how many it
// begins at once.
type atOnce struct {
	dashboard.Record

	tries atOnceCount
}

func (r *atOnce) BeginLogin(ctx context.Context, try record.LoginTry) error {
	defer r.tries.enter()()
	time.Sleep(10 * time.Millisecond)
	return r.Record.BeginLogin(ctx, try)
}

// Two instances on one database count together: of a flood of passwords, from many
// addresses at once, ten are compared.
func TestTwoInstancesCountLoginsTogether(t *testing.T) {
	pool, err := postgres.NewPool(t.Context(), postgrestest.NewRecord(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := setup(t)
	s.options.Record = postgres.New(pool)
	instances := []http.Handler{dashboard.New(s.options), dashboard.New(s.options)}
	var compared, refused atomic.Int32
	var group sync.WaitGroup
	for n := range 60 {
		group.Go(func() {
			q := request{
				method: "POST", path: path + "/login", form: credentials("ada", "guess "+strconv.Itoa(n)),
				header: map[string]string{"X-Forwarded-For": fmt.Sprint("198.51.100.", n)},
			}
			resp := send(t, instances[n%2], q)
			for resp.StatusCode == http.StatusServiceUnavailable { // its turn did not come, on a slow machine
				resp = send(t, instances[n%2], q)
			}
			switch resp.StatusCode {
			case http.StatusUnauthorized:
				compared.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
			default:
				t.Errorf("answered %s", resp.Status)
			}
		})
	}
	group.Wait()
	if compared.Load() != record.MaxFailedLogins || refused.Load() != 60-record.MaxFailedLogins {
		t.Errorf("%d were compared and %d refused, want %d compared", compared.Load(), refused.Load(), record.MaxFailedLogins)
	}
}
