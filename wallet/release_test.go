package wallet_test

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/edgereel/edgereel/wallet"
)

var canaryDigest = wallet.Hash{0xca}

// newWorld2 is newWorld with version 2 active.
func newWorld2(t tb) *world {
	w := newWorld(t)
	w.must(&wallet.Activate{Version: 2})
	return w
}

func build(version string, digest wallet.Hash) wallet.Build {
	return wallet.Build{Version: version, Digest: digest, Modes: catalogue("", digest).Modes, MeterVersion: 1, FuelPerStep: 1_000_000}
}

func release(game string, seq uint64, live wallet.Hash) *wallet.Release {
	return &wallet.Release{
		Game: game, RegistrySeq: seq, Enabled: true, Live: build("1", live), MinStakeMinor: 10, MaxStakeMinor: 10_000,
	}
}

func withCanary(r *wallet.Release, canary wallet.Hash, shareX10000 uint32) *wallet.Release {
	b := build("2", canary)
	r.Canary, r.CanaryShareX10000 = &b, shareX10000
	return r
}

// releasedWorld is a shard with a canary, tallies and open rounds on two builds.
func releasedWorld(t tb) *world {
	w := newWorld2(t)
	a, b := w.open(1, 5000), w.open(2, 5000)
	sa, sb := w.session(a, "k", "lines"), w.session(b, "k", "lines")
	w.must(w.play(spin(a, sa, 1, 10), outcome{win: 25}), w.play(spin(b, sb, 1, 100), outcome{}))
	w.must(w.play(spin(a, sa, 2, 10), outcome{win: 5, next: 3, state: []byte{7}}))
	w.must(withCanary(release("lines", 4, gameDigest), canaryDigest, wallet.ShareAll))
	w.must(w.play(spin(b, sb, 2, 10), outcome{win: 5, next: 3, state: []byte{8}}))
	off := catalogue("spins", otherDigest)
	off.Enabled = false
	w.must(off)
	w.must(w.session2(t, 3))
	return w
}

// session2 opens a wallet that plays the canary and fails there.
func (w *world) session2(t tb, n byte) wallet.Op {
	t.Helper()
	c := w.open(n, 500)
	return w.incident(spin(c, w.session(c, "k", "lines"), 1, 10))
}

// chosen tells what a new round of a wallet would run on, "" for nothing.
func (w *world) chosen(id wallet.ID, session, step uint64) (wallet.Hash, wallet.Code) {
	w.t.Helper()
	ev, _, err := w.s.PreparePlay(spin(id, session, step, 10))
	var refusal *wallet.Refusal
	if errors.As(err, &refusal) {
		return wallet.Hash{}, refusal.Code
	}
	return ev.Digest, ""
}

func TestRelease_NeedsVersion2(t *testing.T) {
	w := newWorld(t)
	w.refused(wallet.NotAppliedRetryable, wallet.CodeUnsupportedVersion, release("lines", 1, gameDigest))
	if s := w.s.Snapshot(); s[7] != 1 {
		t.Errorf("a shard of version 1 writes snapshots of format %d", s[7])
	}
	e := w.entry(&wallet.Read{})
	e.Version = 2
	if _, err := restored(t, w.s).Apply(e.Encode()); !errors.Is(err, wallet.ErrUnsupported) {
		t.Errorf("an entry of version 2 in a shard of version 1: %v", err)
	}
	w.must(&wallet.Activate{Version: 2}, release("lines", 1, gameDigest))
	e = w.entry(deposit(w.open(1, 0), "in", 5))
	e.Version = 2
	if res := w.applyEntry(e); res[0].Effect != wallet.Applied {
		t.Errorf("an entry of version 2: %+v", res[0])
	}
	if s := w.s.Snapshot(); s[7] != 2 {
		t.Errorf("a shard of version 2 writes snapshots of format %d", s[7])
	}
	restored(t, w.s)
	// A snapshot cannot pass for one of the other format.
	for _, s := range [][]byte{newWorld(t).s.Snapshot(), w.s.Snapshot()} {
		s[7] ^= 3
		if _, err := wallet.Restore(s); !errors.Is(err, wallet.ErrDamaged) {
			t.Errorf("a snapshot with a false format: %v", err)
		}
	}
}

