package main

import (
	"bufio"
	"context"
	"os"
	"strings"
)

// An armored signature is between these lines.
const (
	armorBegin = "-----BEGIN SSH SIGNATURE-----"
	armorEnd   = "-----END SSH SIGNATURE-----"
)

// listen takes what is typed and pasted: whole signatures, and other lines one by one. It ends with what it reads from; a
// terminal that waits for a line can't be told to stop, and is left behind when the program ends.
func (s *signing) listen(ctx context.Context) {
	lines := bufio.NewScanner(s.in)
	var armored []string
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == armorBegin:
			armored = []string{line}
			continue
		case armored != nil && line != armorEnd:
			armored = append(armored, line)
			continue
		case armored != nil:
			line, armored = strings.Join(append(armored, line), "\n"), nil
		case line == "":
			continue
		}
		select {
		case s.typed <- line:
		case <-ctx.Done():
			return
		}
	}
}

// filed is a signature that has come into one of the files since it was last looked; "" where none has, or not all of it.
func (s *signing) filed() string {
	for _, file := range s.files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it may come yet
		}
		text := strings.TrimSpace(string(content))
		if s.tried[text] || !strings.HasPrefix(text, armorBegin) || !strings.HasSuffix(text, armorEnd) {
			continue
		}
		s.tried[text] = true
		return text
	}
	return ""
}
