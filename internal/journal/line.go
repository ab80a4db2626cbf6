package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rollbackbot/runbook"
)

// lineVersion is the version of the line format, which the hashes are made over. Another format is another number,
// and lines of this one stay readable for as long as there are journals that hold them.
const lineVersion = 1

// timeLayout is how a line writes its time: what is stored, to the microsecond, always at the same length.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// record is an event as it is stored: its fact encoded, its hash not part of it.
type record struct {
	app      string
	seq      int64
	rollback string
	epoch    int64
	at       int64 // microseconds since 1970 UTC
	kind     string
	actor    string
	cause    string
	body     string // JSON on one line, as the fact's encoding gave it
}

// head is everything of a line before its body, the names and their order being the format.
type head struct {
	V        int    `json:"v"`
	App      string `json:"app"`
	Seq      int64  `json:"seq"`
	Rollback string `json:"rollback"`
	Epoch    int64  `json:"epoch"`
	At       string `json:"at"`
	Kind     string `json:"kind"`
	Actor    string `json:"actor"`
	Cause    string `json:"cause"`
}

// line is what the record's hash is made over.
func (r record) line() []byte {
	line := encode(head{
		V: lineVersion, App: r.app, Seq: r.seq, Rollback: r.rollback, Epoch: r.epoch,
		At: timeOf(r.at).Format(timeLayout), Kind: r.kind, Actor: r.actor, Cause: r.cause,
	})
	line = append(line[:len(line)-1], `,"body":`...)
	return append(append(line, r.body...), '}')
}

// link is the hash of the record in a chain that ended in previous.
func (r record) link(previous string) string {
	sum := sha256.New()
	sum.Write([]byte(previous + "\n"))
	sum.Write(r.line())
	return hex.EncodeToString(sum.Sum(nil))
}

// exportLine is the line with its hash, without a line feed.
func (r record) exportLine(hash string) []byte {
	line := r.line()
	line = append(line[:len(line)-1], `,"hash":`...)
	return append(append(line, encode(hash)...), '}')
}

// parseLine reads what exportLine wrote, and nothing else: not even the same JSON written otherwise, since hashes are
// made over the very bytes.
func parseLine(line []byte) (r record, hash string, err error) {
	var parsed struct {
		head
		Body json.RawMessage `json:"body"`
		Hash string          `json:"hash"`
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		return record{}, "", fmt.Errorf("no line of a journal: %w", err)
	}
	if parsed.V != lineVersion {
		return record{}, "", fmt.Errorf("the line's format is version %d, this program knows %d", parsed.V, lineVersion)
	}
	at, err := time.Parse(timeLayout, parsed.At)
	if err != nil {
		return record{}, "", fmt.Errorf("no line of a journal: %w", err)
	}
	r = record{
		app: parsed.App, seq: parsed.Seq, rollback: parsed.Rollback, epoch: parsed.Epoch,
		at: micros(at), kind: parsed.Kind, actor: parsed.Actor, cause: parsed.Cause, body: string(parsed.Body),
	}
	if !bytes.Equal(r.exportLine(parsed.Hash), line) {
		return record{}, "", errors.New("the line is not written as a journal's export writes it")
	}
	return r, parsed.Hash, nil
}

// event is the record with its fact decoded.
func (r record) event(hash string) (runbook.Event, error) {
	fact, err := runbook.DecodeFact(r.kind, []byte(r.body))
	if err != nil {
		return runbook.Event{}, fmt.Errorf("event %d of %s: %w", r.seq, r.app, err)
	}
	return runbook.Event{
		App: r.app, Seq: r.seq, Rollback: r.rollback, Epoch: r.epoch, At: timeOf(r.at),
		Actor: r.actor, Cause: r.cause, Fact: fact, Hash: hash,
	}, nil
}

// body encodes a fact.
func body(fact runbook.Fact) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fact); err != nil {
		return "", fmt.Errorf("encode a %s fact: %w", fact.Kind(), err)
	}
	return string(bytes.TrimSuffix(out.Bytes(), []byte("\n"))), nil
}

// encode is v's JSON for values that always have one: strings, and structs of strings and numbers.
func encode(v any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// micros is t as the journal stores it; what is finer is cut off.
func micros(t time.Time) int64 { return t.UnixMicro() }

// timeOf is the time that micros stored, in UTC.
func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
