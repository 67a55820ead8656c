package recordtest

import (
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var ignoreTests = []contractTest{
	{"keeps what is ignored until it is noticed again, in place of what was kept before", ignoreErrors},
	{"ends at its date", ignoreUntil},
	{"is written to the audit with who and why, and only if it is done", ignoreAudit},
}

// ignored is a group of errors with words that need care.
var ignored = record.ErrorName{Outcome: job.Outcome(job.CodeProviderError), Detail: `it's "…" – #\n` + strings.Repeat("ü", 90), Lane: lane}

func (f *fixture) ignore(i record.Ignore) {
	f.Helper()
	f.wantErr(f.record.IgnoreError(f.ctx, i, f.act(record.ActionIgnoreError)), nil)
}

// ignoring returns what is ignored, without when that began.
func (f *fixture) ignoring() []record.IgnoredError {
	f.Helper()
	all, err := f.record.IgnoredErrors(f.ctx)
	f.wantErr(err, nil)
	for i := range all {
		if all[i].At.Location() != time.UTC || all[i].At.IsZero() {
			f.Errorf("it is ignored since %v", all[i].At)
		}
		all[i].At = time.Time{}
	}
	return all
}

func ignoreErrors(f *fixture) {
	elsewhere := ignored
	elsewhere.Lane = spare
	f.ignore(record.Ignore{Name: ignored, Above: 3})
	f.ignore(record.Ignore{Name: elsewhere, Above: 5})
	until := time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC)
	f.ignore(record.Ignore{Name: ignored, Until: until, Above: 7})
	kept := func(i record.Ignore) record.IgnoredError {
		return record.IgnoredError{Ignore: i, Who: "alice", Reason: f.act("").Reason}
	}
	first, second := kept(record.Ignore{Name: ignored, Until: until, Above: 7}), kept(record.Ignore{Name: elsewhere, Above: 5})
	f.wantEqual("what is ignored", f.ignoring(), []record.IgnoredError{first, second})
	f.wantErr(f.record.NoticeError(f.ctx, ignored, f.act(record.ActionNoticeError)), nil)
	f.wantEqual("what is ignored still", f.ignoring(), []record.IgnoredError{second})
}

func ignoreUntil(f *fixture) {
	f.ignore(record.Ignore{Name: ignored, Until: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)})
	f.wantEqual("how much is ignored after its date", len(f.ignoring()), 0)
	f.wantErr(f.record.NoticeError(f.ctx, ignored, f.act(record.ActionNoticeError)), record.ErrNotIgnored)
	f.ignore(record.Ignore{Name: ignored, Above: 1})
	f.wantEqual("how much is ignored", len(f.ignoring()), 1)
}

func ignoreAudit(f *fixture) {
	f.wantErr(f.record.NoticeError(f.ctx, ignored, f.act(record.ActionNoticeError)), record.ErrNotIgnored)
	f.ignore(record.Ignore{Name: ignored, Until: time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC), Above: 3})
	f.wantErr(f.record.NoticeError(f.ctx, ignored, record.Act{Who: "bob", Role: "admin", Action: record.ActionNoticeError, Reason: "mended"}), nil)
	got := f.audit(record.AuditQuery{Target: "provider_error on " + lane, Limit: plenty}).Entries
	f.wantEqual("how many entries there are", len(got), 2)
	f.wantEqual("what was ignored", got[1], record.AuditEntry{
		ID: got[1].ID, At: got[1].At, Act: f.act(record.ActionIgnoreError), Target: "provider_error on " + lane,
		Detail: map[string]string{"words": ignored.Detail, "until": "2999-01-02T03:04:05Z", "above": "3"},
	})
	f.wantEqual("what ended it", got[0], record.AuditEntry{
		ID: got[0].ID, At: got[0].At, Act: record.Act{Who: "bob", Role: "admin", Action: record.ActionNoticeError, Reason: "mended"},
		Target: "provider_error on " + lane, Detail: map[string]string{"ignored_by": "alice"},
	})
}

// ignoreErrors ignores a group of errors for a while, or until it is noticed, or
// notices it. It is one action, so that others do not become rarer.
func (h *history) ignoreErrors(*rapid.T) {
	if draw(h, "notice", false, true) {
		h.noticeError()
	} else {
		h.ignoreError()
	}
	h.compareIgnored()
}

func (h *history) ignoreError() {
	i := record.Ignore{Name: h.drawErrorName(), Above: draw(h, "above", 0, 1, 2)}
	if draw(h, "dated", true, false) {
		i.Until = h.now.Add(h.age())
	}
	a := h.drawAct()
	same(h, 0, h.spec.IgnoreError(h.ctx, i, a), 0, h.real.IgnoreError(h.ctx, i, a))
}

func (h *history) noticeError() {
	name, a := h.drawErrorName(), h.drawAct()
	same(h, 0, h.spec.NoticeError(h.ctx, name, a), 0, h.real.NoticeError(h.ctx, name, a))
}

func (h *history) drawErrorName() record.ErrorName {
	return record.ErrorName{Outcome: job.Outcome(busy.Code), Detail: draw(h, "words", "", "slow", "Slow"), Lane: h.anyLane()}
}

func (h *history) compareIgnored() {
	want, wantErr := h.spec.IgnoredErrors(h.ctx)
	got, gotErr := h.real.IgnoredErrors(h.ctx)
	same(h, want, wantErr, got, gotErr)
}
