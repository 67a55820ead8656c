package gemini

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Fault is how one request is answered. Ok, JPEG and URLSafe give a picture;
// Faults lists the others by name, and Finish and Block make more.
//
// A prompt asks for a fault by its name in double brackets, such as [[503]].
// [[503*2]] applies only to the first two requests with exactly that prompt, so
// that a test can see what a retry does. The names are
//
//	jpeg url-safe
//	hang reset eof truncated garbage empty nothing 200-error text draft-only
//	finish:REASON block:REASON
//	400 400-image 400-fetch 400-file 400-key 400-location 400-billing
//	401 402 403-no-key 403-leaked 403-suspended 403-disabled 403-blocked 403-file
//	404-file 404-model 408 413 499 500 502 503 503-later 504
//	429-minute 429-day 429-zero 429-spend 429-rate 429-prepaid 429-capacity
type Fault string

const (
	Ok      Fault = ""         // the picture
	JPEG    Fault = "jpeg"     // the picture as JPEG, which some models send unasked
	URLSafe Fault = "url-safe" // the picture in URL-safe base64

	Hang      Fault = "hang"       // no answer until the client hangs up
	Reset     Fault = "reset"      // the connection is reset, without an answer
	EOF       Fault = "eof"        // the connection is closed, without an answer
	Truncated Fault = "truncated"  // the connection is closed in the middle of the picture
	Garbage   Fault = "garbage"    // 200 with a body that is not JSON
	Empty     Fault = "empty"      // 200 with no body
	Nothing   Fault = "nothing"    // 200 with {}
	ErrorIn   Fault = "200-error"  // 200 with an error in it
	NoPicture Fault = "text"       // 200, finishReason STOP, with text instead of a picture
	DraftOnly Fault = "draft-only" // 200, finishReason NO_IMAGE, after a draft
)

const (
	finishPrefix = "finish:"
	blockPrefix  = "block:"
)

// Finish returns the fault of an answer without a picture and with a finishReason.
// In a prompt: [[finish:IMAGE_SAFETY]].
func Finish(reason string) Fault { return Fault(finishPrefix + reason) }

// Block returns the fault of an answer that refuses the prompt with a blockReason.
// In a prompt: [[block:PROHIBITED_CONTENT]].
func Block(reason string) Fault { return Fault(blockPrefix + reason) }

// Faults returns the name of every fault, except those of Finish and Block.
func Faults() []Fault {
	names := []Fault{JPEG, URLSafe, Hang, Reset, EOF, Truncated, Garbage, Empty, Nothing, ErrorIn, NoPicture, DraftOnly}
	return append(names, slices.Sorted(maps.Keys(replies(Request{})))...)
}

// markers matches [[name]] and [[name*times]].
var markers = regexp.MustCompile(`\[\[([A-Za-z0-9:_\-]+)(?:\*([0-9]+))?\]\]`)

// marker returns the fault that prompt asks for, and how many times; 0 means
// always. A name that is not known counts as part of the prompt.
func marker(prompt string) (Fault, int) {
	for _, m := range markers.FindAllStringSubmatch(prompt, -1) {
		if fault := Fault(m[1]); fault.known() {
			times, _ := strconv.Atoi(m[2]) // "" is 0, always
			return fault, times
		}
	}
	return Ok, 0
}

func (f Fault) known() bool {
	if strings.HasPrefix(string(f), finishPrefix) || strings.HasPrefix(string(f), blockPrefix) {
		return true
	}
	return slices.Contains(Faults(), f)
}

// draws reports whether the answer holds a picture or a part of one.
func (f Fault) draws() bool {
	return slices.Contains([]Fault{Ok, JPEG, URLSafe, Truncated, DraftOnly}, f)
}

// thinks reports whether the model works for a while before the answer. The real
// service refuses at once.
func (f Fault) thinks() bool {
	return f.draws() || f == NoPicture || strings.HasPrefix(string(f), finishPrefix)
}

// write answers with f, which must be a fault that draws nothing.
func (f Fault) write(w *recorder, r *http.Request, req Request) {
	switch name := string(f); {
	case f == Hang:
		<-r.Context().Done()
	case f == Reset:
		hangUp(w, true)
	case f == EOF:
		hangUp(w, false)
	case f == Garbage:
		reply{status: 200, body: `{"candidates": [{"content": {"parts": [{"text": "` + req.Key + `" oops`}.send(w)
	case f == Empty:
		reply{status: 200}.send(w)
	case f == Nothing:
		reply{status: 200, body: `{}`}.send(w)
	case f == NoPicture:
		finished("STOP", req, `{"text": "I would rather describe it: a picture that shows what you asked for."}`).send(w)
	case strings.HasPrefix(name, finishPrefix):
		finished(strings.TrimPrefix(name, finishPrefix), req).send(w)
	case strings.HasPrefix(name, blockPrefix):
		blocked(strings.TrimPrefix(name, blockPrefix), req).send(w)
	case f == ErrorIn:
		inside := replies(req)["503"]
		inside.status = 200
		inside.send(w)
	default:
		f.reply(req).send(w)
	}
}

// reply returns the HTTP error for f. An unknown name is a mistake in a script and
// gives an error that no Gemini gives.
func (f Fault) reply(req Request) reply {
	if known, ok := replies(req)[f]; ok {
		return known
	}
	return errorReply(http.StatusTeapot, "", "no such fault: "+string(f))
}

// hangUp ends the connection without an answer.
func hangUp(w *recorder, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: a reset of the stream
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0) // if it fails, the client sees an EOF instead
	}
	_ = conn.Close() // what it was to do is done either way
}

// A reply is a whole answer.
type reply struct {
	status int
	header map[string]string
	body   string
}

func (a reply) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.body)) // a client that is gone misses nothing
}

// finished returns an answer that ends with a reason and without a picture.
func finished(reason string, req Request, parts ...string) reply {
	return reply{status: 200, body: `{"candidates": [{"content": {"parts": [` + strings.Join(parts, ",") + `], "role": "model"}, ` +
		`"finishReason": ` + quote(reason) + `, "index": 0, ` +
		`"finishMessage": "The image could not be shown. Reason: ` + reason + `."}], ` + trailer(req, 0) + `}`}
}

// blocked returns an answer that refuses the prompt.
func blocked(reason string, req Request) reply {
	return reply{status: 200, body: `{"promptFeedback": {"blockReason": ` + quote(reason) + `}, ` + trailer(req, 0) + `}`}
}

// quote returns s as JSON.
func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil { // it cannot for a string
		return `""`
	}
	return string(raw)
}
