//go:build linux

package gatechild_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/gatechild"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/node/push"
)

// The test binary is the child too: with the verb gate-child it is the real
// one, with a word of misbehaviours it sets the real limits and then does that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if bad, ok := misbehaviours[os.Args[1]]; ok {
			child(os.Args[1], bad)
		}
		if os.Args[1] == "gate-child" {
			child("gate-child", nil)
		}
	}
	os.Exit(m.Run())
}

func child(verb string, instead func()) {
	var o gatechild.Options
	parser, err := kong.New(&o)
	if err == nil {
		_, err = parser.Parse(os.Args[2:])
	}
	if err == nil && o.Limited && instead != nil {
		instead()
		os.Exit(0)
	}
	if err == nil {
		err = gatechild.Run(context.Background(), o, os.Args[1:], os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, verb, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var sink [][]byte

var misbehaviours = map[string]func(){
	"spin": func() {
		for range runtime.GOMAXPROCS(0) {
			go func() {
				for i := 0; ; i++ {
				}
			}()
		}
		select {}
	},
	"hoard": func() {
		for {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			sink = append(sink, b)
		}
	},
	"sleep":  func() { select {} },
	"crash":  func() { panic("out of order") },
	"babble": func() { fmt.Println("hello") },
	"mute":   func() {},
	"future": func() { fmt.Println(`{"version":99}`) },
	"die":    func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} },
	// What a child that was taken over would look for.
	"snoop": func() {
		var found []string
		if env := os.Environ(); len(env) > 0 {
			found = append(found, fmt.Sprint("environment ", env))
		}
		for fd := 3; fd < 256; fd++ {
			if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); errno != 0 {
				continue
			}
			name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			// The runtime's own.
			if !strings.HasPrefix(name, "anon_inode:") && !strings.Contains(name, "/cgroup") && name != "" {
				found = append(found, "file "+name)
			}
		}
		if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
			found = append(found, fmt.Sprint("folder ", entries, err))
		}
		status, _ := os.ReadFile("/proc/self/status")
		if !strings.Contains(string(status), "NoNewPrivs:\t1") {
			found = append(found, "may get new rights")
		}
		for _, r := range []int{syscall.RLIMIT_CPU, syscall.RLIMIT_CORE, syscall.RLIMIT_FSIZE} {
			var l syscall.Rlimit
			if err := syscall.Getrlimit(r, &l); err != nil || l.Max > 60 {
				found = append(found, fmt.Sprint("limit ", r, " is ", l, err))
			}
		}
		if n, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err != nil || 20-n != 10 {
			found = append(found, fmt.Sprint("niceness ", 20-n, err))
		}
		fmt.Printf(`{"version":1,"refused":%q}`+"\n", "found "+strings.Join(found, "; "))
	},
}

// newChild is a Gate of this test binary.
func newChild(t *testing.T, verb string, l push.Limits) *push.Child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &push.Child{Command: []string{program, verb}, Admission: l, Proof: l, Workers: 2}
}

func job(t *testing.T, wasm, par []byte) push.Job {
	t.Helper()
	path := filepath.Join(t.TempDir(), "module")
	if err := os.WriteFile(path, wasm, 0o600); err != nil {
		t.Fatal(err)
	}
	return push.Job{Module: path, Digest: sha256.Sum256(wasm), PAR: par, Rounds: 20_000, Seed: 1}
}

func comet(t *testing.T) []byte {
	t.Helper()
	for _, g := range games.All() {
		if g.ID == "comet-spins" {
			return g.Wasm
		}
	}
	t.Fatal("no comet-spins")
	return nil
}

func refusal(t *testing.T, err error, parts ...string) {
	t.Helper()
	var r *push.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v is no refusal of the module", err)
	}
	for _, part := range parts {
		if !strings.Contains(r.Reason, part) {
			t.Errorf("refused with %q, want %q in it", r.Reason, part)
		}
	}
}

