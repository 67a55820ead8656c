package generate

import "fmt"

// An escape is an escape sequence of a JSON string, read byte by byte.
type escape struct {
	open  bool // a backslash was read, but not yet the whole sequence
	hex   bool // it is one of \uXXXX
	digit int  // hexadecimal digits read
	code  rune
}

// next takes the byte after the backslash, or after the last one taken. With
// the last byte of the sequence it returns the character and true.
//
// It knows only the characters that can occur in base64: ASCII.
func (e *escape) next(c byte) (byte, bool, error) {
	if !e.hex {
		return e.letter(c)
	}
	value, ok := hexValue(c)
	if !ok {
		return 0, false, fmt.Errorf("%w: bad escape sequence", errUndecodable)
	}
	e.code = e.code<<4 | value
	if e.digit++; e.digit < 4 {
		return 0, false, nil
	}
	if e.code > '~' {
		return 0, false, fmt.Errorf("%w: %U is not base64", errUndecodable, e.code)
	}
	e.open = false
	return byte(e.code), true, nil
}

func (e *escape) letter(c byte) (byte, bool, error) {
	switch c {
	case 'u':
		e.hex = true
		return 0, false, nil
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case '/':
	default:
		return 0, false, fmt.Errorf("%w: escape \\%c in base64", errUndecodable, c)
	}
	e.open = false
	return c, true, nil
}

func hexValue(c byte) (rune, bool) {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10, true
	default:
		return 0, false
	}
}
