package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/alicebob/miniredis/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/local/gemini"
	"github.com/ai-worker/ai-worker/local/s3"
)

const (
	// anyPort is the address of embedded services that only this process talks
	// to.
	anyPort = "localhost:0"

	bucket       = "pictures"
	picturesPath = "/pictures/"
	keysPath     = "/emulator/certs"

	localProject   = "projects/local/locations/local"
	serviceAccount = "tasks@local.iam.gserviceaccount.com"

	// emulatorPort is the port on which other clients of Cloud Tasks find the
	// emulator, unless CLOUD_TASKS_EMULATOR_PORT names another.
	emulatorPort = 8123

	closeTimeout = 2 * time.Second
)

// fillInRedis uses the real Redis if REDIS_URL is set. Otherwise it starts an empty
// one in memory: everything in Redis follows from the record.
func (e *environment) fillInRedis(cfg *config.Config) error {
	if cfg.RedisURL != "" {
		e.add(config.ServiceRedis, kindReal, "REDIS_URL")
		return nil
	}
	srv := miniredis.NewMiniRedis()
	if err := srv.StartAddr(anyPort); err != nil {
		return fmt.Errorf("embedded Redis: %w", err)
	}
	e.onClose(func() error { srv.Close(); return nil })
	cfg.RedisURL = config.Secret("redis://" + srv.Addr())
	e.add(config.ServiceRedis, kindEmbedded, "in memory, at "+srv.Addr())
	return nil
}

