package sshtest

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestPipe_BothMayWriteFirst(t *testing.T) {
	a, b := Pipe()
	for _, end := range []net.Conn{a, b} {
		if _, err := io.WriteString(end, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range []net.Conn{a, b} {
		if err := end.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPipe_CloseDeliversWhatWasWritten(t *testing.T) {
	a, b := Pipe()
	io.WriteString(a, "last words")
	a.Close()
	if got, err := io.ReadAll(b); err != nil || string(got) != "last words" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := b.Write([]byte("x")); err == nil {
		t.Error("wrote to an end that is closed")
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading a closed end gives %v", err)
	}
}

func TestPipe_ReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		defer a.Close()
		defer b.Close()
		began := time.Now()
		if err := a.SetDeadline(began.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v, want the deadline", err)
		}
		if got := time.Since(began); got != time.Minute {
			t.Errorf("ended after %s, want a minute", got)
		}
		if err := a.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Hour, func() { b.Write([]byte("x")) })
		if _, err := a.Read(make([]byte, 1)); err != nil {
			t.Errorf("read without a deadline: %v", err)
		}
	})
}

// net/http's server ends the read that waits in the background so.
func TestPipe_ADeadlineThatHasPassedEndsARead(t *testing.T) {
	for _, past := range []time.Time{time.Unix(1, 0), time.Time{}.Add(1)} {
		synctest.Test(t, func(t *testing.T) {
			a, b := Pipe()
			defer a.Close()
			defer b.Close()
			began, ended := time.Now(), make(chan error, 1)
			go func() {
				_, err := a.Read(make([]byte, 1))
				ended <- err
			}()
			synctest.Wait() // it reads
			if err := a.SetReadDeadline(past); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Equal(began) {
				t.Errorf("read: %v after %s, want the deadline at once", err, time.Since(began))
			}
			if alarm := a.(*pipeEnd).read.alarm; alarm != nil {
				t.Error("a timer waits for what has passed")
			}
		})
	}
}
