package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const (
	// maxRest bounds an answer without its pictures, in bytes. Usually that is
	// a few KB.
	maxRest = 8 << 20
	// maxDepth is where encoding/json gives up.
	maxDepth = 10_000
	// maxKey, in bytes, is more than the longest key that matters when all of
	// it is written in \u escapes.
	maxKey = 128
)

// A place is the tokenizer's position in an answer, as far as it matters:
//
//	{"candidates": [{"content": {"parts": [{"inlineData": {"data": "…"}}]}}]}
type place uint8

const (
	elsewhere place = iota
	atAnswer
	atCandidates
	atCandidate
	atContent
	atParts
	atPart
	atInlineData
)

// child returns the place of the container that bracket opens in p under key.
func (p place) child(key []byte, bracket byte) place {
	switch object, k := bracket == '{', string(key); {
	case p == atAnswer && !object && k == "candidates":
		return atCandidates
	case p == atCandidates && object:
		return atCandidate
	case p == atCandidate && object && k == "content":
		return atContent
	case p == atContent && !object && k == "parts":
		return atParts
	case p == atParts && object:
		return atPart
	case p == atPart && object && k == "inlineData":
		return atInlineData
	default:
		return elsewhere
	}
}

// state is the kind of text that the tokenizer is in the middle of.
type state uint8

const (
	inStructure state = iota
	inKey
	inString
	inSignature // a thoughtSignature: megabytes that nobody reads
	inPicture
)

type container struct {
	place  place
	object bool
}

// A tokenizer takes an answer in pieces of any size. Pictures go to pictures;
// rest becomes the same JSON with a placeholder for each of them.
//
// It expects valid JSON and does not check what it hands on. The SDK checks it:
// a mistake in the answer is still there in the rest.
type tokenizer struct {
	rest     []byte
	pictures gallery

	state   state
	stack   []container
	wantKey bool   // in an object, a string that opens now is a key
	key     []byte // the latest key, unescaped
	escape  escape // in a string, what was read of an escape sequence
	thought bool   // the part says that it is a draft
	base64  base64Decoder
}

// feed takes the next piece of the answer.
func (t *tokenizer) feed(p []byte) error {
	for len(p) > 0 {
		n, err := t.step(p)
		if err != nil {
			return err
		}
		if len(t.rest) > maxRest {
			return fmt.Errorf("%w: over %d MiB without its pictures", errTooLarge, maxRest>>20)
		}
		p = p[n:]
	}
	return nil
}

// step takes the text that belongs to the present state from the start of p,
// and returns how much that was.
func (t *tokenizer) step(p []byte) (int, error) {
	switch t.state {
	case inKey:
		return t.takeKey(p), nil
	case inString, inSignature:
		return t.takeString(p), nil
	case inPicture:
		return t.takePicture(p)
	default:
		return t.takeStructure(p)
	}
}

// takeStructure takes the text up to the start of the next string.
func (t *tokenizer) takeStructure(p []byte) (int, error) {
	n := len(p)
scan:
	for i, c := range p {
		switch c {
		case '{', '[':
			if err := t.push(c); err != nil {
				return 0, err
			}
		case '}', ']':
			t.pop()
		case ',':
			t.wantKey = t.top().object
		case ':':
			t.wantKey = false
		case 't', 'f', 'n': // the first letters of true, false and null do not occur in the other tokens
			if t.top().place == atPart && string(t.key) == "thought" {
				t.thought = c == 't'
			}
		case '"':
			n = i + 1
			t.openString()
			break scan
		}
	}
	t.rest = append(t.rest, p[:n]...)
	return n, nil
}

func (t *tokenizer) top() container {
	if len(t.stack) == 0 {
		return container{}
	}
	return t.stack[len(t.stack)-1]
}

func (t *tokenizer) push(bracket byte) error {
	if len(t.stack) == maxDepth {
		return fmt.Errorf("%w: nested too deep", errUndecodable)
	}
	here := t.top().place.child(t.key, bracket)
	if len(t.stack) == 0 && bracket == '{' {
		here = atAnswer
	}
	if here == atPart {
		t.thought = false
	}
	t.stack = append(t.stack, container{place: here, object: bracket == '{'})
	t.wantKey = bracket == '{'
	t.key = t.key[:0]
	return nil
}