// fillInGemini uses the real Gemini if its key is set. Otherwise it starts a stand-in
// that draws the prompt.
func (e *environment) fillInGemini(ctx context.Context, cfg *config.Config) error {
	if cfg.Gemini.APIKey != "" {
		e.add(config.ServiceGemini, kindReal, quota(cfg.Lanes))
		return nil
	}
	srv, err := gemini.New(gemini.Options{
		RPM: slowest(cfg.Lanes), MinLatency: time.Second, MaxLatency: 2 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("embedded Gemini: %w", err)
	}
	address, err := e.serve(ctx, srv)
	if err != nil {
		return fmt.Errorf("embedded Gemini: %w", err)
	}
	cfg.Gemini.BaseURL = address
	for i := range cfg.Lanes {
		cfg.Lanes[i].APIKey = config.Secret("embedded-" + cfg.Lanes[i].Lane.Name) // a quota each
	}
	e.add(config.ServiceGemini, kindEmbedded, "draws your prompt, "+quota(cfg.Lanes))
	return nil
}

// quota describes the lanes.
func quota(lanes []config.KeyedLane) string {
	texts := make([]string, len(lanes))
	for i, l := range lanes {
		texts[i] = fmt.Sprintf("%s at %d requests a minute", l.Lane.Model, l.Lane.RPM)
	}
	return strings.Join(texts, ", ")
}

// slowest returns the lowest quota of the lanes: the stand-in has one quota for
// all keys.
func slowest(lanes []config.KeyedLane) int {
	rpm := lanes[0].Lane.RPM
	for _, l := range lanes {
		rpm = min(rpm, l.Lane.RPM)
	}
	return rpm
}

// fillInPictures uses the real R2 if its bucket is set. Otherwise it starts an S3
// server on disk, with an access key that this process alone knows.
func (e *environment) fillInPictures(cfg *config.Config) error {
	if cfg.R2.Bucket != "" {
		e.add(config.ServiceR2, kindReal, "bucket "+cfg.R2.Bucket)
		return nil
	}
	dir := filepath.Join(e.dir, "s3")
	key := rand.Text()
	srv, err := s3.Start(s3.Options{Dir: dir, Bucket: bucket, AccessKeyID: key})
	if err != nil {
		return fmt.Errorf("embedded S3 server: %w", err)
	}
	e.onClose(srv.Close)
	target, err := url.Parse(srv.URL() + "/" + bucket)
	if err != nil {
		return fmt.Errorf("embedded S3 server: %w", err)
	}
	e.mux.Handle("GET "+picturesPath, http.StripPrefix(picturesPath[:len(picturesPath)-1], pictures(target, key)))
	cfg.R2 = config.R2{
		AccessKeyID: key, SecretAccessKey: "embedded", Bucket: bucket,
		Endpoint: srv.URL(), PublicURL: e.base + picturesPath[:len(picturesPath)-1],
	}
	e.add(config.ServiceR2, kindEmbedded, "S3 server at "+srv.URL()+", on "+dir)
	return nil
}

// pictures serves the objects of a bucket, and not the list of them. Callers
// reach them through this process, so that their addresses stay the same. key is
// the bucket's access key.
func pictures(bucket *url.URL, key string) http.Handler {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.RawQuery = "" // it could ask for more than the object
		r.SetURL(bucket)
		r.Out.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/")
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Trim(r.URL.Path, "/") == "" {
			handlers.WriteProblem(w, http.StatusNotFound, "Pictures are not listed. A job has the addresses of its own.")
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// fillInQueue uses the real queue if it is set. Otherwise it starts the emulator,
// with a queue for each lane and one for sweeps.
func (e *environment) fillInQueue(ctx context.Context, cfg *config.Config) error {
	if cfg.Tasks.Queue != "" {
		e.add(config.ServiceCloudTasks, kindReal, cfg.Tasks.Queue)
		return nil
	}
	emu, err := startEmulator(e.host, cfg.Dev.EmulatorPort, cloudtasks.Options{StateDir: filepath.Join(e.dir, "cloudtasks"), Logger: e.log})
	if err != nil {
		return fmt.Errorf("embedded Cloud Tasks: %w", err)
	}
	e.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := emu.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil // deliveries that were cut off come again after the next start
	})
	for i := range cfg.Lanes {
		l := &cfg.Lanes[i].Lane
		l.Queue = localProject + "/queues/" + l.Name
		if _, err := emu.Service().UpdateQueue(ctx, &cloudtaskspb.UpdateQueueRequest{Queue: newQueue(*l)}); err != nil {
			return fmt.Errorf("embedded Cloud Tasks: %w", err)
		}
	}
	sweeps := &cloudtaskspb.Queue{Name: localProject + "/queues/sweep"}
	if _, err := emu.Service().UpdateQueue(ctx, &cloudtaskspb.UpdateQueueRequest{Queue: sweeps}); err != nil {
		return fmt.Errorf("embedded Cloud Tasks: %w", err)
	}
	webhooks := newWebhookQueue()
	if _, err := emu.Service().UpdateQueue(ctx, &cloudtaskspb.UpdateQueueRequest{Queue: webhooks}); err != nil {
		return fmt.Errorf("embedded Cloud Tasks: %w", err)
	}
	e.mux.Handle("GET "+keysPath, emu.JWKS())
	cfg.Tasks = config.Tasks{
		Queue: cfg.Lanes[0].Lane.Queue, SweepQueue: sweeps.GetName(), WorkerURL: e.base, ServiceAccount: serviceAccount, Audience: e.base,
		Endpoint: emu.Addr(), JWKSURL: e.base + keysPath, WebhookQueue: webhooks.GetName(),
	}
	e.add(config.ServiceCloudTasks, kindEmbedded, "emulator at "+emu.Addr()+" (gRPC and REST)")
	return nil
}

// startEmulator starts the emulator on the port asked for. If none is asked
// for, it takes the usual port, or any other if that is taken.
func startEmulator(host, port string, opts cloudtasks.Options) (*cloudtasks.Emulator, error) {
	if port != "" {
		return cloudtasks.Start(net.JoinHostPort(host, port), opts)
	}
	emu, err := cloudtasks.Start(net.JoinHostPort(host, strconv.Itoa(emulatorPort)), opts)
	if err != nil {
		return cloudtasks.Start(anyPort, opts)
	}
	return emu, nil
}

// newQueue returns a lane's queue with the settings that terraform gives it.
func newQueue(l lane.Lane) *cloudtaskspb.Queue {
	return &cloudtaskspb.Queue{
		Name: l.Queue,
		RateLimits: &cloudtaskspb.RateLimits{
			MaxDispatchesPerSecond:  float64(l.RPM) / 60,
			MaxConcurrentDispatches: int32(l.Concurrency),
		},
		RetryConfig: &cloudtaskspb.RetryConfig{
			MaxAttempts:  -1,
			MinBackoff:   durationpb.New(5 * time.Second),
			MaxBackoff:   durationpb.New(5 * time.Minute),
			MaxDoublings: 6,
		},
	}
}

// serve serves an embedded service until the process ends, and returns its
// address.
func (e *environment) serve(ctx context.Context, h http.Handler) (string, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", anyPort)
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: closeTimeout}
	go func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			e.log.Error("embedded service", "error", err)
		}
	}()
	e.onClose(srv.Close)
	return "http://" + ln.Addr().String(), nil
}
