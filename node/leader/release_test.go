package leader_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/node/internal/oneshard"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/wallet"
)

// partial is a host that lacks some of its modules.
type partial struct {
	rounds.Modules
	lacks map[wallet.Hash]bool
}

func (p partial) Game(digest [32]byte) gamelogic.Game {
	if p.lacks[digest] {
		return nil
	}
	return p.Modules.Game(digest)
}

// lines is the reference game the bench plays.
func (b *bench) lines(t *testing.T) *gamelogic.Module {
	t.Helper()
	i := slices.IndexFunc(b.Modules, func(m *gamelogic.Module) bool { return m.Manifest().ID == "harbor-lines" })
	if i < 0 {
		t.Fatal("the reference game is gone")
	}
	return b.Modules[i]
}

func (b *bench) apply(t *testing.T, ops ...wallet.Op) {
	t.Helper()
	for _, op := range ops {
		if _, err := b.Apply(op); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPlay_MissingModule: a leader without the module a round needs asks for
// it, tells players to come again, and gives way where it does not arrive. No
// step is decided, and the game goes on as soon as the module is there.
func TestPlay_MissingModule(t *testing.T) {
	var fetched []wallet.Hash
	given := 0
	lacks := map[wallet.Hash]bool{}
	b := newBench(t, oneshard.Operator, func(cfg *leader.Config) {
		cfg.Modules = partial{cfg.Modules, lacks}
		cfg.Fetch = func(digest wallet.Hash) { fetched = append(fetched, digest) }
		cfg.GiveAway = func() { given++ }
	})
	digest := wallet.Hash(b.lines(t).Digest())
	lacks[digest] = true
	session, entries := b.open(t), b.Entries()
	ask := func() {
		t.Helper()
		_, err := b.play(session, 1, "")
		refused(t, err, retryable, "not_ready")
	}
	ask()
	ask()
	if len(fetched) != 1 || fetched[0] != digest || given != 0 {
		t.Errorf("asked for %v, gave leadership away %d times", fetched, given)
	}
	b.now = b.now.Add(4 * time.Second)
	ask()
	if len(fetched) != 2 || given != 0 {
		t.Errorf("after 4 s: asked %d times, gave leadership away %d times", len(fetched), given)
	}
	b.now = b.now.Add(time.Second)
	ask()
	ask()
	if given != 1 {
		t.Errorf("after 5 s: gave leadership away %d times", given)
	}
	delete(lacks, digest)
	if b.Entries() != entries || b.metrics.steps != 0 {
		t.Errorf("%d entries were written meanwhile", b.Entries()-entries)
	}
	if _, err := b.play(session, 1, ""); err != nil {
		t.Error(err)
	}
	// It was there: a later gap is a new one.
	lacks[digest] = true
	b.now = b.now.Add(time.Minute)
	if _, err := b.play(session, 2, ""); err == nil || given != 1 {
		t.Errorf("a new gap: %v, gave leadership away %d times", err, given)
	}
}

// TestPlay_OtherBudget: a node that would hold a step to another meter or fuel
// than the shard says cannot evaluate it, and no download helps.
func TestPlay_OtherBudget(t *testing.T) {
	given := 0
	b := newBench(t, oneshard.Operator, func(cfg *leader.Config) {
		cfg.Fetch = func(wallet.Hash) { t.Error("the module was asked for") }
		cfg.GiveAway = func() { given++ }
		cfg.ModuleWait = time.Second
	})
	build := rounds.Build(b.lines(t))
	if build.MeterVersion == 0 || build.FuelPerStep == 0 {
		t.Fatalf("build %+v names no budget", build)
	}
	minMinor, maxMinor := rounds.StakeLimits(b.lines(t).Manifest(), 100_000)
	release := &wallet.Release{
		Game: "harbor-lines", RegistrySeq: 1, Enabled: true, Live: build, MinStakeMinor: minMinor, MaxStakeMinor: maxMinor,
	}
	b.apply(t, &wallet.Activate{Version: 2}, release)
	session := b.open(t)
	first, err := b.play(session, 1, "")
	if err != nil || first.GetModuleDigest() != build.Digest.String() {
		t.Fatalf("with the right budget: %v, %v", first, err)
	}
	// The shard learned of another one; only a module it does not run yet may
	// come with it.
	other := *release
	other.RegistrySeq, other.Live = 2, wallet.Build{Version: "x", Digest: wallet.Hash{1}, Modes: build.Modes}
	back := *release
	back.RegistrySeq, back.Live.FuelPerStep = 3, build.FuelPerStep+1
	if first.GetRoundOpen() {
		t.Fatal("the round is still open: choose another first step")
	}
	b.apply(t, &other, &back)
	for range 2 {
		_, err = b.play(session, 2, "")
		refused(t, err, retryable, "not_ready")
		b.now = b.now.Add(time.Second)
	}
	if given != 1 {
		t.Errorf("gave leadership away %d times", given)
	}
}

// TestSetGame_OfARelease: the operator's switch works on a game the registry
// governs, and leaves its builds as they are.
func TestSetGame_OfARelease(t *testing.T) {
	b := newBench(t, oneshard.Operator, nil)
	live := rounds.Build(b.lines(t))
	canary := live
	canary.Version, canary.Digest = "2", wallet.Hash{7}
	minMinor, maxMinor := rounds.StakeLimits(b.lines(t).Manifest(), 100_000)
	b.apply(t, &wallet.Activate{Version: 2}, &wallet.Release{
		Game: "harbor-lines", RegistrySeq: 9, Enabled: true, Live: live, Canary: &canary, CanaryShareX10000: 1, MinStakeMinor: minMinor, MaxStakeMinor: maxMinor,
	})
	session := b.open(t)
	for _, enabled := range []bool{false, true} {
		if _, err := serve[*edgereelv1.SetGameResponse](b, &edgereelv1.SetGameRequest{Game: "harbor-lines", Enabled: enabled, Reason: "ticket 1"}, ""); err != nil {
			t.Fatal(err)
		}
		b.View(func(s *wallet.Shard) {
			v, _ := s.BuildsOf("harbor-lines")
			if v.Halted == enabled || !v.Enabled || v.RegistrySeq != 9 || v.Canary == nil || v.Live.Digest != live.Digest {
				t.Errorf("enabled %v: %+v", enabled, v)
			}
		})
		_, err := b.play(session, 1, "")
		if !enabled {
			refused(t, err, noEffect, "game_disabled")
		} else if err != nil {
			t.Error(err)
		}
	}
}

func TestTimes(t *testing.T) {
	times, now := leader.NewTimes(), time.Unix(1_800_000_000, 0)
	a, b := wallet.Hash{1}, wallet.Hash{2}
	for i := range 1000 {
		took := time.Duration(i+1) * time.Microsecond
		times.Observe(a, took, now)
		times.Observe(b, 10*took, now)
	}
	within := func(name string, got, want time.Duration) {
		t.Helper()
		if got < want || float64(got) > 1.13*float64(want) {
			t.Errorf("%s is %s, want %s to 13 %% more", name, got, want)
		}
	}
	all := times.All(now)
	if len(all) != 2 || all[0].Digest != a || all[0].Steps != 1000 {
		t.Fatalf("kept %+v", all)
	}
	within("p50", all[0].P50, 500*time.Microsecond)
	within("p99", all[0].P99, 990*time.Microsecond)
	within("p99 of the other", all[1].P99, 9900*time.Microsecond)
	// The past fades: after one window it still counts, after two it does not.
	now = now.Add(6 * time.Minute)
	times.Observe(a, 5*time.Nanosecond, now)
	if got := times.All(now)[0]; got.Steps != 1001 || got.P50 < 400*time.Microsecond {
		t.Errorf("after one window %+v", got)
	}
	now = now.Add(6 * time.Minute)
	if got := times.All(now)[0]; got.Steps != 1 || got.P99 != 5 {
		t.Errorf("after two windows %+v", got)
	}
	now = now.Add(time.Hour)
	if got := times.All(now)[0]; got.Steps != 0 || got.P99 != 0 {
		t.Errorf("after an hour %+v", got)
	}
	// Whatever a player or a studio does, it stays small: the newest stay.
	for i := range 1000 {
		times.Observe(wallet.Hash{3, byte(i), byte(i >> 8)}, -time.Second, now.Add(time.Duration(i)))
	}
	all = times.All(now)
	if len(all) != 256 || all[0].Digest == a {
		t.Errorf("%d modules are kept, the first is %s", len(all), all[0].Digest)
	}
	times.Observe(a, 1<<62, now)
	if got := times.All(now)[0]; got.P99 < 1<<62 {
		t.Errorf("a very long time is %s", got.P99)
	}
}

// trapping fails at every step that goes on with a round.
type trapping struct{ gamelogic.Game }

func (g trapping) Play(ctx context.Context, s gamelogic.Step) (gamelogic.Outcome, error) {
	out, err := g.Game.Play(ctx, s)
	if err == nil && len(s.State) > 0 {
		return gamelogic.Outcome{DrawCount: out.DrawCount, DrawsDigest: out.DrawsDigest}, &gamelogic.TrapError{Kind: gamelogic.KindExhausted}
	}
	return out, err
}

type trapHost struct{ rounds.Modules }

func (h trapHost) Game(digest [32]byte) gamelogic.Game { return trapping{h.Modules.Game(digest)} }

// TestResolveRound is PROTOCOL 17: a module that fails in the middle of a round
// freezes it, takes no new rounds, and the round ends by the word of two
// persons who want the same; no retry redraws or pays twice.
func TestResolveRound(t *testing.T) {
	b := newBench(t, oneshard.Operator, func(cfg *leader.Config) { cfg.Modules = trapHost{cfg.Modules} })
	const game = "comet-spins"
	opened, err := serve[*edgereelv1.OpenSessionResponse](b, &edgereelv1.OpenSessionRequest{Wallet: b.wallet.String(), Game: game, Key: game}, "")
	if err != nil {
		t.Fatal(err)
	}
	session := opened.GetSession().GetSession()
	step := func(step uint64, mode string, stake int64, action uint32) (*edgereelv1.PlayResponse, error) {
		return serve[*edgereelv1.PlayResponse](b, &edgereelv1.PlayRequest{
			Wallet: b.wallet.String(), Session: session, Step: step, Mode: mode, StakeMinor: stake, Action: action,
		}, "")
	}
	bought, err := step(1, "buy", 10, 0)
	if err != nil || !bought.GetRoundOpen() {
		t.Fatalf("the feature was bought as %v, %v", bought, err)
	}
	failed, err := step(2, "", 0, 1)
	if err != nil || failed.GetIncident() == "" || !failed.GetRoundOpen() || failed.GetBalanceMinor() != bought.GetBalanceMinor() {
		t.Fatalf("the failing step came to %v, %v", failed, err)
	}
	entries := b.Entries()
	if again, err := step(2, "", 0, 1); err != nil || !proto.Equal(again, failed) || b.Entries() != entries {
		t.Errorf("the retry came to %v, %v", again, err)
	}
	_, err = step(3, "", 0, 1)
	refused(t, err, noEffect, "round_frozen")
	resolve := func(person string, how edgereelv1.Resolution) (*edgereelv1.ResolveRoundResponse, error) {
		return serve[*edgereelv1.ResolveRoundResponse](b, &edgereelv1.ResolveRoundRequest{
			Wallet: b.wallet.String(), Round: failed.GetRound(), Approver: person, Resolution: how, Reason: "ticket 7",
		}, "")
	}
	const refund, pay = edgereelv1.Resolution_RESOLUTION_REFUND, edgereelv1.Resolution_RESOLUTION_PAY_WIN_SO_FAR
	for range 2 {
		if res, err := resolve("ann", refund); err != nil || res.GetResolved() {
			t.Fatalf("one person resolved it: %v, %v", res, err)
		}
	}
	_, err = resolve("ben", pay)
	refused(t, err, noEffect, "resolution_mismatch")
	for range 2 {
		res, err := resolve("ben", refund)
		if err != nil || !res.GetResolved() || res.GetBalanceMinor() != 100_000 {
			t.Errorf("the second person's word came to %v, %v", res, err)
		}
	}
	_, err = step(3, "base", 10, 0)
	refused(t, err, noEffect, "game_disabled")
}
