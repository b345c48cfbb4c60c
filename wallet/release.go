package wallet

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// game is what a shard runs under a name. Two switches must both be on for new
// rounds: the registry's (Enabled of the release) and the operator's.
type game struct {
	// release is the last order of the registry; with RegistrySeq 0 it stands
	// for a Catalogue entry.
	release Release
	// halted is the operator's switch, set by a Catalogue entry. No release
	// moves it.
	halted bool
}

// pin is the build of open rounds.
type pin struct {
	rounds int
	meter  uint16
	fuel   uint64
}

// ShareAll is a canary's share that takes all wallets.
const ShareAll = 10_000

// InCanary says whether a wallet plays a canary of the given share. It depends
// on nothing but its arguments, so that a wallet stays with its build while the
// share stands, and one that is in stays in while the share grows.
func InCanary(wallet ID, game string, canary Hash, shareX10000 uint32) bool {
	b := append(make([]byte, 0, 128), domainCanary)
	b = append(b, wallet[:]...)
	b = append(b, canary[:]...)
	sum := sha256.Sum256(append(b, game...))
	// 2^64 mod 10,000 favours some residues by less than 10^-15.
	return binary.BigEndian.Uint64(sum[:8])%ShareAll < uint64(shareX10000)
}

// buildFor chooses what a wallet's next round of a game runs on, nil where it
// may not open one. A canary out of play falls back to the live build.
func (s *Shard) buildFor(wallet ID, g *game) *Build {
	r := &g.release
	if g.halted || !r.Enabled {
		return nil
	}
	if r.Canary != nil && s.fit(r.Canary) && InCanary(wallet, r.Game, r.Canary.Digest, r.CanaryShareX10000) {
		return r.Canary
	}
	if s.fit(&r.Live) {
		return &r.Live
	}
	return nil
}

// fit says whether a build is there and not quarantined.
func (s *Shard) fit(b *Build) bool {
	_, held := s.quarantined[b.Digest]
	return !b.Digest.IsZero() && !held
}

// playable says whether a game takes new rounds of any wallet.
func (s *Shard) playable(g *game) bool {
	r := &g.release
	return !g.halted && r.Enabled && (s.fit(&r.Live) || r.Canary != nil && r.CanaryShareX10000 > 0 && s.fit(r.Canary))
}

// catalogue sets a game outside the registry, or moves the operator's switch of
// one that the registry governs.
func (s *Shard) catalogue(o *Catalogue) (*Result, error) {
	if !validName(o.Game) || o.Digest.IsZero() || len(o.Version) > maxNameBytes {
		return nil, refuse(CodeInvalid, "a catalogue entry needs a game, a digest and stake limits from 1")
	}
	if err := checkLimits(o.MinStakeMinor, o.MaxStakeMinor); err != nil {
		return nil, err
	}
	if err := checkModes(o.Modes); err != nil {
		return nil, err
	}
	held := s.games[o.Game]
	governed := held != nil && held.release.RegistrySeq != 0
	if governed && !held.release.runs(o.Digest) {
		return nil, refuse(CodeStaleRelease, "the registry of releases decides which build of %q runs", o.Game)
	}
	if _, quarantined := s.quarantined[o.Digest]; quarantined && o.Enabled {
		if o.Reason == "" {
			return nil, refuse(CodeGameDisabled, "the module is quarantined: enabling it again needs a reason")
		}
		delete(s.quarantined, o.Digest)
	}
	if governed {
		held.halted = !o.Enabled
	} else {
		s.games[o.Game] = gameOf(o)
	}
	return &Result{Game: o.Game, Digest: o.Digest}, nil
}

func gameOf(o *Catalogue) *game {
	return &game{halted: !o.Enabled, release: Release{
		Meta: o.Meta, Game: o.Game, Enabled: true, Live: Build{Version: o.Version, Digest: o.Digest, Modes: o.Modes},
		MinStakeMinor: o.MinStakeMinor, MaxStakeMinor: o.MaxStakeMinor,
	}}
}

// catalogue gives the entry a game would have been set by; Enabled is left out.
func (g *game) catalogue() *Catalogue {
	r, b := &g.release, &g.release.Live
	if b.Digest.IsZero() && r.Canary != nil {
		b = r.Canary
	}
	return &Catalogue{
		Meta: r.Meta, Game: r.Game, Version: b.Version, Digest: b.Digest, Modes: b.Modes,
		MinStakeMinor: r.MinStakeMinor, MaxStakeMinor: r.MaxStakeMinor,
	}
}

func checkLimits(minMinor, maxMinor int64) error {
	if minMinor <= 0 || maxMinor < minMinor {
		return refuse(CodeInvalid, "a game needs stake limits from 1, the greater one last")
	}
	return nil
}

