package push_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/edgereel/edgereel/api/dsse"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/gamelogic/table"
	"github.com/edgereel/edgereel/node/push"
)

// TestPush_Table takes a table in on the same way.
func TestPush_Table(t *testing.T) {
	s := newStand(t, nil)
	var err error
	if s.wasm, err = os.ReadFile("../../gamelogic/table/testdata/copper-well-v1.table"); err != nil {
		t.Fatal(err)
	}
	g, err := table.OpenBytes(s.wasm)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	sheet, err := gate.TablePAR(g)
	if err != nil {
		t.Fatal(err)
	}
	if s.par, err = json.Marshal(sheet); err != nil {
		t.Fatal(err)
	}
	out := &stream{}
	statement := dsse.Release{Studio: "acme", Game: "copper-well", Version: g.Manifest().Release}
	if err := s.push.Push(t.Context(), s.request(s.sign(statement, studioKey)), out); err != nil {
		t.Fatal(err)
	}
	if last := out.last(); !last.GetPassed() || last.GetRelease().GetState() != "checked" {
		t.Fatalf("%v", last)
	}
	if r := s.ledger.State().Release("copper-well", g.Manifest().Release); r.Kind != push.KindTable || r.MeterVersion != 0 || r.FuelPerStep != 0 {
		t.Errorf("%+v", r)
	}
	s.wasm = s.wasm[:len(s.wasm)-1]
	s.refused(s.push.Push(t.Context(), s.request(s.sign(dsse.Release{Studio: "acme", Game: "copper-well", Version: "9.0.0"}, studioKey)), out), no, "module_refused")
}
