package wallet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"strconv"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

// refusals says for every code how a shard comes to it and with what effect.
// The last operation of each case is the refused one; refused checks that it
// changed nothing.
var refusals = []struct {
	code   wallet.Code
	effect wallet.Effect
	ops    func(w *world, id wallet.ID) []wallet.Op
}{
	{wallet.CodeInvalid, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op { return deposit(id, "t", 0) })},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op { return withdraw(id, "t", math.MinInt64) })},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op { return deposit(id, "", 1) })},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op { return reverse(id, "t", "t") })},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return w.play(spin(id, 1, 1, 10), outcome{win: 5001})
	})},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return w.play(spin(id, 1, 1, 10), outcome{win: -1})
	})},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return w.play(spin(id, 1, 1, 10), outcome{next: 1, state: make([]byte, 4097)})
	})},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		p := w.play(spin(id, 1, 1, 10), outcome{next: 1})
		p.NextActions = 0
		return p
	})},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return w.play(spin(id, 1, 0, 10), outcome{})
	})},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op { return &wallet.Activate{Version: 1} })},
	{wallet.CodeUnknownWallet, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op { return deposit(walletID(99), "t", 1) })},
	{wallet.CodeUnknownWallet, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op { return &wallet.Read{Wallet: walletID(99)} })},
	{wallet.CodeUnknownWallet, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op { return &wallet.Erase{Wallet: id} })},
	{wallet.CodeUnknownWallet, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op { return closing(walletID(99), 1) })},
	{wallet.CodeUnknownWallet, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op { return resolve(walletID(99), 1, "a", wallet.Refund) })},
	{wallet.CodeUnknownCurrency, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op {
		return &wallet.OpenWallet{Operator: operator, Currency: "XXX", Wallet: walletID(9)}
	})},
	{wallet.CodeWrongCurrency, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op {
		d := deposit(id, "t", 1)
		d.Currency = "USD"
		return d
	})},
	{wallet.CodeWrongOperator, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op {
		d := withdraw(id, "t", 1)
		d.Operator = "strict"
		return d
	})},
	{wallet.CodeUnknownOperator, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op {
		return &wallet.OpenWallet{Operator: "nobody", Currency: "EUR", Wallet: walletID(9)}
	})},
	{wallet.CodeUnknownOperator, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op {
		return &wallet.Claim{Operator: "nobody", Currency: "EUR", Wallet: walletID(9), Lookup: wallet.Hash{1}}
	})},
	{wallet.CodeWalletMismatch, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op {
		return &wallet.OpenWallet{Operator: operator, Currency: "USD", Wallet: id}
	})},
	{wallet.CodeWalletMismatch, wallet.NotApplied, func(w *world, id wallet.ID) []wallet.Op {
		w.open(8, 5)
		return []wallet.Op{deposit(id, "mine", 1), reverse(walletID(8), "r", "mine")}
	}},
	{wallet.CodeUnknownGame, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op { return w.sessionOp(id, "k", "chess") })},
	{wallet.CodeUnknownMode, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		req := spin(id, 1, 1, 10)
		req.Mode = "turbo"
		return w.play(req, outcome{})
	})},
	{wallet.CodeUnknownMode, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		w.must(w.play(spin(id, 1, 1, 10), outcome{next: 1}))
		req := further(id, 1, 2)
		req.Mode = "ante"
		return w.play(req, outcome{})
	})},
	{wallet.CodeUnknownSession, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op { return w.play(spin(id, 1, 1, 10), outcome{}) })},
	{wallet.CodeUnknownSession, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op { return closing(walletID(1), 7) })},
	{wallet.CodeUnknownSession, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		w.must(closing(id, 1))
		return w.play(spin(id, 1, 1, 10), outcome{})
	})},
	{wallet.CodeUnknownRound, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op { return resolve(id, 1, "a", wallet.Refund) })},
	{wallet.CodeGameDisabled, wallet.NotApplied, func(w *world, id wallet.ID) []wallet.Op {
		w.session(id, "k", "lines")
		off := catalogue("lines", gameDigest)
		off.Enabled = false
		p := w.play(spin(id, 1, 1, 10), outcome{})
		return []wallet.Op{off, p}
	}},
	{wallet.CodeGameDisabled, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		off := catalogue("lines", gameDigest)
		off.Enabled = false
		w.must(off)
		return w.sessionOp(id, "k", "lines")
	})},
	{wallet.CodeBadStake, wallet.NotApplied, stake(0)},
	{wallet.CodeBadStake, wallet.NotApplied, stake(-10)},
	{wallet.CodeBadStake, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		req := spin(id, 1, 1, 11) // 125/100 of 11 is no whole number
		req.Mode = "ante"
		return w.play(req, outcome{})
	})},
	{wallet.CodeBadStake, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		w.must(w.play(spin(id, 1, 1, 10), outcome{next: 1}))
		req := further(id, 1, 2)
		req.StakeMinor = 10
		return w.play(req, outcome{})
	})},
	{wallet.CodeStakeLimit, wallet.NotApplied, stake(9)},
	{wallet.CodeStakeLimit, wallet.NotApplied, stake(10_001)},
	{wallet.CodeInsufficientFunds, wallet.NotApplied, stake(1001)},
	{wallet.CodeInsufficientFunds, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op { return withdraw(id, "t", 1001) })},
	{wallet.CodeOverflow, wallet.NotApplied, one(func(_ *world, id wallet.ID) wallet.Op { return deposit(id, "t", math.MaxInt64) })},
	{wallet.CodeOverflow, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.must(hugeStakes("lines", 1), deposit(id, "t", 1<<60))
		w.session(id, "k", "lines")
		return w.play(spin(id, 1, 1, 1<<59), outcome{})
	})},
	{wallet.CodeOverflow, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.must(hugeStakes("lines", math.MaxUint64))
		w.session(id, "k", "lines")
		return w.play(spin(id, 1, 1, 10), outcome{})
	})},
	{wallet.CodeKeyReused, wallet.NotApplied, func(_ *world, id wallet.ID) []wallet.Op {
		return []wallet.Op{deposit(id, "t", 1), deposit(id, "t", 2)}
	}},
	{wallet.CodeKeyReused, wallet.NotApplied, func(_ *world, id wallet.ID) []wallet.Op {
		return []wallet.Op{deposit(id, "t", 1), withdraw(id, "t", 1)}
	}},
	{wallet.CodeKeyReused, wallet.NotApplied, func(w *world, id wallet.ID) []wallet.Op {
		w.session(id, "k", "lines")
		return []wallet.Op{w.play(spin(id, 1, 1, 10), outcome{}), w.play(spin(id, 1, 1, 20), outcome{})}
	}},
	{wallet.CodeKeyReused, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return w.sessionOp(id, "k", "spins")
	})},
	{wallet.CodeKeyExpired, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.must(deposit(id, "old", 1))
		w.pass(125 * 24 * 3600_000)
		w.must(deposit(id, "new", 1))
		return deposit(id, "old", 1)
	})},
	{wallet.CodeReversed, wallet.NotApplied, func(_ *world, id wallet.ID) []wallet.Op {
		return []wallet.Op{reverse(id, "r", "late"), deposit(id, "late", 1)}
	}},
	{wallet.CodeAlreadyReversed, wallet.NotApplied, func(_ *world, id wallet.ID) []wallet.Op {
		return []wallet.Op{deposit(id, "t", 1), reverse(id, "r", "t"), reverse(id, "r2", "t")}
	}},
	{wallet.CodeAlreadyReversed, wallet.NotApplied, func(_ *world, id wallet.ID) []wallet.Op {
		return []wallet.Op{reverse(id, "r", "late"), reverse(id, "r2", "late")}
	}},
	{wallet.CodeReversalOfReversal, wallet.NotApplied, func(_ *world, id wallet.ID) []wallet.Op {
		return []wallet.Op{deposit(id, "t", 1), reverse(id, "r", "t"), reverse(id, "r2", "r")}
	}},
	{wallet.CodeAlreadyDecided, wallet.Unknown, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		for step := uint64(1); step <= 5; step++ {
			w.must(w.play(spin(id, 1, step, 10), outcome{}))
		}
		return w.play(spin(id, 1, 1, 10), outcome{})
	})},
	{wallet.CodeAlreadyDecided, wallet.Unknown, one(func(w *world, id wallet.ID) wallet.Op {
		for n := uint64(1); n <= 5; n++ {
			w.must(w.sessionOp(id, "k"+strconv.FormatUint(n, 10), "lines"))
			w.must(closing(id, n))
		}
		return closing(id, 1)
	})},
	{wallet.CodeFutureStep, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return w.play(spin(id, 1, 2, 10), outcome{})
	})},
	{wallet.CodeStaleEvaluation, wallet.NotAppliedRetryable, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		late := w.play(spin(id, 1, 2, 10), outcome{})
		w.must(w.play(spin(id, 1, 1, 10), outcome{}))
		return late
	})},
	{wallet.CodeStaleEvaluation, wallet.NotAppliedRetryable, func(w *world, id wallet.ID) []wallet.Op {
		w.session(id, "k", "lines")
		// The module changed between evaluation and apply.
		return []wallet.Op{catalogue("lines", otherDigest), w.play(spin(id, 1, 1, 10), outcome{})}
	}},
	{wallet.CodeStaleEvaluation, wallet.NotAppliedRetryable, func(w *world, id wallet.ID) []wallet.Op {
		late := w.sessionOp(id, "k2", "spins")
		return []wallet.Op{w.sessionOp(id, "k", "lines"), late}
	}},
	{wallet.CodeSessionExists, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return w.sessionOp(id, "k2", "lines")
	})},
	{wallet.CodeSessionExpired, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		w.pass(24*3600_000 + 5)
		return w.play(spin(id, 1, 1, 10), outcome{})
	})},
	{wallet.CodeTooManySessions, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		for n := range 9 {
			w.must(catalogue("game"+strconv.Itoa(n), gameDigest))
		}
		for n := range 8 {
			w.session(id, "k"+strconv.Itoa(n), "game"+strconv.Itoa(n))
		}
		return w.sessionOp(id, "k8", "game8")
	})},
	{wallet.CodeRoundOpen, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		w.must(w.play(spin(id, 1, 1, 10), outcome{next: 1}))
		return closing(id, 1)
	})},
	{wallet.CodeRoundFrozen, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.frozen(id)
		return w.play(further(id, 1, 3), outcome{})
	})},
	{wallet.CodeRoundNotFrozen, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		w.must(w.play(spin(id, 1, 1, 10), outcome{next: 1}))
		return resolve(id, 1, "ann", wallet.Refund)
	})},
	{wallet.CodeInvalid, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.frozen(id)
		return resolve(id, 1, "ann", 3)
	})},
	{wallet.CodeResolutionMismatch, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.frozen(id)
		w.must(resolve(id, 1, "ann", wallet.PayWinSoFar))
		return resolve(id, 1, "bob", wallet.Refund)
	})},
	{wallet.CodeActionNotAllowed, wallet.NotApplied, action(1)},
	{wallet.CodeActionNotAllowed, wallet.NotApplied, action(32)},
	{wallet.CodeActionNotAllowed, wallet.NotApplied, action(math.MaxUint32)},
	{wallet.CodeTooFast, wallet.NotAppliedRetryable, one(func(w *world, id wallet.ID) wallet.Op {
		w.must(&wallet.Operator{Operator: operator, MinCycleMS: 2500})
		w.session(id, "k", "lines")
		w.must(w.play(spin(id, 1, 1, 10), outcome{}))
		w.pass(2499)
		return w.play(spin(id, 1, 2, 10), outcome{})
	})},
	{wallet.CodeStateBudget, wallet.NotAppliedRetryable, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		w.s.FillStateBudget()
		return w.play(spin(id, 1, 1, 10), outcome{})
	})},
	{wallet.CodeBadSeed, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return &wallet.CloseSession{Wallet: id, Session: 1, Seed: seedOf(id, 2)}
	})},
	{wallet.CodeSecondApprover, wallet.NotApplied, one(func(w *world, id wallet.ID) wallet.Op {
		w.must(&wallet.Operator{Operator: operator, SecondApprover: true})
		return reverse(id, "r", "fund")
	})},
	{wallet.CodeStaleRelease, wallet.NotApplied, one(func(w *world, _ wallet.ID) wallet.Op {
		w.must(&wallet.Activate{Version: 2}, release("lines", 2, gameDigest))
		return release("lines", 1, gameDigest)
	})},
	{wallet.CodeAlreadyInitialised, wallet.NotApplied, one(func(*world, wallet.ID) wallet.Op { return &wallet.Genesis{Cluster: "c2", Epoch: 2} })},
}

