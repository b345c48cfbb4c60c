package wallet_test

import (
	"bytes"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/edgereel/edgereel/wallet"
)

// modelGame is what the model knows of a game: two switches and two builds.
type modelGame struct {
	seq             uint64
	enabled, halted bool
	live, canary    wallet.Hash
	share           uint32
}

// choose gives the build of a wallet's next round, zero for none.
func (m *model) choose(id wallet.ID, game string) wallet.Hash {
	g := m.games[game]
	switch {
	case !g.enabled || g.halted:
		return wallet.Hash{}
	case !g.canary.IsZero() && !m.quarantine[g.canary] && wallet.InCanary(id, game, g.canary, g.share):
		return g.canary
	case m.quarantine[g.live]:
		return wallet.Hash{}
	}
	return g.live
}

func (m *model) catalogue(o *wallet.Catalogue) answer {
	g := m.games[o.Game]
	switch {
	case g.seq > 0 && o.Digest != g.live && o.Digest != g.canary:
		return answer{code: wallet.CodeStaleRelease}
	case o.Enabled && o.Reason == "" && m.quarantine[o.Digest]:
		return answer{code: wallet.CodeGameDisabled}
	case o.Enabled:
		m.quarantine[o.Digest] = false
	}
	if g.seq == 0 {
		g.live = o.Digest
	}
	g.halted = !o.Enabled
	return answer{}
}

func (m *model) release(o *wallet.Release) answer {
	g := m.games[o.Game]
	next := modelGame{seq: o.RegistrySeq, enabled: o.Enabled, halted: g.halted, live: o.Live.Digest, share: o.CanaryShareX10000}
	if o.Canary != nil {
		next.canary = o.Canary.Digest
	}
	switch {
	case m.version < 2:
		return answer{code: wallet.CodeUnsupportedVersion}
	case next.live == next.canary:
		return answer{code: wallet.CodeInvalid}
	case next.seq < g.seq, next.seq == g.seq && next != *g:
		return answer{code: wallet.CodeStaleRelease}
	case next.seq == g.seq:
		return answer{repeat: true}
	}
	*g = next
	return answer{}
}

func (m *model) tally(digest wallet.Hash, mode string) *wallet.Tally {
	if m.version < 2 {
		return nil
	}
	key := string(digest[:]) + mode
	if m.tallies[key] == nil {
		m.tallies[key] = &wallet.Tally{Digest: digest, Mode: mode}
	}
	return m.tallies[key]
}

// count adds a round that ended. It reckons by fractions where the shard
// reckons by millionths.
func (m *model) count(r *modelRound) {
	t := m.tally(r.digest, r.mode)
	if t == nil {
		return
	}
	t.Rounds++
	t.ReturnX1000000 += uint64(r.win) * 1_000_000 / uint64(r.cost)
	class := 0
	for i := 1; i < wallet.Classes && r.win > 0; i++ {
		if uint64(r.win)*1_000_000 >= wallet.ClassFrom(i)*uint64(r.cost) {
			class = i
		}
	}
	t.Counts[class]++
}

// checkReleases compares what the shard says of builds, tallies and pins.
func checkReleases(t *rapid.T, w *world, m *model) {
	var want []wallet.Tally
	for _, key := range slices.Sorted(maps.Keys(m.tallies)) {
		want = append(want, *m.tallies[key])
	}
	if got := w.s.Tallies(); len(got)+len(want) > 0 && !slices.Equal(got, want) {
		t.Fatalf("tallies %+v, want %+v", got, want)
	}
	pinned := map[wallet.Hash]bool{}
	for name, g := range m.games {
		b, ok := w.s.BuildsOf(name)
		if !ok || b.RegistrySeq != g.seq || b.Enabled != g.enabled || b.Halted != g.halted || b.Live.Digest != g.live || b.LiveQuarantined != m.quarantine[g.live] {
			t.Fatalf("%s runs %+v, want %+v", name, b, g)
		}
		pinned[g.live] = true
		if (b.Canary != nil) != !g.canary.IsZero() || b.CanaryShareX10000 != g.share {
			t.Fatalf("%s has the canary %+v, want %+v", name, b, g)
		}
		if b.Canary != nil {
			if b.Canary.Digest != g.canary || b.CanaryQuarantined != m.quarantine[g.canary] {
				t.Fatalf("%s has the canary %+v, want %+v", name, b, g)
			}
			pinned[g.canary] = true
		}
	}
	for _, mw := range m.wallets {
		for _, s := range mw.sessions {
			if s.round != nil {
				pinned[s.round.digest] = true
			}
		}
	}
	all := slices.SortedFunc(maps.Keys(pinned), func(a, b wallet.Hash) int { return bytes.Compare(a[:], b[:]) })
	if got := w.s.Pinned(); !slices.Equal(got, all) {
		t.Fatalf("pinned %v, want %v", got, all)
	}
}

// releaseCommand draws an order of the registry, or an operator's switch. Some
// come late, some say otherwise under a number that was used.
func releaseCommand(t *rapid.T) wallet.Op {
	digests := []wallet.Hash{gameDigest, otherDigest, canaryDigest}
	digest := rapid.SampledFrom(digests)
	game := rapid.SampledFrom([]string{"lines", "lines", "spins"}).Draw(t, "game")
	switch rapid.IntRange(0, 6).Draw(t, "release command") {
	case 0:
		c := catalogue(game, digest.Draw(t, "digest"))
		c.Enabled = rapid.Bool().Draw(t, "enabled")
		c.Reason = rapid.SampledFrom([]string{"fixed", ""}).Draw(t, "reason")
		return c
	case 1:
		return &wallet.Activate{Version: rapid.SampledFrom([]uint8{1, 2}).Draw(t, "version")}
	}
	r := release(game, rapid.Uint64Range(1, 12).Draw(t, "sequence"), digest.Draw(t, "live"))
	r.Enabled = rapid.IntRange(0, 4).Draw(t, "enabled") > 0
	if rapid.IntRange(0, 2).Draw(t, "canary") > 0 {
		withCanary(r, digest.Draw(t, "canary digest"), rapid.SampledFrom([]uint32{0, 3000, 7000, wallet.ShareAll}).Draw(t, "share"))
	}
	return r
}
