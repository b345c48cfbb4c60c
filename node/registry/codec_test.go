package registry_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/edgereel/edgereel/node/registry"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// golden is a state that uses every field.
func golden(t testing.TB) (*registry.State, []registry.Op) {
	t.Helper()
	d := newDesk()
	d.must(t, "root", addKey("acme", 1))
	first := release("reels", 1)
	first.Family, first.Variant = "reels", "96"
	d.must(t, "ann", push(first))
	d.must(t, "gate", d.verdict(1, true))
	d.must(t, "ben", move("reels", 1, registry.Approved))
	d.must(t, "ben", move("reels", 1, registry.Live))
	d.approved(t, 2)
	d.must(t, "ben", move("reels", 2, registry.Canary))
	d.must(t, "root", registry.Op{RevokeKey: &registry.RevokeKey{Studio: "acme", KeyID: registry.KeyID(key(1))}})
	ops := []registry.Op{
		addKey("acme", 1), push(first), d.verdict(1, true), move("reels", 2, registry.Canary),
		{RevokeKey: &registry.RevokeKey{Studio: "acme", KeyID: registry.KeyID(key(1))}},
		{Found: &registry.Found{Releases: []registry.Release{first}}},
	}
	for i := range ops {
		ops[i].ID, ops[i].Person, ops[i].Reason, ops[i].AtMS = fmt.Sprintf("id-%d", i), "ann", "ticket 42", 1_700_000_000_000
	}
	return d.state, ops
}

// TestGolden compares with files of earlier builds: logs and snapshots outlive
// the program that wrote them.
func TestGolden(t *testing.T) {
	state, ops := golden(t)
	files := map[string][]byte{}
	snap, err := state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	files["state-v1.json"] = snap
	var lines [][]byte
	for i := range ops {
		b, err := ops[i].Encode()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, b)
	}
	files["ops-v1.jsonl"] = append(bytes.Join(lines, []byte("\n")), '\n')
	for name, got := range files {
		path := filepath.Join("testdata", name)
		if *update {
			if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, got, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s changed; logs of earlier builds could not be read any more:\n%s\nwas\n%s", name, got, want)
		}
	}
	back, err := registry.Restore(snap)
	if err != nil || !reflect.DeepEqual(back.Releases(""), state.Releases("")) || !reflect.DeepEqual(back.Studios(), state.Studios()) {
		t.Errorf("restored: %v", err)
	}
	for i, line := range lines {
		op, err := registry.DecodeOp(line)
		if err != nil || !reflect.DeepEqual(*op, ops[i]) {
			t.Errorf("read back: %+v, %v", op, err)
		}
	}
}

// FuzzApply gives the state operations of any form: it decides, does not break,
// and stays a state that can be stored.
func FuzzApply(f *testing.F) {
	state, ops := golden(f)
	for i := range ops {
		b, err := ops[i].Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		op, err := registry.DecodeOp(b)
		if err != nil {
			return
		}
		next, res := state.Apply(op)
		if res.Refusal != nil && next != state {
			t.Fatalf("a refusal changed the state: %+v", res.Refusal)
		}
		snap := snapshot(t, next)
		back, err := registry.Restore(snap)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(snapshot(t, back), snap) {
			t.Fatal("the state is stored in two ways")
		}
	})
}

func TestCodec_Refuses(t *testing.T) {
	var version *registry.VersionError
	for _, text := range []string{"", "{", `{"version":1,"id":"a","extra":1}`, `{"version":1} {}`, `{"version":1,"move":{"if_module":"zz"}}`} {
		if _, err := registry.DecodeOp([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	if _, err := registry.DecodeOp([]byte(`{"version":2,"new":true}`)); !errors.As(err, &version) || version.Version != 2 {
		t.Errorf("newer operation: %v", err)
	}
	if _, err := registry.Restore([]byte(`{"version":2}`)); !errors.As(err, &version) {
		t.Errorf("newer state: %v", err)
	}
	if _, err := registry.Restore([]byte(`{"version":1,"games":[null]}`)); err == nil {
		t.Error("a state with a hole was read")
	}
}
