package snapshot

import "sync"

// missed remembers the newest snapshot of each job that Redis did not get.
type missed struct {
	limit int // bytes of JSON

	mu    sync.Mutex
	byJob map[string]Snapshot
	bytes int
}

func newMissed(limit int) *missed {
	return &missed{limit: limit, byJob: make(map[string]Snapshot)}
}

// remember keeps a snapshot, unless it is old or there is no room for it. The
// readers of one that is not kept rely on MaxAge.
func (m *missed) remember(s Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.byJob[s.ID]
	bytes := m.bytes - len(old.JSON) + len(s.JSON)
	if old.Version > s.Version || bytes > m.limit {
		return
	}
	m.byJob[s.ID], m.bytes = s, bytes
}

// take removes one of the snapshots, and returns it.
func (m *missed) take() (Snapshot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.byJob {
		m.drop(id)
		return s, true
	}
	return Snapshot{}, false
}

// forget removes the snapshot of a job.
func (m *missed) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(id)
}

// drop removes the snapshot of a job. The caller holds the mutex.
func (m *missed) drop(id string) {
	m.bytes -= len(m.byJob[id].JSON)
	delete(m.byJob, id)
}
