package caller

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
)

// List is the command that lists jobs.
type List struct {
	Status   []string `placeholder:"STATUS" help:"Jobs of any of these: queued, processing, succeeded, partial, failed, canceled."`
	After    string   `placeholder:"TIME" help:"Jobs created at this time or later: 2026-11-26, an RFC 3339 time, or how long ago, such as 90m or 7d."`
	Before   string   `placeholder:"TIME" help:"Jobs created before this time."`
	Q        string   `name:"q" placeholder:"TEXT" help:"Jobs whose prompt has this in it, in any case."`
	Metadata []string `sep:"none" placeholder:"KEY=VALUE" help:"Jobs whose metadata has this. May be repeated."`
	Limit    int      `short:"n" default:"20" placeholder:"N" help:"How many at most; 20 if absent."`
	All      bool     `help:"All of them."`
	Output
	Connection
}

// Help implements kong.HelpProvider.
func (*List) Help() string {
	return "As JSON it prints one job a line, each as soon as it is known (NDJSON): `jq -s` makes an array of them."
}

// Run implements the command.
func (l *List) Run(ctx context.Context, env *Environment) error {
	s, err := l.open(env, l.Output)
	if err != nil {
		return err
	}
	query, err := l.query(time.Now())
	if err != nil {
		return usage(err)
	}
	return s.explain(s.run(ctx, func(ctx context.Context) error { return l.print(ctx, s, query) }))
}

func (l *List) print(ctx context.Context, s *session, query client.Query) error {
	limit := l.Limit
	if l.All {
		limit = 0
	}
	columns := terminal.Width(s.Stdout)
	found := false
	for j, err := range s.client.List(ctx, query, limit) {
		if err != nil {
			return err
		}
		line := string(j.Raw)
		if !s.asJSON {
			line = terminal.Row(j, time.Now(), columns)
			if head := terminal.Header(columns); !found && head != "" {
				line = head + "\n" + line
			}
		}
		found = true
		if err := s.print(line); err != nil {
			return err
		}
	}
	if !found && !s.asJSON {
		s.screen.Print("no jobs")
	}
	return nil
}

// query returns the flags as the API's parameters.
func (l *List) query(now time.Time) (client.Query, error) {
	if l.Limit < 1 {
		return nil, errors.New("--limit must be 1 or more; --all lists all")
	}
	q := url.Values{}
	if len(l.Status) > 0 {
		q.Set("status", strings.Join(l.Status, ","))
	}
	for _, flag := range []struct{ name, parameter, value string }{
		{"--after", "created_after", l.After}, {"--before", "created_before", l.Before},
	} {
		if flag.value == "" {
			continue
		}
		at, err := timeOf(flag.value, now)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag.name, err)
		}
		q.Set(flag.parameter, at.UTC().Format(time.RFC3339Nano))
	}
	if l.Q != "" {
		q.Set("q", l.Q)
	}
	for _, pair := range l.Metadata {
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return nil, fmt.Errorf("--metadata: %q is not KEY=VALUE", pair)
		}
		q.Set("metadata."+key, value)
	}
	return client.Query(q), nil
}

// timeOf returns a time that is told as such, as a day where the user is, or as how
// long ago.
func timeOf(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return at, nil
	}
	ago, err := durationOf(text)
	if err != nil {
		return now, fmt.Errorf("%q is no time: 2026-11-26, 2026-11-26T12:00:00Z, or how long ago, such as 90m or 7d", text)
	}
	return now.Add(-ago), nil
}