// elsewhere lists the codes no refusal of Apply carries, and who gives them.
var elsewhere = map[wallet.Code]string{
	wallet.CodeOK:                  "no refusal",
	wallet.CodeNotInitialised:      "TestShard_NotInitialised",
	wallet.CodeUnsupportedVersion:  "CheckOp, TestRelease_NeedsVersion2",
	wallet.CodeStaleStep:           "reserved for the gateway",
	wallet.CodeUnknownModuleDigest: "reserved for the catalogue service",
}

func one(f func(*world, wallet.ID) wallet.Op) func(*world, wallet.ID) []wallet.Op {
	return func(w *world, id wallet.ID) []wallet.Op { return []wallet.Op{f(w, id)} }
}

func stake(minor int64) func(*world, wallet.ID) []wallet.Op {
	return one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		return w.play(spin(id, 1, 1, minor), outcome{})
	})
}

func action(number uint32) func(*world, wallet.ID) []wallet.Op {
	return one(func(w *world, id wallet.ID) wallet.Op {
		w.session(id, "k", "lines")
		w.must(w.play(spin(id, 1, 1, 10), outcome{next: 1}))
		req := further(id, 1, 2)
		req.Action = number
		return w.play(req, outcome{})
	})
}

func hugeStakes(game string, maxWinX uint64) *wallet.Catalogue {
	c := catalogue(game, gameDigest)
	c.MaxStakeMinor = math.MaxInt64
	c.Modes[0].MaxWinX = maxWinX
	return c
}