func TestAdmit(t *testing.T) {
	a, err := newChild(t, "gate-child", push.Limits{}).Admit(t.Context(), job(t, comet(t), nil))
	if err != nil {
		t.Fatal(err)
	}
	if a.Manifest.ID != "comet-spins" || len(a.Manifest.Modes) == 0 || a.Profile != "pure" || a.FuelPerStep != 1_000_000 {
		t.Errorf("%+v", a)
	}
}

func TestAdmit_RefusesWhatAHostWould(t *testing.T) {
	good := comet(t)
	for name, wasm := range map[string][]byte{"text": []byte("hello"), "nothing": {}, "cut": good[:len(good)/2]} {
		_, err := newChild(t, "gate-child", push.Limits{}).Admit(t.Context(), job(t, wasm, nil))
		if err == nil {
			t.Errorf("%s is admitted", name)
			continue
		}
		refusal(t, err, "a host would refuse the module: ")
	}
}

// TestAdmit_ChangedFile: the bytes that are checked are those that were asked
// about.
func TestAdmit_ChangedFile(t *testing.T) {
	j := job(t, comet(t), nil)
	j.Digest[0]++
	_, err := newChild(t, "gate-child", push.Limits{}).Admit(t.Context(), j)
	var r *push.Refusal
	if err == nil || errors.As(err, &r) || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("%v", err)
	}
}

func TestProve(t *testing.T) {
	par, err := os.ReadFile("../../../../games/comet-spins/par.json")
	if err != nil {
		t.Fatal(err)
	}
	stages := map[string]bool{}
	r, err := newChild(t, "gate-child", push.Limits{}).Prove(t.Context(), job(t, comet(t), par), func(stage string, _, _ uint64) { stages[stage] = true })
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != gate.Pass || r.Manifest == nil || r.Manifest.ID != "comet-spins" || r.Asked.Rounds != 20_000 {
		t.Errorf("%+v", r)
	}
	if !stages[string(gate.StageDecode)] {
		t.Errorf("told of %v", stages)
	}
}

// TestChild_Limits: the kernel ends what does not keep to its limits, and the
// module is blamed.
func TestChild_Limits(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector maps more than any limit of memory")
	}
	small := push.Limits{CPU: time.Second, MemoryBytes: 256 << 20, Wall: 2 * time.Second}
	slow := small
	slow.CPU = 50 * time.Second
	for _, c := range []struct {
		verb   string
		limits push.Limits
		want   string
	}{
		{"spin", small, "took more than 1 seconds of processor time"},
		{"hoard", slow, "took more than 256 MiB of memory"},
		{"sleep", slow, "was not done within 2s"},
		{"crash", slow, "panic: out of order"},
		{"mute", slow, "crashed the check"},
	} {
		t.Run(c.verb, func(t *testing.T) {
			t.Parallel()
			if c.verb == "spin" {
				c.limits.Wall = time.Minute
			}
			_, err := newChild(t, c.verb, c.limits).Admit(t.Context(), job(t, comet(t), nil))
			refusal(t, err, c.want)
		})
	}
}

// TestChild_MachineFaults are no verdict on the module.
func TestChild_MachineFaults(t *testing.T) {
	for verb, want := range map[string]string{"babble": "read a line of the child", "future": "version 99", "die": "ended from outside"} {
		_, err := newChild(t, verb, push.Limits{}).Admit(t.Context(), job(t, comet(t), nil))
		var r *push.Refusal
		if err == nil || errors.As(err, &r) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", verb, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newChild(t, "sleep", push.Limits{}).Admit(ctx, job(t, comet(t), nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that ended: %v", err)
	}
	missing := &push.Child{Command: []string{filepath.Join(t.TempDir(), "none")}}
	if _, err := missing.Admit(t.Context(), job(t, comet(t), nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

// TestChild_Alone: a child has nothing of its node.
func TestChild_Alone(t *testing.T) {
	t.Setenv("EDGEREEL_SECRET", "x")
	secret, err := os.Open("gatechild_test.go")
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	_, err = newChild(t, "snoop", push.Limits{CPU: 20 * time.Second}).Admit(t.Context(), job(t, comet(t), nil))
	var r *push.Refusal
	if !errors.As(err, &r) || r.Reason != "found " {
		t.Errorf("%v", err)
	}
}