func TestRelease_Invalid(t *testing.T) {
	w := newWorld2(t)
	for name, spoil := range map[string]func(*wallet.Release){
		"no game":           func(r *wallet.Release) { r.Game = "" },
		"no sequence":       func(r *wallet.Release) { r.RegistrySeq = 0 },
		"share of nothing":  func(r *wallet.Release) { r.CanaryShareX10000 = 1 },
		"share over all":    func(r *wallet.Release) { withCanary(r, canaryDigest, wallet.ShareAll+1) },
		"canary is live":    func(r *wallet.Release) { withCanary(r, gameDigest, 1) },
		"canary unnamed":    func(r *wallet.Release) { withCanary(r, canaryDigest, 1).Canary.Version = "" },
		"canary no digest":  func(r *wallet.Release) { withCanary(r, wallet.Hash{}, 1) },
		"canary no modes":   func(r *wallet.Release) { withCanary(r, canaryDigest, 1).Canary.Modes = nil },
		"live no modes":     func(r *wallet.Release) { r.Live.Modes = nil },
		"live unnamed":      func(r *wallet.Release) { r.Live.Version = "" },
		"live half there":   func(r *wallet.Release) { r.Live.Digest = wallet.Hash{} },
		"enabled nothing":   func(r *wallet.Release) { r.Live = wallet.Build{} },
		"no stake":          func(r *wallet.Release) { r.MinStakeMinor = 0 },
		"limits swapped":    func(r *wallet.Release) { r.MaxStakeMinor = 9 },
		"twin modes":        func(r *wallet.Release) { r.Live.Modes[1].Name = "base" },
		"version too long":  func(r *wallet.Release) { r.Live.Version = long(65) },
		"reason too long":   func(r *wallet.Release) { r.Reason = long(257) },
		"free mode":         func(r *wallet.Release) { r.Live.Modes[0].CostX100 = 0 },
		"too many modes":    func(r *wallet.Release) { r.Live.Modes = make([]wallet.Mode, 65) },
		"live fuel, no one": func(r *wallet.Release) { r.Live = wallet.Build{FuelPerStep: 1}; r.Enabled = false },
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			r := release("lines", 1, gameDigest)
			spoil(r)
			w.refused(wallet.NotApplied, wallet.CodeInvalid, r)
		})
	}
}

func TestRelease_OrderOfTheRegistry(t *testing.T) {
	w := newWorld2(t)
	first := w.one(release("lines", 5, gameDigest))
	if first.Digest != gameDigest || first.Game != "lines" || first.Repeat {
		t.Errorf("result %+v", first)
	}
	if again := w.one(release("lines", 5, gameDigest)); !again.Repeat || again.Seq != first.Seq {
		t.Errorf("the same order again: %+v", again)
	}
	w.refused(wallet.NotApplied, wallet.CodeStaleRelease, release("lines", 4, gameDigest))
	w.refused(wallet.NotApplied, wallet.CodeStaleRelease, release("lines", 5, otherDigest))
	w.refused(wallet.NotApplied, wallet.CodeStaleRelease, withCanary(release("lines", 5, gameDigest), canaryDigest, 0))
	limits := release("lines", 5, gameDigest)
	limits.MaxStakeMinor = 77
	if r := w.one(limits); r.Repeat {
		t.Error("other limits were not taken")
	}
	if v, _ := w.s.BuildsOf("lines"); v.MaxStakeMinor != 77 || v.RegistrySeq != 5 {
		t.Errorf("builds %+v", v)
	}
	// The registry's order of one game says nothing about another.
	w.must(release("spins", 1, otherDigest), release("lines", 6, otherDigest))
	// Outside of the registry nobody brings another module in.
	w.refused(wallet.NotApplied, wallet.CodeStaleRelease, catalogue("lines", gameDigest))
}

