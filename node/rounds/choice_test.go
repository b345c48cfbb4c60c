package rounds_test

import (
	"encoding/json"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/wallet"
)

// TestEvaluate_Choice: what a player picks reaches the module, and what cannot
// be picked leaves the round as it is.
func TestEvaluate_Choice(t *testing.T) {
	const choose = 2 // the action's id
	for choice, plan := range []string{"steady", "fair", "bold"} {
		f := newFixture(t, "ember-vault", "buy")
		op, err := f.evaluate(t, gamelogic.Game.Play)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Apply(op); err != nil {
			t.Fatal(err)
		}
		f.req = wallet.PlayRequest{Wallet: f.req.Wallet, Session: 1, Step: 2, Action: choose, Choice: 3}
		f.prepare(t)
		if op, err := f.evaluate(t, gamelogic.Game.Play); err == nil {
			t.Fatalf("choice 3 of 0 to 2 evaluates to %T", op)
		}
		f.req.Choice = uint32(choice)
		f.prepare(t)
		op, err = f.evaluate(t, gamelogic.Game.Play)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := op.(*wallet.Play)
		if !ok {
			t.Fatalf("evaluates to %T", op)
		}
		var shown struct {
			Plan string `json:"plan"`
		}
		if err := json.Unmarshal(p.Presentation, &shown); err != nil || shown.Plan != plan {
			t.Errorf("choice %d shows %s, want the plan %q (%v)", choice, p.Presentation, plan, err)
		}
		if _, err := f.Apply(op); err != nil {
			t.Error(err)
		}
	}
}
