package clusterfile

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func sample() *File {
	return &File{
		Schema: Schema, CA: "ca.pem", OperatorToken: "secret",
		Nodes:   []Node{{Node: "eu-west-1", Region: "eu-west", PID: 7, API: "127.0.0.1:1", Admin: "127.0.0.1:2"}},
		Players: []Player{{Player: "demo-eu", Wallet: "00ff", Token: "t"}},
	}
}

func TestWrite_RoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.json")
	for range 2 { // the second one replaces the first
		if err := Write(path, sample()); err != nil {
			t.Fatal(err)
		}
	}
	read, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Path = path
	if !reflect.DeepEqual(read, want) {
		t.Errorf("read %+v, want %+v", read, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: the file holds tokens", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
}

func TestRead_Refuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.json")
	if err := Write(good, sample()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"schema":   {`"schema": 1`, `"schema": 2`},
		"no ca":    {"ca.pem", ""},
		"no api":   {"127.0.0.1:1", ""},
		"not JSON": {"{", "["},
	} {
		path := filepath.Join(dir, "bad.json")
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFind_Order(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv(EnvName, "")
	if _, err := Find(""); !errors.Is(err, ErrNone) {
		t.Errorf("nothing is named: %v", err)
	}
	path := filepath.Join(dir, "cluster.json")
	if err := Remember(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(""); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the last dev is gone: %v", err)
	}
	if err := Write(path, sample()); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(""); got != path || err != nil {
		t.Errorf("last dev: %q, %v", got, err)
	}
	t.Setenv(EnvName, "from-env")
	if got, _ := Find(""); got != "from-env" {
		t.Errorf("environment: %q", got)
	}
	if got, _ := Find("from-flag"); got != "from-flag" {
		t.Errorf("flag: %q", got)
	}
}
