package consensus

import (
	"testing"
	"testing/synctest"

	"github.com/edgereel/edgereel/wallet"
)

func TestGroup_FirstLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		a := leader.must(deposit(id, "d1", 500))
		if a.BalanceMinor != 500 || a.Queued.IsZero() || a.Committed.Before(a.Queued) {
			t.Errorf("deposit answered %+v", a)
		}
		again := leader.must(deposit(id, "d1", 500))
		if !again.Repeat || again.Seq != a.Seq || again.Hash != a.Hash {
			t.Errorf("the same key again answered %+v", again.Result)
		}
		c.agree()
	})
}
