package generate

import "io"

// Split streams an answer through the tokenizer in reads of whatever src
// gives. It returns the rest, and the picture that placeholder stands for.
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
