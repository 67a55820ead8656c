package recordtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var handPauseTests = []contractTest{
	{"refuses claims until it is ended by hand", handPauseClaims},
	{"stands beside other pauses, and survives them", handPauseBeside},
	{"holds a lane that the record does not know yet", handPauseNew},
	{"shows in the jobs that wait, parked ones included", handPauseShows},
	{"is written to the audit with who and why, and only if it is done", handPauseAudit},
}

var auditTests = []contractTest{
	{"is read page by page, the latest first", auditPages},
	{"is read by operator and by target", auditFilters},
	{"keeps what is not past its time", auditKept},
}

var loginTests = []contractTest{
	{"are let through until too many of a user failed", func(f *fixture) { loginsOf(f, "alice", "") }},
	{"are let through until too many from an address failed", func(f *fixture) { loginsOf(f, "", "192.0.2.1") }},
	{"that succeed do not count, and are in the audit", loginsSucceed},
	{"are counted however many come at once", loginsAtOnce},
	{"of a session end once, and are known to have ended", sessionsEnd},
}

func (f *fixture) act(action string) record.Act {
	return record.Act{Who: "alice", Role: "operator", Action: action, Reason: "the key „a“ leaks"}
}

func (f *fixture) pauseByHand(lane string) {
	f.Helper()
	f.wantErr(f.record.PauseByHand(f.ctx, lane, f.act(record.ActionPauseLane)), nil)
}

func (f *fixture) resumeByHand(lane string) {
	f.Helper()
	f.wantErr(f.record.ResumeByHand(f.ctx, lane, f.act(record.ActionResumeLane)), nil)
}

func (f *fixture) audit(q record.AuditQuery) record.AuditPage {
	f.Helper()
	page, err := f.record.Audit(f.ctx, q)
	f.wantErr(err, nil)
	return page
}

func handPauseClaims(f *fixture) {
	s := submission(2)
	s.Lanes = []string{lane, spare}
	tasks := f.submit(s)
	f.pauseByHand(lane)
	_, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: tasks[0], Lease: never})
	paused, ok := errors.AsType[*record.PausedError](err)
	if !ok {
		f.Fatalf("%v is no PausedError", err)
	}
	f.wantEqual("the lane", paused.Lane, f.lanes()[lane])
	f.wantEqual("for how long", paused.For, time.Duration(0))
	state := f.lanes()[lane]
	f.wantEqual("the lane's state", state, record.LaneState{
		Name: lane, Waiting: 1, ByHand: record.HandPause{At: state.ByHand.At, Who: "alice", Reason: "the key „a“ leaks"},
	})
	f.wantImage(f.claim(tasks[1], never), tasks[0]) // the other lane takes what waits
	f.resumeByHand(lane)
	f.wantEqual("the lane's state", f.lanes()[lane], record.LaneState{Name: lane, Waiting: 1})
	f.claim(tasks[0], never)
}

func handPauseBeside(f *fixture) {
	tasks := f.create(1)
	f.pauseByHand(lane)
	at := f.lanes()[lane].ByHand.At
	f.pause(record.Pause{For: never, Broken: true, Reason: dead}, lane)
	f.wantEqual("since when by hand", f.lanes()[lane].ByHand.At, at)
	_, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: tasks[0], Lease: never})
	if paused, ok := errors.AsType[*record.PausedError](err); !ok || paused.For <= never-time.Minute || !paused.Lane.PausedByHand() {
		f.Errorf("got the error %v, want one of both pauses", err)
	}
	f.resume(lane) // a request that was answered well
	f.wantEqual("since when by hand", f.lanes()[lane].ByHand.At, at)
	f.wantEqual("the other reason", f.lanes()[lane].Reason, (*job.Error)(nil))
	f.noClaim(tasks[0], record.ErrLanePaused)

	f.pause(record.Pause{For: never, Reason: busy}, lane)
	f.resumeByHand(lane)
	f.wantEqual("the other reason", f.lanes()[lane].Reason, &busy)
	f.noClaim(tasks[0], record.ErrLanePaused)
}

