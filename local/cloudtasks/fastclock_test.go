package cloudtasks_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

// On a clock that goes sixty times as fast, schedules and back-offs pass in a
// sixtieth of the time. What the worker measures by its own clock stays: the
// dispatch deadline, and the times of its token.
func TestFastClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		dir := t.TempDir()
		b := setup(t, cloudtasks.Options{Clock: cloudtasks.NewFastClock(60), StateDir: dir}, func(n int, w http.ResponseWriter, r *http.Request) {
			claims := jwt.MapClaims{}
			if _, _, err := jwt.NewParser().ParseUnverified(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), claims); err != nil {
				t.Error(err)
			}
			if at, err := claims.GetIssuedAt(); err != nil || time.Since(at.Time) < 0 || time.Since(at.Time) > time.Second {
				t.Errorf("a token is from %v, now is %s", at, time.Now())
			}
			if n == 0 {
				<-r.Context().Done() // at the deadline
			}
		})
		b.worker.start, b.worker.now = start, time.Now
		b.queue(&cloudtaskspb.Queue{RetryConfig: retry(time.Hour, time.Hour, 1, 9)})
		task := httpTask("x")
		task.GetHttpRequest().AuthorizationHeader = &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{ServiceAccountEmail: "a@b"}}
		time.Sleep(time.Hour) // the emulator is days ahead of its callers now
		task.ScheduleTime = timestamppb.New(time.Now().Add(30 * time.Minute))
		if _, err := b.tryCreate(task); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		// Half a minute after it was created, and a minute after it was cut off at
		// its deadline of ten minutes.
		want := []time.Duration{time.Hour + 30*time.Second, time.Hour + 30*time.Second + 11*time.Minute}
		synctest.Wait()
		if diff := cmp.Diff(want, b.worker.times()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}

		// The next emulator on this state goes on where this one was.
		b.pause()
		b.create("y")
		stop(b.emu)
		b.options.Clock = cloudtasks.NewFastClock(60)
		b.open()
		if ahead := time.Until(b.options.Clock.Now()); ahead < 59*time.Hour {
			t.Errorf("after a restart the clock is %s ahead", ahead)
		}
	})
}
