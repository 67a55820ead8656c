package generate_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/generate"
)

// answers has answers of all shapes: the seeds of the fuzz test.
var answers = map[string]string{
	"one":            onePicture(`{"mimeType": "image/png", "data": "aGVsbG8="}`),
	"unpadded":       onePicture(`{"data": "aGVsbG8"}`),
	"URL-safe":       onePicture(`{"data": "-_-_aGVsbG8="}`),
	"standard":       onePicture(`{"data": "+/+/aGVsbG8="}`),
	"both alphabets": onePicture(`{"data": "+/-_aGVsbG8="}`),
	"escapes":        onePicture(`{"data": "\u002b\/\u002B\/aGVs\u0062G8\u003d"}`),
	"line breaks":    onePicture(`{"data": "aGVs\r\nbG8=\n"}`),
	"escaped keys":   `{"candid\u0061tes": [{"\u0063ontent": {"parts": [{"inl\u0069neData": {"d\u0061ta": "aGVsbG8="}}]}}]}`,
	"spaces":         "\n{ \"candidates\"\t:\r\n[ { \"content\" : { \"parts\" : [ { \"inlineData\" : { \"data\" : \"aGVsbG8=\" } } ] } } ] }\n",
	"thought before": parts(`{"thought": true, "inlineData": {"data": "ZHJhZnQ="}}`, `{"inlineData": {"data": "ZmluYWw="}}`),
	"thought after":  parts(`{"inlineData": {"data": "ZHJhZnQ="}, "thought": true}`, `{"inlineData": {"data": "ZmluYWw="}}`),
	"draft last":     parts(`{"inlineData": {"data": "ZmluYWw="}}`, `{"inlineData": {"data": "ZHJhZnQ="}, "thought" : true}`),
	"drafts only":    parts(`{"inlineData": {"data": "ZHJhZnQ="}, "thought": true}`),
	"thought false":  parts(`{"thought": false, "inlineData": {"data": "ZmluYWw="}}`),
	"thought null":   parts(`{"thought": null, "inlineData": {"data": "ZmluYWw="}}`),
	"thought deeper": parts(`{"x": {"thought": true}, "inlineData": {"data": "ZmluYWw=", "thought": true}}`),
	"two":            parts(`{"inlineData": {"data": "b25l"}}`, `{"text": "and"}`, `{"inlineData": {"data": "dHdv"}}`),
	"signature":      parts(`{"thoughtSignature": "c2ln\"bmF0dXJl", "inlineData": {"data": "b25l"}, "text": "a\\"}`),
	"elsewhere": `{"data": "a", "inlineData": {"data": "b"}, "parts": [{"inlineData": {"data": "c"}}],
		"candidates": [{"inlineData": {"data": "d"}, "content": {"inlineData": {"data": "e"}, "parts": [[{"inlineData": {"data": "f"}}],
		{"x": {"inlineData": {"data": "g"}}, "inlineData": [{"data": "h"}], "data": "i"}, {"inlineData": {"x": {"data": "j"}, "y": ["data", "k"]}}]}}]}`,
	"in a string":   parts(`{"text": "{\"inlineData\": {\"data\": \"x\"}}"}`),
	"other kinds":   parts(`{"inlineData": {"data": 7}}`, `{"inlineData": {"data": ["a"]}}`, `{"inlineData": {"data": {"data": "a"}}}`, `{"inlineData": "data"}`),
	"data in array": `{"candidates": [{"content": {"parts": {"inlineData": {"data": "x"}}}}]}`,
	"empty picture": onePicture(`{"data": ""}`),
	"bad base64":    onePicture(`{"data": "aGV*"}`),
	"bad length":    onePicture(`{"data": "aGVsb"}`),
	"bad padding":   onePicture(`{"data": "aGVsbG8=="}`),
	"after padding": onePicture(`{"data": "aGVsbG8=aGVs"}`),
	"only padding":  onePicture(`{"data": "===="}`),
	"raw newline":   onePicture("{\"data\": \"aGVs\nbG8=\"}"),
	"raw newlines":  onePicture("{\"data\": \"aGVs\n\n\n\n\"}"),
	"short padding": onePicture(`{"data": "aGVsbA="}`),
	"bad escape":    onePicture(`{"data": "aGVs\xbG8="}`),
	"short escape":  onePicture(`{"data": "aGVs\u00"}`),
	"not ASCII":     onePicture(`{"data": "aGVsé"}`),
	"cut":           `{"candidates": [{"content": {"parts": [{"inlineData": {"data": "aGVs`,
	"cut after":     `{"candidates": [{"content": {"parts": [{"inlineData": {"data": "aGVs"`,
	"two values":    `{} {"candidates": []}`,
	"brackets":      `}]}{[}`,
	"array":         `[{"candidates": [{"content": {"parts": [{"inlineData": {"data": "aGVs"}}]}}]}]`,
	"no JSON":       "<html>",
	"nothing":       "",
}