func checkModes(modes []Mode) error {
	if len(modes) == 0 || len(modes) > maxModes {
		return refuse(CodeInvalid, "a catalogue entry needs 1 to %d modes", maxModes)
	}
	for i, m := range modes {
		twin := slices.ContainsFunc(modes[:i], func(x Mode) bool { return x.Name == m.Name || x.ID == m.ID })
		if !validName(m.Name) || m.CostX100 == 0 || twin {
			return refuse(CodeInvalid, "mode %d needs a name and an id of its own, and a cost", i)
		}
	}
	return nil
}

// release takes an order of the registry. It lifts no quarantine and moves no
// operator's switch, and open rounds go on with their own build.
func (s *Shard) release(o *Release) (*Result, error) {
	if s.version < versionReleases {
		return nil, refuseRetryable(CodeUnsupportedVersion, "releases need version %d, active is %d", versionReleases, s.version)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	held := s.games[o.Game]
	if held != nil {
		switch old := &held.release; {
		case o.RegistrySeq < old.RegistrySeq:
			return nil, refuse(CodeStaleRelease, "the shard follows sequence %d of the registry, this is %d", old.RegistrySeq, o.RegistrySeq)
		case o.RegistrySeq > old.RegistrySeq:
		case !old.sameBuilds(o):
			return nil, refuse(CodeStaleRelease, "sequence %d of the registry said otherwise before", o.RegistrySeq)
		case old.MinStakeMinor == o.MinStakeMinor && old.MaxStakeMinor == o.MaxStakeMinor:
			return &Result{
				Kind: KindRelease, Effect: Applied, Epoch: s.epoch, Seq: s.seq, TimeMS: s.nowMS, Hash: s.chain,
				Game: o.Game, Digest: o.Live.Digest, Repeat: true,
			}, nil
		}
	}
	for _, b := range o.builds() {
		if err := s.checkBudget(b); err != nil {
			return nil, err
		}
	}
	next := &game{release: *o}
	if held != nil {
		next.halted = held.halted
	}
	s.games[o.Game] = next
	return &Result{Game: o.Game, Digest: o.Live.Digest}, nil
}

func (o *Release) check() error {
	switch {
	case !validName(o.Game) || o.RegistrySeq == 0:
		return refuse(CodeInvalid, "a release needs a game and the registry's sequence")
	case o.Canary == nil && o.CanaryShareX10000 != 0 || o.CanaryShareX10000 > ShareAll:
		return refuse(CodeInvalid, "a share of 0 to %d belongs to a canary", ShareAll)
	case o.Canary != nil && o.Canary.Digest == o.Live.Digest:
		return refuse(CodeInvalid, "the canary is the live build")
	case o.Live.Digest.IsZero() && (o.Live.Version != "" || len(o.Live.Modes) != 0 || o.Live.MeterVersion != 0 || o.Live.FuelPerStep != 0):
		return refuse(CodeInvalid, "the live build has no digest")
	case o.Live.Digest.IsZero() && o.Canary == nil && o.Enabled:
		return refuse(CodeInvalid, "an enabled game needs a build")
	}
	for _, b := range o.builds() {
		if b.Digest.IsZero() || !validName(b.Version) {
			return refuse(CodeInvalid, "a build needs a digest and a version")
		}
		if err := checkModes(b.Modes); err != nil {
			return err
		}
	}
	return checkLimits(o.MinStakeMinor, o.MaxStakeMinor)
}

// builds are those a release names.
func (o *Release) builds() []*Build {
	var list []*Build
	if !o.Live.Digest.IsZero() {
		list = append(list, &o.Live)
	}
	if o.Canary != nil {
		list = append(list, o.Canary)
	}
	return list
}

func (o *Release) runs(digest Hash) bool {
	return slices.ContainsFunc(o.builds(), func(b *Build) bool { return b.Digest == digest })
}

// sameBuilds says whether two releases give the same rounds to the same wallets.
func (o *Release) sameBuilds(p *Release) bool {
	return o.Enabled == p.Enabled && o.CanaryShareX10000 == p.CanaryShareX10000 &&
		o.Live.equal(&p.Live) && (o.Canary == nil) == (p.Canary == nil) && (o.Canary == nil || o.Canary.equal(p.Canary))
}

func (b *Build) equal(c *Build) bool {
	return b.Version == c.Version && b.Digest == c.Digest && b.MeterVersion == c.MeterVersion && b.FuelPerStep == c.FuelPerStep &&
		slices.Equal(b.Modes, c.Modes)
}

// checkBudget refuses another meter or fuel for a module this shard runs: steps
// evaluated under either would be taken, and a replay could not tell which.
func (s *Shard) checkBudget(b *Build) error {
	differs := func(meter uint16, fuel uint64) bool {
		return (meter != 0 || fuel != 0) && (meter != b.MeterVersion || fuel != b.FuelPerStep)
	}
	p := s.pins[b.Digest]
	found := differs(p.meter, p.fuel)
	for _, g := range s.games {
		for _, x := range g.release.builds() {
			found = found || x.Digest == b.Digest && differs(x.MeterVersion, x.FuelPerStep)
		}
	}
	if found {
		return refuse(CodeInvalid, "module %s runs here with another meter or fuel", b.Digest)
	}
	return nil
}
