package generate

import (
	"encoding/base64"
	"fmt"
)

// A base64Decoder decodes the base64 of a picture while it arrives: standard or
// URL-safe, padded or not, in pieces of any size.
type base64Decoder struct {
	urlSafe bool    // a character of that alphabet was seen
	quad    [4]byte // a group that is not yet whole, in the standard alphabet
	n       int     // characters in quad
	padding int     // characters of padding seen
}

// write decodes text, raw characters of a JSON string without escapes.
func (d *base64Decoder) write(to *gallery, text []byte) error {
	for len(text) > 0 {
		n, done := 1, false
		if whole := min(len(text), readSize) &^ 3; d.n == 0 && whole > 0 {
			var err error
			if done, err = d.writeGroups(to, text[:whole]); err != nil {
				return err
			}
			n = whole
		}
		for i := 0; i < n && !done; i++ {
			if err := d.writeChar(to, text[i]); err != nil {
				return err
			}
		}
		text = text[n:]
	}
	return nil
}

// writeGroups decodes groups of four at full speed. It reports false, and does
// nothing, if they hold anything but the alphabet in use.
func (d *base64Decoder) writeGroups(to *gallery, groups []byte) (bool, error) {
	encoding := base64.RawStdEncoding
	if d.urlSafe {
		encoding = base64.RawURLEncoding
	}
	room, err := to.room(len(groups) / 4 * 3)
	if err != nil {
		return false, err
	}
	// It skips raw line breaks, which JSON does not allow: then n is too small.
	n, err := encoding.Decode(room, groups)
	if err != nil || n != len(room) {
		return false, nil
	}
	to.advance(n)
	return true, nil
}

// writeChar decodes one character of either alphabet.
func (d *base64Decoder) writeChar(to *gallery, c byte) error {
	switch {
	case c == '=' && d.n+d.padding < 4 && d.n >= 2:
		d.padding++
		return nil
	case d.padding > 0:
		return fmt.Errorf("%w: base64 goes on after its padding", errUndecodable)
	case c == '-':
		d.urlSafe, c = true, '+'
	case c == '_':
		d.urlSafe, c = true, '/'
	case !isBase64(c):
		return fmt.Errorf("%w: %q is not base64", errUndecodable, c)
	}
	d.quad[d.n] = c
	if d.n++; d.n == len(d.quad) {
		return d.flush(to)
	}
	return nil
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// writeByte decodes one character that was written as an escape sequence. It
// skips escaped line breaks, which are not part of the data.
func (d *base64Decoder) writeByte(to *gallery, c byte) error {
	if c == '\n' || c == '\r' {
		return nil
	}
	return d.writeChar(to, c)
}

// flush decodes what is in quad.
func (d *base64Decoder) flush(to *gallery) error {
	room, err := to.room(base64.RawStdEncoding.DecodedLen(d.n))
	if err != nil {
		return err
	}
	n, err := base64.RawStdEncoding.Decode(room, d.quad[:d.n])
	if err != nil {
		return fmt.Errorf("%w: %v", errUndecodable, err)
	}
	to.advance(n)
	d.n = 0
	return nil
}

// close decodes the last group.
func (d *base64Decoder) close(to *gallery) error {
	if d.padding > 0 && d.n+d.padding != 4 {
		return fmt.Errorf("%w: base64 ends within a group", errUndecodable)
	}
	if d.n == 0 {
		return nil
	}
	return d.flush(to)
}
