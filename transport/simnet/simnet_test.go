package simnet

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func pair(t *testing.T, path Path) (*Network, net.PacketConn, net.PacketConn) {
	t.Helper()
	n := New(Config{Rand: rand.New(rand.NewPCG(7, 7)), Default: path})
	t.Cleanup(func() { n.Close() })
	a, err := n.ListenPacket("a", 1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.ListenPacket("b", 2)
	if err != nil {
		t.Fatal(err)
	}
	return n, a, b
}

// receive returns how many packets arrive within a virtual second.
func receive(t *testing.T, conn net.PacketConn) int {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for count, buf := 0, make([]byte, 10); ; count++ {
		if _, _, err := conn.ReadFrom(buf); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			return count
		}
	}
}

func send(t *testing.T, from, to net.PacketConn, count int) {
	t.Helper()
	for range count {
		if _, err := from.WriteTo([]byte("x"), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNetwork_DelayAndOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t, Path{})
		n.SetPath("a", "b", Path{Delay: 40 * time.Millisecond})
		start := time.Now()
		for i := range byte(3) {
			if _, err := a.WriteTo([]byte{i}, b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, 1)
		for i := range byte(3) {
			if _, from, err := b.ReadFrom(buf); err != nil || buf[0] != i || from.String() != a.LocalAddr().String() {
				t.Fatalf("packet %d: %d from %v, %v", i, buf[0], from, err)
			}
		}
		if took := time.Since(start); took != 40*time.Millisecond {
			t.Errorf("one way took %s", took)
		}
		send(t, b, a, 1)
		if _, _, err := a.ReadFrom(buf); err != nil || time.Since(start) != 40*time.Millisecond {
			t.Errorf("the way back took time: %s, %v", time.Since(start), err)
		}
	})
}

func TestNetwork_LossAndCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t, Path{Delay: 5 * time.Millisecond})
		expect := func(what string, ab, ba int) {
			t.Helper()
			send(t, a, b, 1)
			send(t, b, a, 1)
			if got := [2]int{receive(t, b), receive(t, a)}; got != [2]int{ab, ba} {
				t.Errorf("%s: %v packets arrived, want %v", what, got, [2]int{ab, ba})
			}
		}
		expect("whole", 1, 1)
		n.Cut("a", "b")
		expect("cut one way", 0, 1)
		n.Heal("a", "b")
		n.Isolate("b")
		expect("isolated", 0, 0)
		n.Rejoin("b")
		n.Down("a")
		expect("down", 0, 0)
		n.Up("a")
		expect("up", 1, 1)

		send(t, a, b, 1)
		n.Cut("a", "b") // while it flies
		if got := receive(t, b); got != 0 {
			t.Error("a packet crossed a cut")
		}
		n.SetLink("a", "b", Path{Loss: 0.5})
		send(t, a, b, 1000)
		if got := receive(t, b); got < 400 || got > 600 {
			t.Errorf("%d of 1000 arrived at half loss", got)
		}
	})
}

func TestNetwork_Sockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t, Path{})
		if _, err := n.ListenPacket("a", 1); err == nil {
			t.Error("an address was opened twice")
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read from a closed socket: %v", err)
		}
		lost := n.Lost()
		send(t, a, b, 1)
		receive(t, a)
		if n.Lost() != lost+1 {
			t.Error("a packet to a closed socket is not counted as lost")
		}
		again, err := n.ListenPacket("b", 2)
		if err != nil {
			t.Fatalf("reopen: %v", err)
		}
		send(t, a, again, 1)
		if receive(t, again) != 1 {
			t.Error("a reopened socket receives nothing")
		}
		if ip, err := n.LookupHost(t.Context(), "b"); err != nil || ip != n.AddHost("b") {
			t.Errorf("look-up: %s, %v", ip, err)
		}
	})
}
