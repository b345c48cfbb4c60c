package wallet

// FillStateBudget makes the shard believe that open rounds hold all the bytes
// they may; reaching that by play takes 64 MiB.
func (s *Shard) FillStateBudget() { s.stateBytes = maxStateBudget }

// Derived gives what no snapshot carries but follows from the accounts.
func (s *Shard) Derived() [2]int { return [2]int{s.openRounds, s.stateBytes} }

// SkipTo makes the next operation of the ledger the given sequence.
func (s *Shard) SkipTo(seq uint64) { s.seq = seq - 1 }

// CountRound counts one round that ended.
func (s *Shard) CountRound(digest Hash, mode string, winMinor, costMinor int64) {
	s.countRound(&round{digest: digest, mode: Mode{Name: mode}, winMinor: winMinor, costMinor: costMinor})
}

// Sections gives the offsets in a snapshot at which a section's body begins,
// and where it ends.
func Sections(snapshot []byte) (bodies [][2]int) {
	rest := snapshot[len(snapshotMagic)+1:]
	for len(rest) > 0 {
		_, body, after, err := cutSection(rest)
		if err != nil {
			return bodies
		}
		end := len(snapshot) - len(after) - 4
		bodies = append(bodies, [2]int{end - len(body), end})
		rest = after
	}
	return bodies
}

// Reseal gives a snapshot fresh checksums, so that a fuzzer gets behind them.
func Reseal(snapshot []byte) []byte {
	head := len(snapshotMagic) + 1
	if len(snapshot) < head {
		return snapshot
	}
	out, rest := append([]byte(nil), snapshot[:head]...), snapshot[head:]
	for len(rest) > 0 {
		r := &reader{b: rest}
		kind := r.byte()
		body := r.take(r.uint())
		r.take(4)
		if r.err != nil {
			return append(out, rest...)
		}
		rest = r.b
		out = section(out, kind, func(w *writer) { w.b = append(w.b, body...) })
	}
	return out
}
