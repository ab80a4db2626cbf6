package bot

import "net/http"

// Paced is what NewClient puts around its HTTP client.
func Paced(c *http.Client) interface {
	Do(*http.Request) (*http.Response, error)
} {
	return newPacer(c)
}

// MaxAck is the size in bytes of the smallest acknowledgement that is refused.
const MaxAck = maxAck
