package registry

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// rememberedOps is how many applied operations are remembered by id, for
// callers that repeat one.
const rememberedOps = 1024

// State is the registry at one sequence. It is never changed: whoever has one
// may keep it.
type State struct {
	seq     uint64
	atMS    int64
	studios map[string]*Studio
	games   map[string]*Game
	// recent are the last applied operations, oldest first.
	recent []applied
	known  map[string]applied
}

type applied struct {
	ID  string `json:"id"`
	Seq uint64 `json:"seq"`
	// Sum tells a repeat from another operation of the same id.
	Sum Digest `json:"sum"`
}

// NewState is the empty registry.
func NewState() *State {
	return &State{studios: map[string]*Studio{}, games: map[string]*Game{}, known: map[string]applied{}}
}

// Seq counts the applied operations.
func (s *State) Seq() uint64 { return s.seq }

// AtMS is the time of the last applied operation.
func (s *State) AtMS() int64 { return s.atMS }

// Studio gives a studio, nil for none. It must not be changed.
func (s *State) Studio(name string) *Studio { return s.studios[name] }

// Studios lists the studios by name.
func (s *State) Studios() []*Studio {
	return slices.SortedFunc(maps.Values(s.studios), func(a, b *Studio) int { return cmp.Compare(a.Name, b.Name) })
}

// Game gives a game, nil for none. It must not be changed.
func (s *State) Game(id string) *Game { return s.games[id] }

// Games lists the games by id.
func (s *State) Games() []*Game {
	return slices.SortedFunc(maps.Values(s.games), func(a, b *Game) int { return cmp.Compare(a.ID, b.ID) })
}

// Release gives a release, nil for none. It must not be changed.
func (s *State) Release(game, version string) *Release {
	if g := s.games[game]; g != nil {
		return g.Release(version)
	}
	return nil
}

// Releases lists the releases of a game, of all games for "", by game and in
// the order of their pushes.
func (s *State) Releases(game string) []*Release {
	var all []*Release
	for _, g := range s.Games() {
		if game == "" || g.ID == game {
			all = append(all, g.Releases...)
		}
	}
	return all
}

// KeyOf finds an active or revoked key by its id among all studios, for whoever
// verifies a signature.
func (s *State) KeyOf(id string) (studio string, key Key, ok bool) {
	for _, st := range s.Studios() {
		if k, ok := st.Key(id); ok {
			return st.Name, k, true
		}
	}
	return "", Key{}, false
}

// Build is a release as a shard's catalogue needs it.
type Build struct {
	Version      string
	Digest       Digest
	Kind         string
	Profile      string
	MeterVersion uint16
	FuelPerStep  uint64
	// StakeMultipleMinor is the smallest stake; every other is a multiple.
	StakeMultipleMinor int64
	Modes              []Mode
}

// Desired is what every shard should run of a game.
type Desired struct {
	Game string
	// Seq is the registry's sequence when this last changed; a shard keeps it
	// and refuses an older one.
	Seq     uint64
	Enabled bool
	// Live is nil where only a canary runs, or the game never was live.
	Live *Build
	// Canary is nil where there is none.
	Canary            *Build
	CanaryShareX10000 uint32
}

// Desired tells what every shard should run of a game; false for a game that
// never was in front of players.
func (s *State) Desired(game string) (Desired, bool) {
	g := s.games[game]
	if g == nil || g.ChangedSeq == 0 {
		return Desired{}, false
	}
	d := Desired{Game: game, Seq: g.ChangedSeq}
	live, canary := g.in(Live), g.in(Canary)
	if canary != nil {
		d.Canary, d.CanaryShareX10000, d.Enabled = build(canary), canary.ShareX10000, true
	}
	switch last := g.lastLive(); {
	case live != nil:
		d.Live, d.Enabled = build(live), true
	case canary == nil && last != nil:
		// Off, and still named: people want to know what was there.
		d.Live = build(last)
	}
	return d, true
}

// lastLive is the release that was live last, whatever became of it.
func (g *Game) lastLive() *Release {
	var last *Release
	for _, r := range g.Releases {
		if r.LiveSeq > 0 && (last == nil || r.LiveSeq > last.LiveSeq) {
			last = r
		}
	}
	return last
}

// AllDesired is Desired of every game that has one, by game.
func (s *State) AllDesired() []Desired {
	var all []Desired
	for _, g := range s.Games() {
		if d, ok := s.Desired(g.ID); ok {
			all = append(all, d)
		}
	}
	return all
}

func build(r *Release) *Build {
	return &Build{
		Version: r.Version, Digest: r.Module, Kind: r.Kind, Profile: r.Profile,
		MeterVersion: r.MeterVersion, FuelPerStep: r.FuelPerStep, StakeMultipleMinor: r.StakeMultipleMinor, Modes: r.Modes,
	}
}

// Hold is what nodes have to keep of the releases.
type Hold struct {
	// Modules are loaded: players can meet them now or after one step, or an
	// open round may still need them.
	Modules []Digest
	// Blobs are kept on disk: the modules and documents of every release that
	// passed its check.
	Blobs []Digest
}

// Hold lists what every node has to keep, each in order.
func (s *State) Hold() Hold {
	var h Hold
	for _, r := range s.Releases("") {
		if r.Phase == Draft || r.Phase == Rejected {
			continue
		}
		if r.Phase == Approved || r.Played {
			h.Modules = append(h.Modules, r.Module)
		}
		for _, d := range []Digest{r.Module, r.Envelope, r.ParSheet, r.Report} {
			if !d.IsZero() {
				h.Blobs = append(h.Blobs, d)
			}
		}
	}
	h.Modules, h.Blobs = ordered(h.Modules), ordered(h.Blobs)
	return h
}

func ordered(list []Digest) []Digest {
	slices.SortFunc(list, func(a, b Digest) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(list)
}

// document is the snapshot's form: lists in a fixed order.
type document struct {
	Version int       `json:"version"`
	Seq     uint64    `json:"seq"`
	AtMS    int64     `json:"at_ms"`
	Studios []*Studio `json:"studios"`
	Games   []*Game   `json:"games"`
	Recent  []applied `json:"recent"`
}

// Snapshot encodes the state; equal states give equal bytes.
func (s *State) Snapshot() ([]byte, error) {
	doc := document{Version: opVersion, Seq: s.seq, AtMS: s.atMS, Studios: s.Studios(), Games: s.Games(), Recent: s.recent}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode registry: %w", err)
	}
	return b, nil
}

// Restore reads a snapshot.
func Restore(b []byte) (*State, error) {
	var doc document
	if err := strict(b, &doc); err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	s := NewState()
	s.seq, s.atMS, s.recent = doc.Seq, doc.AtMS, doc.Recent
	for _, st := range doc.Studios {
		if st == nil || s.studios[st.Name] != nil {
			return nil, errors.New("read registry: a studio is missing or listed twice")
		}
		s.studios[st.Name] = st
	}
	for _, g := range doc.Games {
		if g == nil || s.games[g.ID] != nil || slices.Contains(g.Releases, nil) {
			return nil, errors.New("read registry: a game or a release is missing or listed twice")
		}
		s.games[g.ID] = g
	}
	for _, a := range doc.Recent {
		s.known[a.ID] = a
	}
	return s, nil
}
