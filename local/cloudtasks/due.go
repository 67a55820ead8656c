package cloudtasks

import "container/heap"

// A dueHeap holds the tasks of a queue that wait for their time, the one that is
// due first at the top: finding it never scans the queue.
type dueHeap []*task //nolint:recvcheck // container/heap wants it so

// add makes t wait, if it does not already.
func (h *dueHeap) add(t *task) {
	if t.index < 0 {
		heap.Push(h, t)
	}
}

// remove ends t's wait, if it waits.
func (h *dueHeap) remove(t *task) {
	if t.index >= 0 {
		heap.Remove(h, t.index)
	}
}

// first returns the task that is due first, or nil.
func (h dueHeap) first() *task {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

// Len implements heap.Interface, as do Less, Swap, Push and Pop.
func (h dueHeap) Len() int { return len(h) }

func (h dueHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].seq < h[j].seq
	}
	return h[i].due.Before(h[j].due)
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	t := x.(*task)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
