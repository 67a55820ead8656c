package caller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/files"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
)

const (
	// drawEvery is how often the live line is looked at: it has seconds in it.
	drawEvery = 250 * time.Millisecond
	// askEvery is how often a job that waits is asked for while somebody looks: its
	// place in the queue changes without an event.
	askEvery = 10 * time.Second
	// mostDownloads is how many pictures are downloaded at once.
	mostDownloads = 4
)

// following says how a job is followed.
type following struct {
	isOwner  bool // Ctrl-C asks whether to cancel the job
	isStream bool // each version is a line of JSON
	isShown  bool // the job is shown as it is, and not waited for
}

// A follow is a job that somebody waits for. One goroutine has it; others hand it
// what to do by posts.
type follow struct {
	*session
	following

	keep  *keeper
	posts chan func() error
	slots chan struct{} // one for each download

	job      client.Job
	since    time.Time
	asked    time.Time      // when the job was asked for last
	landed   map[int]string // where each picture is
	ended    map[int]bool   // images that were shown
	fetching int            // downloads under way
	unsaved  error
	question bool // the question stands
	canceled bool // the job was canceled from here
}

// follow shows a job until it has ended, and prints its pictures.
func (s *session) follow(ctx context.Context, j client.Job, keep *keeper, how following) error {
	f := newFollow(s, keep, how)
	if how.isOwner {
		s.screen.Print("job " + terminal.Clean(j.ID))
	}
	err := f.run(ctx, j)
	s.screen.Close()
	if err != nil {
		return f.resumable(err)
	}
	return f.result()
}

func newFollow(s *session, keep *keeper, how following) *follow {
	return &follow{
		session: s, following: how, keep: keep,
		posts: make(chan func() error), slots: make(chan struct{}, mostDownloads),
		since: time.Now(), asked: time.Now(), landed: map[int]string{}, ended: map[int]bool{},
	}
}

// run works until the job has ended and its pictures are here.
func (f *follow) run(ctx context.Context, j client.Job) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := f.update(ctx, j); err != nil {
		return err
	}
	if f.isWaiting() {
		go f.watch(ctx, j)
	}
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	for f.isWaiting() || f.fetching > 0 {
		f.draw()
		select {
		case act := <-f.posts:
			if err := act(); err != nil {
				return err
			}
		case signal := <-f.Signals:
			if err := f.interrupt(ctx, signal); err != nil {
				return err
			}
		case <-tick.C:
			f.refresh(ctx)
		}
	}
	return nil
}

// isWaiting reports whether the job has yet to end.
func (f *follow) isWaiting() bool { return !f.isShown && !f.job.HasEnded() }

// post has act done by the goroutine of the follow.
func (f *follow) post(ctx context.Context, act func() error) {
	select {
	case f.posts <- act:
	case <-ctx.Done():
	}
}

func (f *follow) watch(ctx context.Context, from client.Job) {
	for j, err := range f.client.Watch(ctx, from.ID, from.Version) {
		f.post(ctx, func() error {
			if err != nil {
				return err
			}
			return f.update(ctx, j)
		})
	}
}

// refresh asks for a job that waits, if that was long ago and somebody looks.
func (f *follow) refresh(ctx context.Context) {
	if !f.screen.IsLive() || !f.isWaiting() || f.job.Progress.Queued == 0 || time.Since(f.asked) < askEvery {
		return
	}
	f.asked = time.Now()
	id := f.job.ID
	go func() {
		j, err := f.client.Get(ctx, id)
		if err != nil {
			return // the watch finds out what is wrong
		}
		f.post(ctx, func() error {
			if j.Version == f.job.Version {
				f.job = j
			}
			return nil
		})
	}()
}