func handPauseNew(f *fixture) {
	f.pauseByHand("new")
	s := submission(1)
	s.Lanes = []string{"new"}
	f.noClaim(f.submit(s)[0], record.ErrLanePaused)
}

func handPauseShows(f *fixture) {
	tasks := f.create(2)
	f.pauseByHand(spare)
	f.pause(record.Pause{For: gone, Reason: busy}, spare)
	want := []job.PausedLane{{Name: spare, Until: f.lanes()[spare].Until, Code: busy.Code, ByHand: true}}
	paused := func() []job.PausedLane {
		j, err := f.record.Get(f.ctx, tasks[0].JobID)
		f.wantErr(err, nil)
		return j.Paused
	}
	f.wantEqual("the paused lanes of a job that waits", paused(), want)
	f.park(tasks...)
	f.wantEqual("the paused lanes of a job that is parked", paused(), want)
	s := submission(1)
	s.Lanes = []string{""}
	out, err := f.record.Outlook(f.ctx, s)
	f.wantErr(err, nil)
	f.wantEqual("the outlook of a job that would be parked", out, record.Outlook{Paused: want})
	f.cancel(tasks[0].JobID)
	f.wantEqual("the paused lanes of a job that ended", len(paused()), 0)
}

func handPauseAudit(f *fixture) {
	f.wantErr(f.record.ResumeByHand(f.ctx, lane, f.act(record.ActionResumeLane)), record.ErrNotPaused)
	f.wantEqual("the audit", f.audit(record.AuditQuery{Limit: plenty}), record.AuditPage{})
	f.pauseByHand(lane)
	other := record.Act{Who: "bob", Role: "admin", Action: record.ActionPauseLane, Reason: "me too"}
	f.wantErr(f.record.PauseByHand(f.ctx, lane, other), record.ErrLanePaused)
	f.wantEqual("who paused it", f.lanes()[lane].ByHand.Who, "alice")
	at := f.lanes()[lane].ByHand.At
	f.resumeByHand(lane)
	got := f.audit(record.AuditQuery{Limit: plenty}).Entries
	f.wantEqual("how many entries there are", len(got), 2)
	f.wantEqual("the first entry", got[1], record.AuditEntry{
		ID: got[1].ID, At: at, Act: f.act(record.ActionPauseLane), Target: lane,
	})
	f.wantEqual("the second entry", got[0], record.AuditEntry{
		ID: got[0].ID, At: got[0].At, Act: f.act(record.ActionResumeLane), Target: lane,
		Detail: map[string]string{"paused_by": "alice", "paused_seconds": "0"},
	})
	if got[0].ID <= got[1].ID || got[0].At.Location() != time.UTC {
		f.Errorf("entries %d and %d, the second of %v", got[1].ID, got[0].ID, got[0].At)
	}
}

func auditPages(f *fixture) {
	for n := range 5 {
		f.pauseByHand(fmt.Sprint("lane-", n))
	}
	var seen []string
	q := record.AuditQuery{Limit: 2}
	for pages := 1; ; pages++ {
		page := f.audit(q)
		for _, e := range page.Entries {
			seen = append(seen, e.Target)
		}
		if q.Before = page.Next; q.Before == 0 {
			f.wantEqual("how many pages there are", pages, 3)
			break
		}
	}
	f.wantEqual("the entries", seen, []string{"lane-4", "lane-3", "lane-2", "lane-1", "lane-0"})
}

