package main_test

import (
	"fmt"
	"net"
	"testing"
)

// TestServe_StopsWhileItWaitsForItsDatabase: who is told to stop before the start was over has not failed.
func TestServe_StopsWhileItWaitsForItsDatabase(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p := unreachable(t, startSlack(t))
	p.env["ROLLBACK_DATABASE_URL"] = fmt.Sprintf("postgres://bot:secret@%s/journal?sslmode=disable", silent.Addr())
	bot := p.serve(t, nil)
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	bot.stop(t)
}