// A module's meter and fuel may be learned once and never change, or nobody
// could say what a step was held to.
func TestRelease_BudgetOfAModuleStays(t *testing.T) {
	w := newWorld2(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	w.must(release("lines", 1, gameDigest))
	w.must(w.play(spin(id, ses, 1, 10), outcome{next: 1, state: []byte{1}}))
	more := release("lines", 2, gameDigest)
	more.Live.FuelPerStep++
	w.refused(wallet.NotApplied, wallet.CodeInvalid, more)
	w.must(release("lines", 2, otherDigest))
	more.RegistrySeq = 3
	w.refused(wallet.NotApplied, wallet.CodeInvalid, more) // the open round pins it
	w.s = restored(t, w.s)
	w.refused(wallet.NotApplied, wallet.CodeInvalid, more)
	w.must(w.play(further(id, ses, 2), outcome{}))
	w.must(more)
}

func TestRelease_CanaryChoice(t *testing.T) {
	w := newWorld2(t)
	ids := make([]wallet.ID, 24)
	sessions := make([]uint64, len(ids))
	for i := range ids {
		ids[i] = w.open(byte(i+1), 1000)
		sessions[i] = w.session(ids[i], "k", "lines")
	}
	shares := []uint32{0, 1, 2500, 5000, 9999, wallet.ShareAll}
	in := map[wallet.ID]bool{}
	for n, share := range shares {
		w.must(withCanary(release("lines", uint64(n+1), gameDigest), canaryDigest, share))
		w.s = restored(t, w.s)
		for i, id := range ids {
			digest, _ := w.chosen(id, sessions[i], 1)
			want := wallet.InCanary(id, "lines", canaryDigest, share)
			if got := digest == canaryDigest; got != want || in[id] && !got {
				t.Errorf("share %d: wallet %s in the canary %v, want %v, before %v", share, id, got, want, in[id])
			}
			in[id] = want
			if share == 0 && want || share == wallet.ShareAll && !want {
				t.Errorf("share %d: wallet %s in the canary %v", share, id, want)
			}
		}
	}
	// The share is that of the wallets, and choices of two canaries have
	// nothing to do with each other.
	var one, both, n float64
	for i := range 40_000 {
		id := wallet.ID{byte(i), byte(i >> 8), 9}
		a, b := wallet.InCanary(id, "lines", canaryDigest, 3000), wallet.InCanary(id, "lines", otherDigest, 3000)
		n++
		if a {
			one++
		}
		if a && b {
			both++
		}
	}
	// Five standard deviations.
	if math.Abs(one/n-0.3) > 5*math.Sqrt(0.3*0.7/n) || math.Abs(both/n-0.09) > 5*math.Sqrt(0.09*0.91/n) {
		t.Errorf("%.4f of the wallets are in, %.4f in both", one/n, both/n)
	}
}

// What a step was evaluated on decides: a switch between evaluation and commit
// makes it stale, and a retry after the commit gets the first answer.
func TestRelease_NoFlipBetweenEvaluationAndCommit(t *testing.T) {
	w := newWorld2(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	w.must(release("lines", 1, gameDigest))
	onLive := w.play(spin(id, ses, 1, 10), outcome{win: 500})
	w.must(withCanary(release("lines", 2, gameDigest), canaryDigest, wallet.ShareAll))
	w.refused(wallet.NotAppliedRetryable, wallet.CodeStaleEvaluation, onLive)
	onCanary := w.play(spin(id, ses, 1, 10), outcome{win: 20})
	first := w.one(onCanary)
	if first.Digest != canaryDigest {
		t.Fatalf("played on %s", first.Digest)
	}
	w.must(release("lines", 3, gameDigest))
	if again := w.one(onLive); !again.Repeat || again.Digest != canaryDigest || again.WinMinor != 20 {
		t.Errorf("the retry got %+v", again)
	}
}

func TestRelease_QuarantinedCanaryFallsBack(t *testing.T) {
	w := newWorld2(t)
	id, other := w.open(1, 1000), w.open(2, 1000)
	ses, ses2 := w.session(id, "k", "lines"), w.session(other, "k", "lines")
	w.must(withCanary(release("lines", 1, gameDigest), canaryDigest, wallet.ShareAll))
	w.must(w.play(spin(other, ses2, 1, 10), outcome{next: 1, state: []byte{1}}))
	w.must(w.incident(spin(id, ses, 1, 10)))
	if digest, code := w.chosen(id, ses, 2); digest != gameDigest {
		t.Errorf("after the canary's incident: %s %q", digest, code)
	}
	// The round that is open goes on where it began.
	if r := w.one(w.play(further(other, ses2, 2), outcome{win: 5})); r.Digest != canaryDigest {
		t.Errorf("the open round went on with %s", r.Digest)
	}
	v, _ := w.s.BuildsOf("lines")
	if !v.CanaryQuarantined || v.LiveQuarantined || len(v.Tallies) != 1 || v.Tallies[0].Incidents != 1 || v.Tallies[0].Rounds != 1 {
		t.Errorf("builds %+v", v)
	}
	// No release brings a module back into play.
	w.must(withCanary(release("lines", 2, gameDigest), canaryDigest, 500), release("lines", 3, canaryDigest))
	if _, code := w.chosen(id, ses, 2); code != wallet.CodeGameDisabled {
		t.Errorf("a quarantined module went live: %q", code)
	}
	enable := catalogue("lines", canaryDigest)
	w.refused(wallet.NotApplied, wallet.CodeGameDisabled, enable)
	enable.Reason = "ticket 7"
	w.must(enable)
	if digest, _ := w.chosen(id, ses, 2); digest != canaryDigest {
		t.Errorf("after the operator's word: %s", digest)
	}
}

// The operator's switch and the registry's are two: neither side's order undoes
// the other's.
func TestRelease_TwoSwitches(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	off := catalogue("lines", gameDigest)
	off.Enabled = false
	w.must(off, &wallet.Activate{Version: 2}, release("lines", 1, gameDigest))
	if _, code := w.chosen(id, ses, 1); code != wallet.CodeGameDisabled {
		t.Errorf("a release undid the operator's halt: %q", code)
	}
	w.s = restored(t, w.s)
	w.must(catalogue("lines", gameDigest))
	if digest, _ := w.chosen(id, ses, 1); digest != gameDigest {
		t.Error("the operator's word was not taken")
	}
	retired := release("lines", 2, gameDigest)
	retired.Enabled = false
	w.must(retired, catalogue("lines", gameDigest))
	if _, code := w.chosen(id, ses, 1); code != wallet.CodeGameDisabled {
		t.Errorf("an operator enabled a retired game: %q", code)
	}
	if v, _ := w.s.BuildsOf("lines"); v.Enabled || v.Halted || w.s.Games()[0].Enabled {
		t.Errorf("builds %+v", v)
	}
}

// Open rounds end on their own build whatever the catalogue says by then.
func TestRelease_OpenRoundsGoOn(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"live switch": func(w *world) { w.must(release("lines", 9, otherDigest)) },
		"rollback":    func(w *world) { w.must(release("lines", 8, otherDigest), release("lines", 9, gameDigest)) },
		"disable": func(w *world) {
			r := release("lines", 9, otherDigest)
			r.Enabled = false
			w.must(r)
		},
		"retire without a build": func(w *world) {
			r := release("lines", 9, otherDigest)
			r.Live, r.Enabled = wallet.Build{}, false
			w.must(r)
		},
		"quarantine": func(w *world) {
			other := w.open(9, 100)
			w.must(w.incident(spin(other, w.session(other, "k", "lines"), 1, 10)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld2(t)
			w.must(release("lines", 1, gameDigest))
			id := w.open(1, 100)
			ses := w.session(id, "k", "lines")
			w.must(w.play(spin(id, ses, 1, 10), outcome{win: 3, next: 1, state: []byte{1}}))
			change(w)
			w.s = restored(t, w.s)
			if !slices.Contains(w.s.Pinned(), gameDigest) || !slices.Contains(w.s.Users(gameDigest), "lines") {
				t.Errorf("pinned %v, users %v", w.s.Pinned(), w.s.Users(gameDigest))
			}
			ev, _, err := w.s.PreparePlay(further(id, ses, 2))
			if err != nil || ev.Digest != gameDigest || ev.MeterVersion != 1 || ev.FuelPerStep != 1_000_000 {
				t.Fatalf("the free spin: %+v, %v", ev, err)
			}
			r := w.one(w.play(further(id, ses, 2), outcome{win: 7}))
			if r.Digest != gameDigest || r.RoundWinMinor != 10 || w.view(id).BalanceMinor != 100 {
				t.Errorf("result %+v", r)
			}
		})
	}
}

func TestPinned_EndsWithTheLastRound(t *testing.T) {
	w := newWorld2(t)
	w.must(release("lines", 1, gameDigest))
	id := w.open(1, 100)
	ses := w.session(id, "k", "lines")
	w.must(w.play(spin(id, ses, 1, 10), outcome{next: 1, state: []byte{1}}))
	w.must(release("lines", 2, canaryDigest))
	want := []wallet.Hash{canaryDigest, gameDigest, otherDigest}
	if got := w.s.Pinned(); !slices.Equal(got, want) {
		t.Errorf("pinned %v", got)
	}
	w.must(w.incident(further(id, ses, 2)))
	w.must(resolve(id, 1, "ann", wallet.Refund))
	if got := w.s.Pinned(); !slices.Equal(got, want) {
		t.Errorf("a frozen round pins its module: %v", got)
	}
	w.must(resolve(id, 1, "bob", wallet.Refund))
	if got := w.s.Pinned(); !slices.Equal(got, []wallet.Hash{canaryDigest, otherDigest}) || w.s.Users(gameDigest) != nil {
		t.Errorf("pinned %v after the last round, users %v", got, w.s.Users(gameDigest))
	}
	if got := w.s.Tallies(); len(got) != 1 || got[0].Rounds != 0 || got[0].Incidents != 1 {
		t.Errorf("a resolved round is an outcome of the module: %+v", got)
	}
}

// A game that begins as a canary is played by the share alone.
func TestRelease_CanaryWithoutLive(t *testing.T) {
	w := newWorld2(t)
	r := withCanary(release("fresh", 1, gameDigest), canaryDigest, 5000)
	r.Live = wallet.Build{}
	w.must(r)
	seen := map[bool]int{}
	for n := byte(1); n < 20; n++ {
		id := w.open(n, 100)
		_, _, err := w.s.PrepareSession(id, "k", "fresh")
		in := wallet.InCanary(id, "fresh", canaryDigest, 5000)
		seen[in]++
		if (err == nil) != in {
			t.Errorf("wallet %s in the canary %v: %v", id, in, err)
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("seen %v", seen)
	}
	if g := w.s.Games()[0]; g.Game != "fresh" || g.Digest != canaryDigest || !g.Enabled {
		t.Errorf("game %+v", g)
	}
}

func TestClassOf(t *testing.T) {
	for _, tc := range []struct {
		win, cost int64
		class     int
		returned  uint64
	}{
		{0, 100, 0, 0},
		{1, math.MaxInt64, 1, 0},
		{49, 100, 1, 490_000},
		{50, 100, 2, 500_000},
		{99, 100, 2, 990_000},
		{100, 100, 3, 1_000_000},
		{1, 3, 1, 333_333},
		{499_999, 100, 13, 4_999_990_000},
		{500_000, 100, 14, 5_000_000_000},
		{math.MaxInt64, 1, 14, math.MaxUint64},
	} {
		if class, returned := wallet.ClassOf(tc.win, tc.cost); class != tc.class || returned != tc.returned {
			t.Errorf("%d of %d: class %d with %d, want %d with %d", tc.win, tc.cost, class, returned, tc.class, tc.returned)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		win, cost := rapid.Int64Range(0, math.MaxInt64).Draw(t, "win"), rapid.Int64Range(1, math.MaxInt64).Draw(t, "cost")
		want := new(big.Int).Mul(big.NewInt(win), big.NewInt(1_000_000))
		want.Div(want, big.NewInt(cost))
		class, got := wallet.ClassOf(win, cost)
		if want.IsUint64() && got != want.Uint64() || !want.IsUint64() && got != math.MaxUint64 {
			t.Fatalf("return %d, want %s", got, want)
		}
		if win > 0 && (class < 1 || got < wallet.ClassFrom(class) || class < wallet.Classes-1 && got >= wallet.ClassFrom(class+1)) {
			t.Fatalf("return %d in class %d", got, class)
		}
	})
}

func TestTallies_CountWholeRounds(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 10_000)
	ses := w.session(id, "k", "lines")
	w.must(w.play(spin(id, ses, 1, 10), outcome{win: 5}))
	if got := w.s.Tallies(); len(got) != 0 {
		t.Errorf("version 1 counts %+v", got)
	}
	w.must(&wallet.Activate{Version: 2})
	ante := spin(id, ses, 2, 100)
	ante.Mode = "ante"
	w.must(w.play(ante, outcome{win: 250}))
	w.must(w.play(spin(id, ses, 3, 10), outcome{win: 5, next: 1, state: []byte{1}}))
	if got := w.s.Tallies(); len(got) != 1 {
		t.Errorf("an open round is counted: %+v", got)
	}
	w.must(w.play(further(id, ses, 4), outcome{win: 20}))
	w.must(w.play(spin(id, ses, 5, 10), outcome{}))
	if r := w.one(w.play(spin(id, ses, 5, 10), outcome{})); !r.Repeat {
		t.Fatal("not a repeat")
	}
	want := []wallet.Tally{
		{Digest: gameDigest, Mode: "ante", Rounds: 1, ReturnX1000000: 2_000_000, Counts: [wallet.Classes]uint64{4: 1}},
		{Digest: gameDigest, Mode: "base", Rounds: 2, ReturnX1000000: 2_500_000, Counts: [wallet.Classes]uint64{0: 1, 4: 1}},
	}
	if got := w.s.Tallies(); !slices.Equal(got, want) {
		t.Errorf("tallies %+v", got)
	}
	w.s = restored(t, w.s)
	if got := w.s.Tallies(); !slices.Equal(got, want) {
		t.Errorf("restored %+v", got)
	}
}

// What is counted stays bounded, and what runs is forgotten last.
func TestTallies_AreBounded(t *testing.T) {
	w := newWorld2(t)
	id := w.open(1, 1<<40)
	ses := w.session(id, "k", "lines")
	r := release("lines", 1, gameDigest)
	step := uint64(0)
	for n := range 70 {
		r.RegistrySeq++
		r.Live.Digest = wallet.Hash{1, byte(n), byte(n >> 8)}
		r.Live.Modes = r.Live.Modes[:0]
		for m := range 64 {
			r.Live.Modes = append(r.Live.Modes, wallet.Mode{ID: uint32(m), Name: "m" + decimal(int64(m)), CostX100: 100, MaxWinX: 10})
		}
		w.must(r)
		ops := make([]wallet.Op, 64)
		for m := range ops {
			step++
			req := spin(id, ses, step, 10)
			req.Mode = r.Live.Modes[m].Name
			p := w.play(req, outcome{})
			if m > 0 {
				p = &wallet.Play{PlayRequest: req, Basis: ops[0].(*wallet.Play).Basis, Closed: true}
				p.Basis.Round, p.Basis.Nonce = p.Basis.Round+uint64(m), p.Basis.Nonce+uint64(m)
			}
			ops[m] = p
		}
		w.must(ops...)
	}
	got := w.s.Tallies()
	if len(got) != 4096 {
		t.Fatalf("%d tallies", len(got))
	}
	kept := map[wallet.Hash]int{}
	for _, tally := range got {
		kept[tally.Digest]++
	}
	if kept[r.Live.Digest] != 64 || kept[wallet.Hash{1, 0}] != 0 || kept[wallet.Hash{1, 6}] != 64 {
		t.Errorf("kept %d of the live build, %d and %d of old ones", kept[r.Live.Digest], kept[wallet.Hash{1, 0}], kept[wallet.Hash{1, 6}])
	}
	restored(t, w.s)
}

// A replica restored anywhere between releases ends where the others do.
func TestRelease_ReplicaFromSnapshot(t *testing.T) {
	w := releasedWorld(t)
	twin := restored(t, w.s)
	for _, op := range []wallet.Op{
		release("lines", 9, canaryDigest), &wallet.Read{Wallet: walletID(1)},
		w.play(further(walletID(1), 1, 3), outcome{win: 3}), catalogue("spins", otherDigest),
	} {
		e := w.entry(op)
		out, err := twin.Apply(e.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if res := w.applyEntry(e); res[0].Effect != wallet.Applied || out.Results[0].Hash != res[0].Hash {
			t.Fatalf("%s: %+v", op.Kind(), res[0])
		}
		twin = restored(t, twin)
		if !bytes.Equal(twin.Snapshot(), w.s.Snapshot()) {
			t.Fatalf("the twin holds another state after %s", op.Kind())
		}
	}
}
