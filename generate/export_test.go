package generate

import "io"

// Split streams an answer through the tokenizer in reads of whatever size src
// gives. It returns the rest, and a function that returns the picture for a
// placeholder.
func Split(src io.Reader, size int64) (rest []byte, take func(placeholder []byte) ([]byte, bool), err error) {
	var a answer
	a.tokens.pictures.pieces = new(piecePool)
	rest, err = io.ReadAll(&pictureless{src: io.NopCloser(src), left: size, answer: &a})
	return rest, a.tokens.pictures.take, err
}

// Limits of an answer, in bytes.
const (
	MaxPictures = maxPictures
	MaxRest     = maxRest
)