// update takes a version of the job, and what landed with it.
func (f *follow) update(ctx context.Context, j client.Job) error {
	f.job = j
	for _, i := range j.Images {
		if f.ended[i.Index] || i.Status == "queued" || i.Status == "processing" {
			continue
		}
		f.ended[i.Index] = true
		if i.Status != "succeeded" || i.URL == nil {
			f.screen.Print(f.screen.Lost(i))
			continue
		}
		f.land(ctx, i)
	}
	if f.isStream && f.asJSON && !j.HasEnded() {
		return f.print(string(j.Raw))
	}
	return nil
}

// land shows a picture that there is, and saves it.
func (f *follow) land(ctx context.Context, i client.Image) {
	f.landed[i.Index] = *i.URL
	if f.keep.template == "" && f.keep.protocol == terminal.None {
		f.say(i)
		return
	}
	f.fetching++
	j, columns := f.job, f.screen.Columns()
	go func() {
		select {
		case f.slots <- struct{}{}:
			defer func() { <-f.slots }()
		case <-ctx.Done():
			return
		}
		path, preview, err := f.fetch(ctx, j, i, columns)
		f.post(ctx, func() error {
			f.fetching--
			f.kept(i, path, preview, err)
			return nil
		})
	}()
}

// fetch downloads a picture, saves it, and makes a preview.
func (f *follow) fetch(ctx context.Context, j client.Job, i client.Image, columns int) (path, preview string, err error) {
	data, err := f.client.Picture(ctx, j.ID, i)
	if err != nil {
		return "", "", f.explain(err)
	}
	if f.keep.protocol != terminal.None {
		// What cannot be shown can be saved all the same.
		preview, _ = f.keep.protocol.Encode(data, columns)
	}
	if f.keep.template == "" {
		return "", preview, nil
	}
	path = f.keep.path(j, i)
	return path, preview, files.Save(path, data, f.keep.force)
}

// kept shows what came of a download. A preview that failed is nothing that was asked
// for.
func (f *follow) kept(i client.Image, path, preview string, err error) {
	if preview != "" {
		f.screen.Show(preview)
	}
	if err == nil && path != "" {
		f.landed[i.Index] = path
	}
	if err != nil && f.keep.template != "" {
		f.unsaved = errors.Join(f.unsaved, fmt.Errorf("picture %d is not saved: %w", i.Index, err))
		delete(f.landed, i.Index)
		f.screen.Print(f.screen.Paint(terminal.Bad, "unsaved ") + fmt.Sprintf("%d", i.Index))
		return
	}
	f.say(i)
}

// say tells of a picture that there is. Where it is comes on standard output in the
// end, if people see that.
func (f *follow) say(i client.Image) {
	where := f.landed[i.Index]
	if terminal.IsTerminal(f.Stdout) {
		where = ""
	}
	f.screen.Print(f.screen.Landed(i, where))
}

func (f *follow) draw() {
	f.screen.Draw(terminal.Progress(f.job, time.Now(), f.since, f.screen.Columns()))
}

// interrupt asks whether to cancel the job, or leaves.
func (f *follow) interrupt(ctx context.Context, signal os.Signal) error {
	if signal != os.Interrupt || !f.isOwner || !f.isPerson() || f.question || f.canceled || f.job.HasEnded() {
		return errInterrupted
	}
	f.question = true
	f.screen.Ask("Cancel the job? It goes on by itself otherwise. [y/N] ")
	go func() {
		yes := terminal.ReadYes(f.Stdin)
		f.post(ctx, func() error {
			f.question = false
			f.screen.Answered(false)
			if yes {
				f.cancel(ctx)
			}
			return nil
		})
	}()
	return nil
}

// cancel ends the job. The watch sees it end.
func (f *follow) cancel(ctx context.Context) {
	f.canceled = true
	id := f.job.ID
	go func() {
		j, err := f.client.Cancel(ctx, id)
		f.post(ctx, func() error {
			if err != nil {
				return fmt.Errorf("the job could not be canceled: %w", f.explain(err))
			}
			if j.Version < f.job.Version || f.job.HasEnded() {
				return nil
			}
			return f.update(ctx, j)
		})
	}()
}