func parts(of ...string) string {
	return `{"candidates": [{"content": {"parts": [` + strings.Join(of, ", ") + `], "role": "model"}, "finishReason": "STOP"}]}`
}

// FuzzTokenizer compares the streamed result with that of encoding/json, for an
// answer that comes in pieces of any size.
func FuzzTokenizer(f *testing.F) {
	for _, answer := range answers {
		f.Add([]byte(answer), byte(0))
		f.Add([]byte(answer), byte(1))
	}
	f.Fuzz(func(t *testing.T, doc []byte, piece byte) { checkSplit(t, doc, int(piece)) })
}

func TestTokenizerPieces(t *testing.T) {
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			for piece := range 12 {
				checkSplit(t, []byte(answer), piece)
			}
		})
	}
}

// checkSplit splits doc in pieces of that many bytes; 0 means all at once.
func checkSplit(t *testing.T, doc []byte, piece int) {
	t.Helper()
	var want any
	wantErr := json.Unmarshal(doc, &want)
	if wantErr == nil && hasDuplicates(doc) {
		return // encoding/json forgets all but the last
	}
	size := int64(len(doc))
	if piece%2 == 1 {
		size = -1
	}
	rest, take, err := generate.Split(&pieces{src: bytes.NewReader(doc), size: piece}, size)
	var got any
	gotErr := json.Unmarshal(rest, &got)
	if wantErr != nil {
		if err == nil && gotErr == nil && !bytes.Contains(doc, []byte("Signature")) {
			t.Fatalf("%q is no JSON, but became %q", doc, rest)
		}
		return
	}
	picture, valid := takeOut(want)
	if !valid {
		if err == nil {
			t.Fatalf("%q holds bad base64, but became %q", doc, rest)
		}
		return
	}
	if err != nil || gotErr != nil {
		t.Fatalf("%q: %v, %v in %q", doc, err, gotErr, rest)
	}
	placeholder, _ := takeOut(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("rest of %q (-want +got):\n%s", doc, diff)
	}
	if (picture == nil) != (placeholder == nil) {
		t.Fatalf("%q: picture %q, placeholder %q", doc, picture, placeholder)
	}
	if picture == nil {
		return
	}
	if data, ok := take(placeholder); !ok || !bytes.Equal(data, picture) {
		t.Fatalf("%q: got picture %q, %v; want %q", doc, data, ok, picture)
	}
}

// takeOut blanks what the tokenizer removes from a decoded answer. It returns
// the last picture that is not a draft (nil if there is none), and false if a
// picture is not base64.
func takeOut(answer any) (picture []byte, valid bool) {
	valid = true
	for _, candidate := range list(object(answer)["candidates"]) {
		for _, p := range list(object(object(candidate)["content"])["parts"]) {
			part := object(p)
			if _, ok := part["thoughtSignature"].(string); ok {
				part["thoughtSignature"] = ""
			}
			inline := object(part["inlineData"])
			text, ok := inline["data"].(string)
			if !ok {
				continue
			}
			inline["data"] = ""
			data, ok := decode(text)
			valid = valid && ok
			if part["thought"] != true {
				picture = data
			}
		}
	}
	return picture, valid
}

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func list(v any) []any            { l, _ := v.([]any); return l }

