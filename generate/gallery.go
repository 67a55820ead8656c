package generate

import (
	"encoding/base64"
	"fmt"
)

const (
	// maxPictures bounds the pictures of one answer, drafts included, in bytes.
	// The largest that Gemini draws, 4K as PNG, is about 25 MB.
	maxPictures = 64 << 20
	// pieceSize is the size of a borrowed piece, in bytes. It is more than one
	// read decodes to.
	pieceSize = 256 << 10
)

// A gallery holds the pictures of an answer while it streams: the one that is
// being received, and the last one that is not a draft. It uses memory for at
// most two pictures at any time.
type gallery struct {
	pieces *piecePool
	left   int64 // bytes of the answer still to be read; below zero when not known

	begun   int // pictures so far
	bytes   int // decoded, of all pictures
	current pile
	last    pile
	spare   []byte // the buffer of a dropped draft
}

// A pile is one picture, in pieces in order of arrival.
type pile struct {
	number int // of the picture, from 1; 0 is none
	pieces [][]byte
	bytes  int
}

// begin starts the next picture.
func (g *gallery) begin() {
	g.drop(&g.current)
	g.begun++
	g.current.number = g.begun
	if g.left <= 0 {
		return
	}
	// The rest of the answer is mostly this picture. The few bytes on top of
	// three quarters are for a last group, and for what was already read of it.
	size := min(g.left/4*3+readSize, maxPictures)
	if int64(cap(g.spare)) < size {
		g.spare = make([]byte, 0, size)
	}
	g.current.pieces = append(g.current.pieces, g.spare[:0])
	g.spare = nil
}

// room returns n bytes at the end of the current picture for the caller to
// fill.
func (g *gallery) room(n int) ([]byte, error) {
	if g.bytes+n > maxPictures {
		return nil, fmt.Errorf("%w: pictures of over %d MiB", errTooLarge, maxPictures>>20)
	}
	p := &g.current
	if len(p.pieces) == 0 || cap(p.pieces[len(p.pieces)-1])-len(p.pieces[len(p.pieces)-1]) < n {
		p.pieces = append(p.pieces, g.pieces.get())
	}
	last := p.pieces[len(p.pieces)-1]
	return last[len(last) : len(last)+n], nil
}

// advance adds the first n bytes of the last room to the current picture.
func (g *gallery) advance(n int) {
	p := &g.current
	last := &p.pieces[len(p.pieces)-1]
	*last = (*last)[:len(*last)+n]
	p.bytes += n
	g.bytes += n
}

// settle ends the part that holds the current picture, if there is one: it
// keeps the picture, or drops a draft.
func (g *gallery) settle(draft bool) {
	if g.current.number == 0 {
		return
	}
	if draft {
		g.drop(&g.current)
		return
	}
	g.drop(&g.last)
	g.last, g.current = g.current, pile{}
}

// drop gives back the memory of p.
func (g *gallery) drop(p *pile) {
	for _, piece := range p.pieces {
		if cap(piece) == pieceSize {
			g.pieces.put(piece)
		} else {
			g.spare = piece
		}
	}
	*p = pile{}
}

// placeholder returns the current picture's number as the base64 of three
// bytes, so that the SDK's result tells which picture it is.
func (g *gallery) placeholder() []byte {
	n := g.current.number
	return base64.StdEncoding.AppendEncode(nil, []byte{byte(n >> 16), byte(n >> 8), byte(n)})
}

// take returns the picture that the placeholder stands for, if it is the last
// one.
func (g *gallery) take(placeholder []byte) ([]byte, bool) {
	if len(placeholder) != 3 {
		return nil, false
	}
	number := int(placeholder[0])<<16 | int(placeholder[1])<<8 | int(placeholder[2])
	if number == 0 || number != g.last.number {
		return nil, false
	}
	if pieces := g.last.pieces; len(pieces) == 1 && cap(pieces[0]) != pieceSize {
		return pieces[0], true
	}
	data := make([]byte, 0, g.last.bytes)
	for _, piece := range g.last.pieces {
		data = append(data, piece...)
	}
	g.drop(&g.last)
	return data, true
}