func (t *tokenizer) pop() {
	if t.top().place == atPart {
		t.pictures.settle(t.thought)
	}
	if len(t.stack) > 0 {
		t.stack = t.stack[:len(t.stack)-1]
	}
	t.wantKey = false
}

func (t *tokenizer) openString() {
	switch here := t.top(); {
	case here.object && t.wantKey:
		t.state, t.key = inKey, t.key[:0]
	case here.place == atInlineData && string(t.key) == "data":
		t.state = inPicture
		t.base64 = base64Decoder{}
		t.pictures.begin()
	case here.place == atPart && string(t.key) == "thoughtSignature":
		t.state = inSignature
	default:
		t.state = inString
	}
}

// takeKey takes the text up to the end of the key, and keeps the key.
func (t *tokenizer) takeKey(p []byte) int {
	n := t.stringEnd(p)
	t.rest = append(t.rest, p[:n]...)
	t.key = append(t.key, p[:min(n, maxKey+1-min(len(t.key), maxKey+1))]...)
	if t.state == inStructure {
		t.key = unquoteKey(t.key)
	}
	return n
}

// unquoteKey returns the key whose text, with its closing quote, is raw. It
// returns an empty key if raw is too long or malformed, because no such key
// matters.
func unquoteKey(raw []byte) []byte {
	text, whole := bytes.CutSuffix(raw, []byte{'"'})
	if !whole || len(raw) > maxKey {
		return raw[:0]
	}
	if !bytes.ContainsRune(text, '\\') {
		return text
	}
	var key string
	if json.Unmarshal(append([]byte{'"'}, raw...), &key) != nil {
		return raw[:0]
	}
	return append(raw[:0], key...)
}

// takeString takes the text up to the end of a string. It hands the string on,
// but leaves out a signature.
func (t *tokenizer) takeString(p []byte) int {
	kept := t.state == inString
	n := t.stringEnd(p)
	switch {
	case kept:
		t.rest = append(t.rest, p[:n]...)
	case t.state == inStructure:
		t.rest = append(t.rest, '"')
	}
	return n
}

// stringEnd returns how much of p belongs to the string at its start, including
// the closing quote. If the closing quote is in p, it leaves the string.
func (t *tokenizer) stringEnd(p []byte) int {
	for i := 0; i < len(p); {
		if t.escape.open {
			t.escape.open = false
			i++
			continue
		}
		run := p[i:]
		if end := bytes.IndexByte(run, '"'); end >= 0 {
			run = run[:end+1]
		}
		if slash := bytes.IndexByte(run, '\\'); slash >= 0 {
			t.escape.open = true
			i += slash + 1
			continue
		}
		i += len(run)
		if run[len(run)-1] == '"' {
			t.state = inStructure
			return i
		}
	}
	return len(p)
}

// takePicture takes the text up to the next escape sequence or to the end of
// the picture. At the end it leaves a placeholder for the picture.
func (t *tokenizer) takePicture(p []byte) (int, error) {
	if t.escape.open {
		c, done, err := t.escape.next(p[0])
		if err != nil || !done {
			return 1, err
		}
		return 1, t.base64.writeByte(&t.pictures, c)
	}
	run := p
	if end := bytes.IndexByte(run, '"'); end >= 0 {
		run = run[:end]
	}
	if slash := bytes.IndexByte(run, '\\'); slash >= 0 {
		run = run[:slash]
	}
	if err := t.base64.write(&t.pictures, run); err != nil {
		return 0, err
	}
	if len(run) == len(p) {
		return len(p), nil
	}
	if p[len(run)] == '\\' {
		t.escape = escape{open: true}
		return len(run) + 1, nil
	}
	t.state = inStructure
	t.rest = append(append(t.rest, t.pictures.placeholder()...), '"')
	return len(run) + 1, t.base64.close(&t.pictures)
}
