package gemini

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"math/rand/v2"
)

// padChunk is the type of the chunk that pads a picture: ancillary, private and
// not safe to copy, so that every decoder skips it (PNG, section 5.4).
const padChunk = "paDD"

// endBytes is the length of the last chunk of a PNG, IEND.
const endBytes = 12

// encodePNG encodes img as a PNG of at least atLeast bytes. Speed matters more
// than size, because tests draw thousands of pictures.
func encodePNG(img image.Image, seed uint64, atLeast int) ([]byte, error) {
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&out, img); err != nil {
		return nil, err
	}
	return pad(out.Bytes(), seed, atLeast), nil
}

// pad puts a chunk of noise before the end of raw if raw is too small.
func pad(raw []byte, seed uint64, atLeast int) []byte {
	const overhead = 12 // length, type and checksum
	missing := atLeast - len(raw) - overhead
	if missing <= 0 {
		return raw
	}
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	chunk := make([]byte, 4+missing)
	copy(chunk, padChunk)
	_, _ = rand.NewChaCha8(key).Read(chunk[4:]) // it never fails
	body := len(raw) - endBytes
	padded := append(make([]byte, 0, atLeast), raw[:body]...)
	padded = binary.BigEndian.AppendUint32(padded, uint32(missing))
	padded = append(padded, chunk...)
	padded = binary.BigEndian.AppendUint32(padded, crc32.ChecksumIEEE(chunk))
	return append(padded, raw[body:]...)
}
