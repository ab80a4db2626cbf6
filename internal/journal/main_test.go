package journal

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// The tests' other processes are this binary, told by these variables what to do with the journal they name.
const (
	ownVariable     = "JOURNAL_TEST_OWN"
	ownLongVariable = "JOURNAL_TEST_OWN_LONG" // with a lease that no test waits for
	standByVariable = "JOURNAL_TEST_STAND_BY"
	appendVariable  = "JOURNAL_TEST_APPEND"
	putVariable     = "JOURNAL_TEST_PUT"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(ownVariable); url != "" {
		ownUntilKilled(url, leaseTime)
	}
	if url := os.Getenv(ownLongVariable); url != "" {
		ownUntilKilled(url, longLease)
	}
	if url := os.Getenv(standByVariable); url != "" {
		standByUntilKilled(url)
	}
	if url := os.Getenv(appendVariable); url != "" {
		appendUntilKilled(url)
	}
	if url := os.Getenv(putVariable); url != "" {
		putUntilKilled(url)
	}
	os.Exit(m.Run())
}

func ownUntilKilled(url string, lease time.Duration) {
	s, err := Open(context.Background(), url, Options{})
	if err == nil {
		_, err = lasting(s, lease).Own(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("owned")
	_, _ = os.Stdin.Read(make([]byte, 1)) // ends with the test at the latest
	os.Exit(0)
}

func standByUntilKilled(url string) {
	s, err := Open(context.Background(), url, Options{})
	if err == nil {
		_, err = s.WaitToOwn(context.Background(), func(error) {})
	}
	fmt.Println("owned", err)
	os.Exit(1)
}

// appendUntilKilled says the number of every event once Append has returned it.
func appendUntilKilled(url string) {
	s, err := Open(context.Background(), url, Options{})
	for err == nil {
		var events []runbook.Event
		events, err = s.Append(context.Background(), runbook.Entry{App: "shop", At: at, Facts: facts(note("a"), note("b"))})
		if err == nil {
			_, err = fmt.Println(events[1].Seq)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// putUntilKilled says the key of every delivery once Put has returned.
func putUntilKilled(url string) {
	s, err := Open(context.Background(), url, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for range 16 {
		go func() {
			for {
				key := rand.Text()
				if fresh, err := s.Put(context.Background(), delivery(key)); !fresh || err != nil {
					fmt.Println(fresh, err)
					os.Exit(1)
				}
				fmt.Println(key)
			}
		}()
	}
	select {}
}

// startOther starts the other process; kill ends it as kill -9 does, and waits for its end.
func startOther(t *testing.T, variable, url string) (out *bufio.Scanner, cmd *exec.Cmd, kill func()) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+url)
	if _, err := cmd.StdinPipe(); err != nil { // kept open: its end is the test's end
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // "signal: killed" is what was asked for
	}
	t.Cleanup(kill)
	return bufio.NewScanner(stdout), cmd, kill
}

// Killed at any moment, an appender leaves every event that Append gave back, and no half entry.
func TestAppend_Killed(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		for round := range 4 {
			out, cmd, kill := startOther(t, appendVariable, url)
			for range 5 + 3*round {
				if !out.Scan() {
					t.Fatal("the appender ended by itself")
				}
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			last := out.Text()
			for out.Scan() { // what it said between our last look and its end
				last = out.Text()
			}
			kill()
			acknowledged, err := strconv.Atoi(last)
			if err != nil {
				t.Fatalf("the appender said %q", last)
			}
			s := open(t, url)
			mustVerify(t, s, "shop")
			if n := count(t, s, `SELECT COUNT(*) FROM events`); n < acknowledged || n%2 != 0 {
				t.Errorf("%d events, want all %d acknowledged, two by two", n, acknowledged)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