// frozen leaves round 1 of session 1 frozen with a cost of 10 and a win of 4.
func (w *world) frozen(id wallet.ID) {
	w.t.Helper()
	w.session(id, "k", "lines")
	w.must(w.play(spin(id, 1, 1, 10), outcome{win: 4, next: 1, state: []byte("reels")}))
	w.must(w.incident(further(id, 1, 2)))
}

func TestShard_Refusals(t *testing.T) {
	for i, c := range refusals {
		t.Run(strconv.Itoa(i)+"/"+string(c.code), func(t *testing.T) {
			w := newWorld(t)
			id := w.open(1, 1000)
			ops := c.ops(w, id)
			if c.code == wallet.CodeStateBudget {
				// The forced counter is derived state that no snapshot carries.
				if r := w.apply(ops...)[0]; r.Code != c.code || r.Effect != c.effect {
					t.Errorf("got %s %q", r.Effect, r.Code)
				}
				return
			}
			r := w.refused(c.effect, c.code, ops...)
			if err := r.Refusal(); err == nil || err.Effect != c.effect || r.Detail == "" {
				t.Errorf("as an error: %v", err)
			}
		})
	}
}

func TestShard_NotInitialised(t *testing.T) {
	w := emptyWorld(t)
	w.refused(wallet.NotAppliedRetryable, wallet.CodeNotInitialised, deposit(walletID(1), "t", 1))
	w.refused(wallet.NotAppliedRetryable, wallet.CodeNotInitialised, &wallet.Activate{Version: 200})
}

// Every code of the source is reached by the table or named as given elsewhere.
func TestCodes_AllProduced(t *testing.T) {
	produced := map[wallet.Code]bool{}
	for _, c := range refusals {
		produced[c.code] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "effect.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		code := wallet.Code(text)
		if _, other := elsewhere[code]; produced[code] == other {
			t.Errorf("code %q: reached by the table %v, listed as given elsewhere %v", code, produced[code], other)
		}
		return true
	})
	if found != 43 {
		t.Errorf("%d codes in the source; this test knows 43", found)
	}
}
