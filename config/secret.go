package config

import (
	"fmt"
	"io"
)

// Secret is a text that nobody prints by accident: every verb of fmt, JSON and text encodings give "<secret>", or
// nothing where it is empty. The zero Secret is empty.
//
// It keeps its text behind a pointer: fmt calls no method on what stands in an unexported field, and prints its memory.
type Secret struct{ text *string }

// NewSecret keeps the text.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal is the text itself, for the one call that needs it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// String is "<secret>", or "" for an empty one.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "<secret>"
}

// Format writes String, whatever the verb and its flags.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is String; JSON uses it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Decode takes any text: envconfig quotes the value in the error of a decoder, so that judging it is left to Load.
func (s *Secret) Decode(text string) error {
	*s = NewSecret(text)
	return nil
}