// decode decodes base64 of either alphabet, padded or not, by other means than
// the package does.
func decode(text string) ([]byte, bool) {
	text = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(text)
	bare := strings.TrimRight(text, "=")
	if len(bare) != len(text) && len(text)%4 != 0 || len(text)-len(bare) > 2 {
		return nil, false
	}
	data, err := base64.RawStdEncoding.DecodeString(bare)
	if data == nil {
		data = []byte{}
	}
	return data, err == nil
}

// hasDuplicates reports whether an object of valid JSON has a key twice.
func hasDuplicates(doc []byte) bool {
	d := json.NewDecoder(bytes.NewReader(doc))
	type level struct {
		keys  map[string]bool // nil in an array
		value bool            // what comes next is a value
	}
	stack := []level{{}}
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		top := &stack[len(stack)-1]
		if key, ok := token.(string); ok && top.keys != nil && !top.value {
			if top.keys[key] {
				return true
			}
			top.keys[key], top.value = true, true
			continue
		}
		top.value = false
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{keys: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
	}
}

// pieces reads so many bytes at once, or all if size is 0.
type pieces struct {
	src  io.Reader
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.size > 0 && len(b) > p.size {
		b = b[:p.size]
	}
	return p.src.Read(b)
}

// TestTokenizerLarge: pictures of many reads, of known and unknown size, in
// every alphabet.
func TestTokenizerLarge(t *testing.T) {
	data := make([]byte, 700_001)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	std := base64.StdEncoding.EncodeToString(data)
	for name, text := range map[string]string{
		"standard": std,
		"URL-safe": base64.RawURLEncoding.EncodeToString(data),
		"escaped":  strings.ReplaceAll(std, "/", `\/`),
	} {
		doc := parts(`{"inlineData": {"data": "`+text+`"}, "thought": true}`, `{"inlineData": {"data": "`+text+`"}}`)
		for _, size := range []int64{-1, int64(len(doc))} {
			rest, take, err := generate.Split(strings.NewReader(doc), size)
			if err != nil || len(rest) > 300 {
				t.Fatalf("%s: %v, a rest of %d bytes", name, err, len(rest))
			}
			var answer any
			if err := json.Unmarshal(rest, &answer); err != nil {
				t.Fatal(err)
			}
			placeholder, _ := takeOut(answer)
			if got, ok := take(placeholder); !ok || !bytes.Equal(got, data) {
				t.Errorf("%s of size %d: the picture is damaged", name, size)
			}
		}
	}
}

func TestTokenizerLimits(t *testing.T) {
	group := strings.Repeat("AAAA", 1<<18) // a mebibyte of base64
	long := io.MultiReader(strings.NewReader(strings.TrimSuffix(onePicture(`{"data": "`), `}]}, "finishReason": "STOP"}]}`)),
		io.LimitReader(&forever{text: group}, generate.MaxPictures/3*4+4096))
	_, _, err := generate.Split(long, -1)
	if err == nil || !strings.Contains(err.Error(), "too large: pictures of over 64 MiB") {
		t.Errorf("a picture without end: %v", err)
	}
	_, _, err = generate.Split(strings.NewReader(strings.Repeat("[", 20_000)), -1)
	if err == nil || !strings.Contains(err.Error(), "nested too deep") {
		t.Errorf("arrays without end: %v", err)
	}
	_, _, err = generate.Split(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(`{}`))), -1)
	if !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a broken connection: %v", err)
	}
}

// forever repeats a text.
type forever struct {
	text string
	off  int
}

func (f *forever) Read(p []byte) (int, error) {
	n := copy(p, f.text[f.off:])
	f.off = (f.off + n) % len(f.text)
	return n, nil
}