func auditFilters(f *fixture) {
	f.pauseByHand(lane)
	f.wantErr(f.record.PauseByHand(f.ctx, spare, record.Act{Who: "bob", Role: "admin", Action: record.ActionPauseLane, Reason: "because"}), nil)
	f.resumeByHand(spare)
	for name, tt := range map[string]struct {
		query record.AuditQuery
		want  int
	}{
		"by operator": {record.AuditQuery{Who: "alice"}, 2}, "by target": {record.AuditQuery{Target: spare}, 2},
		"by both": {record.AuditQuery{Who: "alice", Target: spare}, 1}, "of nobody": {record.AuditQuery{Who: "carol"}, 0},
	} {
		tt.query.Limit = plenty
		f.wantEqual(name, len(f.audit(tt.query).Entries), tt.want)
	}
}

func auditKept(f *fixture) {
	f.pauseByHand(lane)
	n, err := f.record.RetireAudit(f.ctx, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many entries were removed", n, 0)
	f.wantEqual("how many there are", len(f.audit(record.AuditQuery{Limit: plenty}).Entries), 1)
}

func (f *fixture) beginLogin(user, address string) (record.LoginTry, error) {
	t := record.LoginTry{ID: uuid.NewString(), User: user, Address: address}
	return t, f.record.BeginLogin(f.ctx, t)
}

// loginsOf fails as often as may be by one user or from one address.
func loginsOf(f *fixture, user, address string) {
	try := func(n int) error {
		u, a := user, address
		if u == "" {
			u = fmt.Sprint("user-", n)
		}
		if a == "" {
			a = fmt.Sprint("198.51.100.", n)
		}
		_, err := f.beginLogin(u, a)
		return err
	}
	for n := range record.MaxFailedLogins {
		f.wantErr(try(n), nil)
	}
	for range 3 { // what is refused does not count
		many, ok := errors.AsType[*record.TooManyLoginsError](try(99))
		if !ok || many.RetryAfter <= record.LoginWindow-time.Minute || many.RetryAfter > record.LoginWindow {
			f.Fatalf("%v; want it refused for about %v", many, record.LoginWindow)
		}
		f.wantErr(many, record.ErrTooManyLogins)
	}
	_, err := f.beginLogin("another", "203.0.113.1")
	f.wantErr(err, nil)
}

func loginsSucceed(f *fixture) {
	for range 3 * record.MaxFailedLogins {
		t, err := f.beginLogin("alice", "192.0.2.1")
		f.wantErr(err, nil)
		f.wantErr(f.record.EndLogin(f.ctx, t, record.Act{Who: "alice", Role: "viewer", Action: record.ActionLogIn}), nil)
	}
	got := f.audit(record.AuditQuery{Limit: 1}).Entries[0]
	f.wantEqual("the entry", got, record.AuditEntry{
		ID: got.ID, At: got.At, Act: record.Act{Who: "alice", Role: "viewer", Action: record.ActionLogIn},
	})
}

func loginsAtOnce(f *fixture) {
	passed := make([]int, deliverers)
	runTogether(func(n int) {
		for i := range record.MaxFailedLogins {
			switch _, err := f.beginLogin("alice", fmt.Sprintf("192.0.2.%d", n*record.MaxFailedLogins+i)); {
			case err == nil:
				passed[n]++
			case !errors.Is(err, record.ErrTooManyLogins):
				f.Error(err)
			}
		}
	})
	all := 0
	for _, n := range passed {
		all += n
	}
	f.wantEqual("how many were let through", all, record.MaxFailedLogins)
}

func sessionsEnd(f *fixture) {
	ended := func(id string) bool {
		ended, err := f.record.SessionEnded(f.ctx, id)
		f.wantErr(err, nil)
		return ended
	}
	out := record.Act{Who: "alice", Role: "viewer", Action: record.ActionLogOut}
	for range 2 {
		f.wantErr(f.record.EndSession(f.ctx, "one", never, out), nil)
	}
	f.wantErr(f.record.EndSession(f.ctx, "two", gone, out), nil)
	f.wantEqual("which have ended", []bool{ended("one"), ended("two"), ended("three")}, []bool{true, false, false})
	f.wantEqual("how many entries there are", len(f.audit(record.AuditQuery{Limit: plenty}).Entries), 2)
}
