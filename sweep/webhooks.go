package sweep

import "context"

// tell puts tasks of webhooks on their queue that never got there, and new ones in
// place of those that should have been delivered long ago. It goes on as long as the
// queue takes any of a page.
func (s *Sweeper) tell(ctx context.Context) (n int, more bool, err error) {
	if s.Webhooks == nil {
		return 0, false, nil
	}
	due, err := s.Record.UnsentWebhooks(ctx, unsentAge, page)
	if err != nil || len(due) == 0 {
		return 0, false, err
	}
	n, err = s.Webhooks.Put(ctx, due...)
	return n, n > 0 && len(due) >= page, err
}
