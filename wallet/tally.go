package wallet

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Classes is the number of classes of win per cost that rounds are counted in.
const Classes = 15

// classFromX1000000 has the least win per cost of each class, in millionths.
// Class 0 is no win at all, class 1 any below half the cost. The classes are
// part of the state machine's behaviour: changing one needs a new Version.
var classFromX1000000 = [Classes]uint64{
	0, 0, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000,
	200_000_000, 500_000_000, 1_000_000_000, 2_000_000_000, 5_000_000_000,
}

// ClassFrom gives the least win per cost of a class, in millionths. Class 1 has
// every win above nothing and below the next.
func ClassFrom(class int) uint64 { return classFromX1000000[class] }

// ClassOf gives the class of a round and its win per cost in millionths,
// rounded down and held to 64 bits. cost is at least 1 and win not negative.
func ClassOf(winMinor, costMinor int64) (class int, returnX1000000 uint64) {
	if winMinor == 0 {
		return 0, 0
	}
	hi, lo := bits.Mul64(uint64(winMinor), 1_000_000)
	returnX1000000 = math.MaxUint64
	if hi < uint64(costMinor) {
		returnX1000000, _ = bits.Div64(hi, lo, uint64(costMinor))
	}
	for class = 1; class < Classes-1 && returnX1000000 >= classFromX1000000[class+1]; class++ {
	}
	return class, returnX1000000
}

// Tally counts what the rounds of one module in one mode came to, each at its
// end. Rounds that two persons resolved are no outcomes of the module and are
// left out.
type Tally struct {
	Digest Hash
	Mode   string
	Rounds uint64
	// Incidents are the steps at which the module failed.
	Incidents uint64
	// ReturnX1000000 is the sum of the rounds' wins per cost, in millionths.
	ReturnX1000000 uint64
	Counts         [Classes]uint64
}

// tally is a Tally and when it was counted last.
type tally struct {
	Tally
	lastSeq uint64
}

type tallyKey struct {
	digest Hash
	mode   string
}

func (k tallyKey) compare(other tallyKey) int {
	return cmp.Or(compareHash(k.digest, other.digest), strings.Compare(k.mode, other.mode))
}

// maxTallies bounds what a shard counts, about 300 bytes each.
const maxTallies = 4096

func (s *Shard) countRound(r *round) {
	if s.version < versionReleases {
		return
	}
	class, returned := ClassOf(r.winMinor, r.costMinor)
	t := s.tally(r.digest, r.mode.Name)
	t.Rounds++
	t.Counts[class]++
	if t.ReturnX1000000 += returned; t.ReturnX1000000 < returned {
		t.ReturnX1000000 = math.MaxUint64
	}
}

func (s *Shard) countIncident(digest Hash, mode string) {
	if s.version >= versionReleases {
		s.tally(digest, mode).Incidents++
	}
}

func (s *Shard) tally(digest Hash, mode string) *tally {
	key := tallyKey{digest, mode}
	t := s.tallies[key]
	if t == nil {
		if len(s.tallies) >= maxTallies {
			s.forgetTally()
		}
		t = &tally{Tally: Tally{Digest: digest, Mode: mode}}
		s.tallies[key] = t
	}
	t.lastSeq = s.seq + 1
	return t
}

// forgetTally drops the tally that was counted longest ago, one of a module
// that nothing here runs any more if there is any.
func (s *Shard) forgetTally() {
	pinned := map[Hash]struct{}{}
	for _, digest := range s.Pinned() {
		pinned[digest] = struct{}{}
	}
	oldest := slices.MinFunc(slices.Collect(maps.Keys(s.tallies)), func(a, b tallyKey) int {
		_, usedA := pinned[a.digest]
		_, usedB := pinned[b.digest]
		return cmp.Or(boolOrder(usedA, usedB), cmp.Compare(s.tallies[a].lastSeq, s.tallies[b].lastSeq), a.compare(b))
	})
	delete(s.tallies, oldest)
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Tallies gives copies of all that is counted, in order of digest and mode.
func (s *Shard) Tallies() []Tally {
	list := make([]Tally, 0, len(s.tallies))
	for _, key := range slices.SortedFunc(maps.Keys(s.tallies), tallyKey.compare) {
		list = append(list, s.tallies[key].Tally)
	}
	return list
}

func (s *Shard) talliesOf(digest Hash) []Tally {
	var list []Tally
	for key, t := range s.tallies {
		if key.digest == digest {
			list = append(list, t.Tally)
		}
	}
	slices.SortFunc(list, func(a, b Tally) int { return strings.Compare(a.Mode, b.Mode) })
	return list
}
