package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ai-worker/ai-worker/bench/fleet"
)

const (
	jobSize     = 16 // pictures of a job, the most that it may have
	submitters  = 4
	cleanEvery  = 5 * time.Second
	firstWithin = time.Minute
)

// measure runs one measurement and fills in its result.
func measure(ctx context.Context, r *result, o options, path, databaseServer, dir string) (err error) {
	b := &bench{}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.start(ctx, r, o, path, databaseServer, dir); err != nil {
		return err
	}
	// The time from the first request to the end of the slowest picture, and a
	// little more.
	fill := o.maxLatency + 5*time.Second
	window := o.windowFor(r.rpm)
	r.disturbed = o.disturb
	pictures := int(float64(r.rpm)*(fill+window).Minutes()) + o.concurrency(r.rpm) + r.rpm/2
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.submit(gctx, pictures) })
	g.Go(func() error { return b.watch(gctx, r, o, fill, window) })
	return g.Wait()
}

// watch waits until the pipeline is full, and then measures for window.
func (b *bench) watch(ctx context.Context, r *result, o options, fill, window time.Duration) error {
	err := await(ctx, firstWithin, func() bool {
		arrived, _, _ := b.model.seen()
		return len(arrived) > 0
	})
	if err != nil {
		return fmt.Errorf("no request came: %w", err)
	}
	if err := b.pause(ctx, fill); err != nil {
		return err
	}
	start, before := time.Now(), b.usage()
	var stalls []stretch
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.pause(gctx, window) })
	if o.disturb {
		g.Go(func() (err error) {
			stalls, err = b.disturb(gctx, window, o.seed)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	end, after := time.Now(), b.usage()

	arrived, admitted, answered := b.model.seen()
	r.sent, r.refused, r.most = len(arrived), len(arrived)-len(admitted), mostInMinute(arrived)
	r.shareOfAll = share(between(admitted, start, end), r.rpm, nil)
	r.share = share(between(admitted, start, end), r.rpm, stalls)
	r.pictures = len(between(answered, start, end))
	if err := writeTimes(b.logs, arrived, stalls); err != nil {
		return err
	}
	if r.pictures > 0 && !o.disturb { // an instance that is gone has taken its CPU time with it
		r.cpuMillis = float64((after.CPU - before.CPU).Milliseconds()) / float64(r.pictures)
	}
	r.peakRSS = after.PeakRSS
	return nil
}

// pause lets d pass, and keeps the disk from filling up meanwhile.
func (b *bench) pause(ctx context.Context, d time.Duration) error {
	clean := time.NewTicker(cleanEvery)
	defer clean.Stop()
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		select {
		case <-clean.C:
			if err := removeOld(b.pictures); err != nil {
				return err
			}
		case <-end.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// usage returns the sum of the instances' CPU time, and the memory of the
// largest one.
func (b *bench) usage() (sum fleet.Usage) {
	for _, i := range b.instances {
		u, err := i.Usage()
		if err != nil {
			return fleet.Usage{} // there is no /proc on this system
		}
		sum.CPU += u.CPU
		sum.PeakRSS = max(sum.PeakRSS, u.PeakRSS)
	}
	return sum
}

// submit submits jobs for that many pictures.
func (b *bench) submit(ctx context.Context, pictures int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(submitters)
	for n := 0; n < pictures; n += jobSize {
		g.Go(func() error { return b.post(ctx, n) })
	}
	return g.Wait()
}

func (b *bench) post(ctx context.Context, n int) error {
	body := fmt.Sprintf(`{"prompt":"Picture %d and those that follow","count":%d}`, n, jobSize)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.proxy.URL()+"/api/generate-images", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("a job was answered %s: %s", resp.Status, text)
	}
	return nil
}
