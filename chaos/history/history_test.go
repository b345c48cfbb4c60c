package history

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func sample(i int) Record {
	return Record{
		CallNS: int64(i), ReturnNS: int64(i + 1), Wallet: "w", Kind: KindPlay, Key: fmt.Sprintf("w-1/%d", i), Effect: Applied,
		BalanceMinor: 9007199254740993, WalletSeq: uint64(i), Attempts: 1,
	}
}

func TestWriter_RoundTrip(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	var writers sync.WaitGroup
	for i := range 100 {
		writers.Go(func() { w.Write(sample(i)) })
	}
	writers.Wait()
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	read, err := Read(&out)
	if err != nil || len(read) != 100 {
		t.Fatalf("%d records, %v", len(read), err)
	}
	seen := map[string]bool{}
	for _, r := range read {
		want := sample(int(r.WalletSeq))
		want.Schema = Schema
		if r != want {
			t.Errorf("read %+v, want %+v", r, want)
		}
		seen[r.Key] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different records", len(seen))
	}
}

type fullDisk struct{ err error }

func (d fullDisk) Write([]byte) (int, error) { return 0, d.err }

func TestWriter_ReportsErrors(t *testing.T) {
	full := errors.New("no space")
	w := NewWriter(fullDisk{full})
	for i := range 3000 {
		w.Write(sample(i))
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("close: %v", err)
	}
	w = NewWriter(&bytes.Buffer{})
	w.Write(Record{Wallet: "w", Kind: "guess", Key: "k", Effect: Applied})
	if err := w.Close(); err == nil {
		t.Error("a record nobody can check was written")
	}
}

func TestRead_Refuses(t *testing.T) {
	const good = `{"schema":1,"call_ns":1,"return_ns":2,"wallet":"w","kind":"play","key":"w-1/1","effect":"applied"}` + "\n"
	if records, err := Read(strings.NewReader(good)); err != nil || len(records) != 1 {
		t.Fatalf("the base case must be read: %v", err)
	}
	tests := map[string]string{
		"cut":            good + good[:40],
		"no newline":     good + strings.TrimSuffix(good, "\n"),
		"unknown field":  strings.Replace(good, `"key"`, `"extra":1,"key"`, 1),
		"newer schema":   strings.Replace(good, `"schema":1`, `"schema":2`, 1),
		"no schema":      strings.Replace(good, `"schema":1,`, ``, 1),
		"two values":     strings.Replace(good, "}\n", "}{}\n", 1),
		"no key":         strings.Replace(good, "w-1/1", "", 1),
		"no wallet":      strings.Replace(good, `"wallet":"w"`, `"wallet":""`, 1),
		"unknown kind":   strings.Replace(good, `"play"`, `"spin"`, 1),
		"unknown effect": strings.Replace(good, `"applied"`, `"maybe"`, 1),
		"back in time":   strings.Replace(good, `"return_ns":2`, `"return_ns":0`, 1),
		"empty line":     "\n" + good,
	}
	for name, text := range tests {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
