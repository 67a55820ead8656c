package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

const (
	queueParent = "projects/p/locations/l"
	queueName   = queueParent + "/queues/images"

	startTimeout = 10 * time.Second
	stopTimeout  = 15 * time.Second
)

// newDatabase creates a database on the server at serverURL. It returns the
// database's URL, and a function that drops it.
func newDatabase(ctx context.Context, serverURL string) (string, func() error, error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return "", nil, errors.New("TEST_DATABASE_URL is not a URL")
	}
	name := "quota_" + strings.ToLower(rand.Text())
	quoted := pgx.Identifier{name}.Sanitize()
	if err := execute(ctx, serverURL, "CREATE DATABASE "+quoted); err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return execute(ctx, serverURL, "DROP DATABASE "+quoted+" WITH (FORCE)")
	}, nil
}

func execute(ctx context.Context, databaseURL, sql string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// startRedis starts an empty Redis. It returns its URL and its process.
func startRedis(ctx context.Context, dir string) (string, *os.Process, error) {
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	server := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", //nolint:gosec,noctx // no argument comes from outside; it outlives ctx
		"--save", "", "--appendonly", "no", "--dir", dir)
	if err := server.Start(); err != nil {
		return "", nil, fmt.Errorf("redis-server: %w", err)
	}
	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:" + port, MaxRetries: -1})
	defer func() { _ = client.Close() }() // it only asks whether the server is up
	err = await(ctx, startTimeout, func() bool { return client.Ping(ctx).Err() == nil })
	if err != nil {
		kill(server.Process)
		return "", nil, fmt.Errorf("redis-server: %w", err)
	}
	return "redis://127.0.0.1:" + port + "/0", server.Process, nil
}

// kill ends a process, and waits until it is gone.
func kill(p *os.Process) {
	_ = p.Kill() // it may be gone already
	_, _ = p.Wait()
}

func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	return strconv.Itoa(port), ln.Close()
}

// startQueue starts Cloud Tasks with one queue, as terraform makes it for a
// rate. Like the real queue, it bursts and slows down.
func startQueue(ctx context.Context, rpm, concurrency int) (*cloudtasks.Emulator, error) {
	queue, err := cloudtasks.Start("127.0.0.1:0", cloudtasks.Options{})
	if err != nil {
		return nil, err
	}
	_, err = queue.Service().CreateQueue(ctx, &cloudtaskspb.CreateQueueRequest{
		Parent: queueParent,
		Queue: &cloudtaskspb.Queue{
			Name: queueName,
			RateLimits: &cloudtaskspb.RateLimits{
				MaxDispatchesPerSecond: float64(rpm) / 60, MaxConcurrentDispatches: int32(concurrency),
			},
			RetryConfig: &cloudtaskspb.RetryConfig{
				MaxAttempts: -1, MinBackoff: durationpb.New(5 * time.Second), MaxBackoff: durationpb.New(5 * time.Minute), MaxDoublings: 6,
			},
		},
	})
	return queue, err
}

// serve starts a server for h on a port of its own, which runs until stop is
// called.
func serve(h http.Handler) (address string, stop func() error, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: startTimeout}
	go func() { _ = srv.Serve(ln) }() // ends when it is closed
	return "http://" + ln.Addr().String(), srv.Close, nil
}

// await waits until condition holds.
func await(ctx context.Context, limit time.Duration, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// removeOld removes the files in dir that have their final name. Nobody looks
// at the pictures, and at a thousand a minute they would fill the disk.
func removeOld(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			_ = os.Remove(dir + "/" + e.Name())
		}
	}
	return nil
}
