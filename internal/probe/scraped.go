package probe

import (
	"context"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// unscraped says that nothing of what a query counts is scraped any more; "" where something is, or that can't be told.
//
// rate(requests[5m]) goes on giving numbers for minutes after the app has vanished: those of the time before. An instant
// selector knows better, for Prometheus marks a series as stale with the first scrape that failed.
func unscraped(ctx context.Context, client v1.API, query string) string {
	counted := ranged(query)
	if len(counted) == 0 {
		return ""
	}
	for i, selector := range counted {
		counted[i] = "count(" + selector + ")"
	}
	value, _, _, err := client.Query(ctx, strings.Join(counted, " or "), time.Time{})
	if vector, ok := value.(model.Vector); err == nil && ok && len(vector) == 0 {
		return "nothing that the query counts is scraped any more: what it gives is of the time before"
	}
	return ""
}

// ranged lists the selectors of a query that have a range, as in requests{app="shop"}[5m], without it and each once. It
// reads no PromQL: it knows texts, braces and names, and leaves out what it can't read.
func ranged(query string) (selectors []string) {
	const none = -1
	brace, closed := none, none // where the last selector's braces began and ended
	for i := 0; i < len(query); i++ {
		switch c := query[i]; c {
		case '"', '\'', '`':
			i = endOfText(query, i)
		case '#':
			if end := strings.IndexByte(query[i:], '\n'); end >= 0 {
				i += end
			} else {
				i = len(query)
			}
		case '{':
			brace = i
		case '}':
			closed = i
		case '[':
			end := len(strings.TrimRight(query[:i], " \t\r\n"))
			begin := end
			if closed == end-1 && closed != none && brace != none {
				begin = len(strings.TrimRight(query[:brace], " \t\r\n"))
			}
			for begin > 0 && isName(query[begin-1]) {
				begin--
			}
			if selector := query[begin:end]; selector != "" && !slices.Contains(selectors, selector) {
				selectors = append(selectors, selector)
			}
		}
	}
	return selectors
}

// endOfText is where a text that begins at i ends; the query's end where it doesn't.
func endOfText(query string, i int) int {
	quote := query[i]
	for i++; i < len(query); i++ {
		switch {
		case query[i] == '\\' && quote != '`':
			i++
		case query[i] == quote:
			return i
		}
	}
	return len(query)
}

func isName(c byte) bool {
	return c == '_' || c == ':' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
