package localslack

import (
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"
)

// page cuts one page out of a list by the call's cursor and limit. next is the cursor of the page after, ""
// if this is the last.
func page[T any](list []T, a args, usual, most int) (part []T, next string, err error) {
	start := 0
	if cursor := a.str("cursor"); cursor != "" {
		if start, err = readCursor(cursor); err != nil || start > len(list) {
			return nil, "", fail("invalid_cursor")
		}
	}
	limit := a.number("limit", usual)
	if limit == 0 {
		limit = usual
	}
	if limit < 0 {
		return nil, "", fail("invalid_limit")
	}
	end := min(start+min(limit, most), len(list))
	if end < len(list) {
		next = base64.StdEncoding.EncodeToString([]byte("next:" + strconv.Itoa(end)))
	}
	return list[start:end], next, nil
}

func readCursor(cursor string) (int, error) {
	text, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(string(text), "next:"), 10, 31)
	return int(n), err
}

// compareTS orders two timestamps as numbers, since callers may write "1700000000" or "1700000000.1". What is no
// number counts as zero.
func compareTS(a, b string) int { return ratOf(a).Cmp(ratOf(b)) }

func ratOf(ts string) *big.Rat {
	if r, ok := new(big.Rat).SetString(ts); ok {
		return r
	}
	return new(big.Rat)
}
