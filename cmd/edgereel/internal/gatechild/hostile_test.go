//go:build linux

package gatechild_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/edgereel/edgereel/node/push"
)

// hostile is one module of the corpus in gamelogic/testdata/hostile.
type hostile struct {
	Name string `json:"name"`
	// Refused is the rule by which a host refuses the module, empty where it is
	// taken; Says is a part of the refusal.
	Refused string `json:"refused"`
	Says    string `json:"says"`
}

// TestAdmit_Hostile has every hostile module admitted in a child of its own:
// what a host refuses is refused with the host's own words, what it takes is
// taken, and no module comes near the limits or makes a child crash.
func TestAdmit_Hostile(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector takes the time of many compilations, and finds nothing in a child")
	}
	folder := filepath.Join("..", "..", "..", "..", "gamelogic", "testdata", "hostile")
	text, err := os.ReadFile(filepath.Join(folder, "corpus.json"))
	if err != nil {
		t.Fatal(err)
	}
	var corpus []hostile
	if err := json.Unmarshal(text, &corpus); err != nil || len(corpus) < 100 {
		t.Fatalf("%d modules, %v", len(corpus), err)
	}
	next := make(chan hostile)
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() {
			for h := range next {
				admitHostile(t, folder, h)
			}
		})
	}
	for _, h := range corpus {
		next <- h
	}
	close(next)
	work.Wait()
}

func admitHostile(t *testing.T, folder string, h hostile) {
	wasm, err := os.ReadFile(filepath.Join(folder, h.Name+".wasm"))
	if err != nil {
		t.Error(err)
		return
	}
	a, err := newChild(t, "gate-child", push.Limits{}).Admit(t.Context(), job(t, wasm, nil))
	var refusal *push.Refusal
	switch {
	case err == nil && h.Refused != "":
		t.Errorf("%s is admitted", h.Name)
	case err == nil && a.Manifest == nil:
		t.Errorf("%s is admitted without a manifest", h.Name)
	case err == nil:
	case !errors.As(err, &refusal):
		t.Errorf("%s is the machine's problem: %v", h.Name, err)
	case !strings.HasPrefix(refusal.Reason, "a host would refuse the module: ") || !strings.Contains(refusal.Reason, h.Says):
		t.Errorf("%s: %s, want %q", h.Name, refusal.Reason, h.Says)
	case h.Refused == "":
		t.Errorf("%s is refused: %s", h.Name, refusal.Reason)
	}
}
