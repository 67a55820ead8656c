package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/redis"
)

func TestBadURLsAreNotRepeated(t *testing.T) {
	_, err := redis.NewClient("redis://default:hunter2@host:6379/database", slog.New(slog.DiscardHandler))
	if err == nil || strings.Contains(fmt.Sprint(err), "hunter2") || !strings.Contains(err.Error(), "REDIS_URL") {
		t.Errorf("got %v", err)
	}
}

// A server that fails is left alone. Then one caller at a time tries it.
func TestDoLeavesAFailingServerAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, err := redis.NewClient("redis://nobody.invalid:6379", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		asked := 0
		away := errors.New("away")
		do := func(answer error) error {
			return client.Do(t.Context(), "ask", time.Second, func(context.Context, *goredis.Client) error {
				asked++
				return answer
			})
		}
		want := func(err, want error, calls int) {
			t.Helper()
			if !errors.Is(err, want) || asked != calls {
				t.Fatalf("got %v after %d calls, want %v after %d", err, asked, want, calls)
			}
		}
		want(do(redis.Nil), redis.Nil, 1) // Nil is an answer
		want(do(away), away, 2)
		want(do(nil), redis.ErrResting, 2)
		time.Sleep(2 * time.Second)
		slow, ended := make(chan struct{}), make(chan error)
		go func() {
			ended <- client.Do(t.Context(), "ask", time.Minute, func(context.Context, *goredis.Client) error {
				asked++
				<-slow
				return nil
			})
		}()
		synctest.Wait()
		want(do(nil), redis.ErrResting, 3) // the others do not wait for the one that tries
		close(slow)
		want(<-ended, nil, 3)
		want(do(nil), nil, 4)
	})
}

// A command that was sent before the server failed, and ends while one caller
// tries the server, lets no second one try it.
func TestDoTriesAFailingServerWithOneCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, err := redis.NewClient("redis://nobody.invalid:6379", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		away, ended := errors.New("away"), make(chan error, 2)
		send := func(ctx context.Context, takes time.Duration) {
			go func() {
				ended <- client.Do(ctx, "ask", time.Minute, func(context.Context, *goredis.Client) error {
					time.Sleep(takes)
					return away
				})
			}()
			synctest.Wait()
		}
		ask := func() error {
			return client.Do(t.Context(), "ask", time.Second, func(context.Context, *goredis.Client) error { return away })
		}
		gone, leave := context.WithCancel(t.Context())
		send(gone, 5*time.Second) // before anything is wrong
		if err := ask(); !errors.Is(err, away) {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		send(t.Context(), 30*time.Second) // tries the server
		leave()
		<-ended // of the one that was sent before
		if err := ask(); !errors.Is(err, redis.ErrResting) {
			t.Errorf("a second caller tries the server: %v", err)
		}
		<-ended
	})
}
