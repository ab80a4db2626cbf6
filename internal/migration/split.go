package migration

// piece is a part of a text that one dialect takes for a statement.
type piece struct {
	start, end int // without the semicolon
	stop       int // where the next one may begin
	unclosed   bool
}

// split cuts a part of a text where a dialect ends its statements. Pieces of white space and comments are kept: only a
// real parser may say that there is nothing in them.
func split(text string, part section, rules rules) []piece {
	if part.whole {
		return []piece{{start: part.start, end: part.end, stop: part.end, unclosed: unclosed(text[part.start:part.end], rules)}}
	}
	var pieces []piece
	current := piece{start: part.start}
	for t := range tokens(text[part.start:part.end], rules) {
		current.unclosed = current.unclosed || t.unclosed
		if t.kind == semicolon {
			current.end, current.stop = part.start+t.start, part.start+t.end
			pieces = append(pieces, current)
			current = piece{start: current.stop}
		}
	}
	if current.start < part.end {
		current.end, current.stop = part.end, part.end
		pieces = append(pieces, current)
	}
	return pieces
}

func unclosed(text string, rules rules) bool {
	for t := range tokens(text, rules) {
		if t.unclosed {
			return true
		}
	}
	return false
}

// group is a part of a text at whose ends all dialects agree that a statement ends: mostly one statement in each.
type group struct {
	start, end int
	pieces     [][]piece // by dialect
}

// groups puts the dialects' pieces of a section side by side.
func groups(text string, part section) []group {
	rest := make([][]piece, len(dialects))
	for i, d := range dialects {
		rest[i] = split(text, part, d.rules)
	}
	var found []group
	for len(rest[0]) > 0 {
		g := group{start: rest[0][0].start, pieces: make([][]piece, len(dialects))}
		// The dialect that is behind takes its next piece, until all stand at the same place.
		for {
			behind := 0
			for i := range rest {
				if g.reach(i) < g.reach(behind) {
					behind = i
				}
			}
			if ahead := g.furthest(); g.reach(behind) == ahead && ahead > g.start {
				g.end = ahead
				break
			}
			g.pieces[behind] = append(g.pieces[behind], rest[behind][0])
			rest[behind] = rest[behind][1:]
		}
		found = append(found, g)
	}
	return found
}

// reach is up to where a dialect's pieces go.
func (g *group) reach(dialect int) int {
	if n := len(g.pieces[dialect]); n > 0 {
		return g.pieces[dialect][n-1].stop
	}
	return g.start
}

func (g *group) furthest() int {
	furthest := g.start
	for i := range g.pieces {
		furthest = max(furthest, g.reach(i))
	}
	return furthest
}
