package caller

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
)

// result prints what came of the job, and returns what its exit code follows from.
func (f *follow) result() error {
	if err := f.printJob(); err != nil {
		return err
	}
	if f.job.Status == "succeeded" {
		f.screen.Print(f.screen.Summary(f.job))
		return f.saved()
	}
	err := fmt.Errorf("the job %s is %s: %d of %s", terminal.Clean(f.job.ID), terminal.Clean(f.job.Status),
		f.job.Progress.Succeeded, terminal.Count(f.job.Progress.Total))
	switch {
	case f.canceled:
		return &exit{ExitInterrupted, err}
	case mayDoBetter(f.job):
		err = with(err, "Draw what is missing again with: "+f.command("jobs", "retry", f.job.ID, "--wait"))
	}
	return &exit{ExitIncomplete, errors.Join(err, f.saved())}
}

// mayDoBetter reports whether the same request may bring more another time.
func mayDoBetter(j client.Job) bool {
	return j.Error == nil || (j.Error.Code != "blocked" && j.Error.Code != "invalid_request")
}

// saved returns the error of pictures that could not be saved here.
func (f *follow) saved() error {
	if f.unsaved == nil {
		return nil
	}
	return with(&exit{ExitUnsaved, f.unsaved}, "The job has it. Save it with: "+
		f.command(append([]string{"jobs", "get", f.job.ID}, f.keep.words()...)...))
}

// printJob prints the job as JSON, or where its pictures are.
func (f *follow) printJob() error {
	if f.asJSON {
		return f.print(withDownloads(f.job, f.downloads()))
	}
	for _, i := range f.job.Images {
		if where, ok := f.landed[i.Index]; ok {
			if err := f.print(terminal.Clean(where)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A download is a picture that was saved.
type download struct {
	Index int    `json:"index"`
	Path  string `json:"path"`
}

// downloads returns the pictures that were saved, or nil if none were to be.
func (f *follow) downloads() []download {
	if f.keep.template == "" {
		return nil
	}
	saved := []download{}
	for _, i := range f.job.Images {
		if path, ok := f.landed[i.Index]; ok {
			saved = append(saved, download{i.Index, path})
		}
	}
	return saved
}

// withDownloads returns the service's own JSON of a job, with the member downloads
// added if there are any.
func withDownloads(j client.Job, saved []download) string {
	if saved == nil {
		return string(j.Raw)
	}
	text, err := json.Marshal(saved)
	if err != nil { // it cannot, of numbers and texts
		return string(j.Raw)
	}
	return string(bytes.TrimSuffix(j.Raw, []byte("}"))) + `,"downloads":` + string(text) + "}"
}

// resumable returns err with what a person needs to go on.
func (f *follow) resumable(err error) error {
	resume := f.command(append([]string{"jobs", "watch", f.job.ID}, f.keep.words()...)...)
	switch {
	case errors.Is(err, errInterrupted) && f.job.HasEnded():
		return &exit{ExitInterrupted, fmt.Errorf("interrupted; the job %s has ended. See it with: %s", f.job.ID, resume)}
	case errors.Is(err, errInterrupted):
		return &exit{ExitInterrupted, fmt.Errorf("interrupted; the job %s goes on. Follow it with: %s", f.job.ID, resume)}
	case isRefusal(err):
		return f.explain(err)
	default:
		return with(f.explain(err), "The job "+f.job.ID+" goes on. Follow it with: "+resume)
	}
}
