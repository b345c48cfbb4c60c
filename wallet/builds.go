package wallet

import (
	"maps"
	"slices"
)

// GameBuilds is what a shard runs under a game's name.
type GameBuilds struct {
	Game string
	// RegistrySeq is the sequence the release was read at, 0 for a game outside
	// the registry.
	RegistrySeq uint64
	// Enabled is the registry's switch, Halted the operator's.
	Enabled bool
	Halted  bool
	// Live has no digest where the game has no live build.
	Live              Build
	LiveQuarantined   bool
	Canary            *Build
	CanaryQuarantined bool
	CanaryShareX10000 uint32
	MinStakeMinor     int64
	MaxStakeMinor     int64
	// Tallies are those of both builds, in order of digest and mode.
	Tallies []Tally
}

// Builds gives copies of what the shard runs, in order of game.
func (s *Shard) Builds() []GameBuilds {
	list := make([]GameBuilds, 0, len(s.games))
	for _, name := range slices.Sorted(maps.Keys(s.games)) {
		list = append(list, s.buildsOf(s.games[name]))
	}
	return list
}

// BuildsOf gives a copy of what the shard runs under one name.
func (s *Shard) BuildsOf(name string) (GameBuilds, bool) {
	g := s.games[name]
	if g == nil {
		return GameBuilds{}, false
	}
	return s.buildsOf(g), true
}

func (s *Shard) buildsOf(g *game) GameBuilds {
	r := &g.release
	v := GameBuilds{
		Game: r.Game, RegistrySeq: r.RegistrySeq, Enabled: r.Enabled, Halted: g.halted, Live: r.Live.clone(),
		CanaryShareX10000: r.CanaryShareX10000, MinStakeMinor: r.MinStakeMinor, MaxStakeMinor: r.MaxStakeMinor,
	}
	_, v.LiveQuarantined = s.quarantined[r.Live.Digest]
	v.Tallies = s.talliesOf(r.Live.Digest)
	if r.Canary != nil {
		c := r.Canary.clone()
		v.Canary = &c
		_, v.CanaryQuarantined = s.quarantined[c.Digest]
		v.Tallies = append(v.Tallies, s.talliesOf(c.Digest)...)
		slices.SortFunc(v.Tallies, func(a, b Tally) int { return tallyKey{a.Digest, a.Mode}.compare(tallyKey{b.Digest, b.Mode}) })
	}
	return v
}

func (b *Build) clone() Build {
	c := *b
	c.Modes = slices.Clone(b.Modes)
	return c
}

// Games gives copies of the shard's games as catalogue entries, in order of
// game: the live build, or the canary where there is no other. Enabled says
// whether new rounds are taken at all.
func (s *Shard) Games() []Catalogue {
	games := make([]Catalogue, 0, len(s.games))
	for _, name := range slices.Sorted(maps.Keys(s.games)) {
		entry := *s.games[name].catalogue()
		entry.Enabled = s.playable(s.games[name])
		entry.Modes = slices.Clone(entry.Modes)
		games = append(games, entry)
	}
	return games
}

// Pinned gives the digests that this shard needs, in order: those of its
// games' builds and of open rounds. No node may delete one (PROTOCOL 16).
func (s *Shard) Pinned() []Hash {
	set := map[Hash]struct{}{}
	for digest := range s.pins {
		set[digest] = struct{}{}
	}
	for _, g := range s.games {
		for _, b := range g.release.builds() {
			set[b.Digest] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(set), compareHash)
}

// Users names the games that a module runs under, in order: as a build, or in
// an open round.
func (s *Shard) Users(digest Hash) []string {
	set := map[string]struct{}{}
	for name, g := range s.games {
		if g.release.runs(digest) {
			set[name] = struct{}{}
		}
	}
	if s.pins[digest].rounds > 0 {
		for _, a := range s.accounts {
			for _, ses := range a.sessions {
				if ses.round != nil && ses.round.digest == digest {
					set[ses.game] = struct{}{}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}
