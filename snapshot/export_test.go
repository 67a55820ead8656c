package snapshot

// NewMissed returns an empty memory of at most limit bytes.
func NewMissed(limit int) *missed { return newMissed(limit) }

// Remember calls remember.
func (m *missed) Remember(s Snapshot) { m.remember(s) }

// Take calls take.
func (m *missed) Take() (Snapshot, bool) { return m.take() }
