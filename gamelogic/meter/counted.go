package meter

// A loop that counts is paid for before it begins. Compilers write
//
//	loop  local.get i  n  i32.lt  if …  local.get i  i32.const 1  i32.add  local.set i  br 1  end end
//
// for "while (i < n)", n being a local or a constant. It is one of these if
// nothing in it sets n, and if in its "if" every addition of one to i is
// followed at once by the branch to its head, the branch nowhere comes without
// the addition, and nothing else sets i. Then i is below n at every addition,
// so none overflows, and the loop runs at most n - i times, or not at all, and
// looks at its condition once more. If moreover nothing leaves it elsewhere, it
// runs exactly so often, and one payment in front of it is the sum of those at
// its head.
//
// Where i starts at a constant, or where n is a constant and the comparison is
// unsigned, the number of rounds has a bound that is known here. Small loops of
// that kind are paid for by the code around them.

// countedLoop is such a loop while its body is walked, and afterwards how to
// pay for it.
type countedLoop struct {
	at     int    // its place among the open blocks
	scope  int    // which its head would pay for
	i      uint32 // the local that counts
	n      operand
	signed bool
	rounds int64 // at most, when that is known here; else -1
	exact  bool  // rounds is no bound but the number, unless it leaves
	broken bool  // it is no such loop
	leaves bool  // it may end before i is n
	added  int   // offset behind an addition whose branch has not come yet
	back   int   // offset behind the last branch to its head
	closed bool  // its if has ended
}

// operand is what a loop compares.
type operand struct {
	local bool
	value int32 // the constant
	index uint32
}

// countTo reads the head of a loop behind its type. The reader is a copy, so
// nothing is passed.
func countTo(r reader) (c countedLoop, ok bool) {
	first, second, op := readOperand(&r), readOperand(&r), r.byte()
	switch op {
	case 0x48, 0x49: // lt_s, lt_u
	case 0x4a, 0x4b: // gt_s, gt_u
		first, second = second, first
	default:
		return countedLoop{}, false
	}
	if r.byte() != 0x04 || r.byte() != 0x40 || r.err != nil || !first.local || first == second {
		return countedLoop{}, false
	}
	return countedLoop{i: first.index, n: second, signed: op&1 == 0}, true
}

func readOperand(r *reader) (o operand) {
	switch r.byte() {
	case 0x20:
		return operand{local: true, index: r.u32()}
	case 0x41:
		return operand{value: r.i32()}
	}
	r.fail(errExtra)
	return o
}

// count notes that a loop begins at an offset; its type is passed, its scope
// and its block are the next ones.
func (f *function) count(at int) {
	c, ok := countTo(f.r)
	if !ok {
		return
	}
	c.at, c.scope = len(f.open), len(f.scopes)
	c.rounds, c.exact = f.rounds(at, &c)
	f.counts = append(f.counts, c)
	f.edits = append(f.edits, edit{at: at, kind: editCount, what: uint32(c.scope), open: len(f.open)})
}

// rounds bounds how often a loop at an offset runs its body; -1 is unknown.
func (f *function) rounds(at int, c *countedLoop) (n int64, exact bool) {
	start, known := f.startsAt(at, c.i)
	switch {
	case c.n.local:
		return -1, false
	case known && c.signed:
		return max(0, int64(c.n.value)-int64(start)), true
	case known:
		return max(0, int64(uint32(c.n.value))-int64(uint32(start))), true
	case !c.signed:
		return int64(uint32(c.n.value)), false
	}
	return -1, false
}

// startsAt tells the value of a local where it has just been set to a constant,
// or where nothing has set it since the function began.
func (f *function) startsAt(at int, local uint32) (value int32, ok bool) {
	if f.past[1] >= 0 {
		r := reader{b: f.r.b[:at], at: f.past[1]}
		if o := readOperand(&r); !o.local && r.byte() == 0x21 && r.u32() == local && r.err == nil && r.at == at {
			return o.value, true
		}
	}
	return 0, int(local) >= params(f.sig) && f.loops == 0 && !f.set[local]
}

// assigned tells the counting loops around that a local is set by the
// instruction at an offset.
func (f *function) assigned(at int, local uint32) {
	f.set[local] = true
	for k := range f.counts {
		c := &f.counts[k]
		switch {
		case c.n.local && c.n.index == local:
			c.broken = true
		case c.i == local:
			c.broken = c.broken || c.added != 0 || !f.addsOne(at, local)
			c.added = f.r.at
		}
	}
}

// addsOne tells whether the instruction at an offset sets a local to itself
// and one, with what stands before it.
func (f *function) addsOne(at int, local uint32) bool {
	if f.r.b[at] != 0x21 || f.past[0] < 0 {
		return false
	}
	r := reader{b: f.r.b[:at], at: f.past[0]}
	from, one := readOperand(&r), readOperand(&r)
	return from.local && from.index == local && !one.local && one.value == 1 && r.byte() == 0x6a && r.err == nil && r.at == at
}

// branched tells them of a branch to a label; at is where it stands.
func (f *function) branched(at int, label uint32) {
	for k := range f.counts {
		c := &f.counts[k]
		switch target := int64(len(f.open)) - 1 - int64(label); {
		case target > int64(c.at)+1: // it stays inside
		case target != int64(c.at):
			c.leaves = true // by the end of the if as well
		case c.added == at && f.r.b[at] == 0x0c && !c.closed:
			c.added, c.back = 0, f.r.at
		default:
			c.broken = true
		}
	}
}

// left tells them that the function may end here.
func (f *function) left() {
	for k := range f.counts {
		f.counts[k].leaves = true
	}
}

// otherwise tells them of an else.
func (f *function) otherwise() {
	for k := range f.counts {
		c := &f.counts[k]
		c.broken = c.broken || len(f.open)-1 == c.at+1
	}
}

// ended tells them that a block ended at an offset; it is no longer open.
func (f *function) ended(at int) {
	for k := range f.counts {
		if c := &f.counts[k]; len(f.open) == c.at+1 && !c.closed {
			c.closed = true
			c.leaves = c.leaves || c.back != at
		}
	}
	last := len(f.counts) - 1
	if last < 0 || len(f.open) != f.counts[last].at {
		return
	}
	c := f.counts[last]
	f.counts = f.counts[:last]
	if !c.broken && c.added == 0 && c.back != 0 {
		f.scopes[c.scope].count = &c
	}
}

// settleLoops decides how the loops that count are paid for, the inner ones
// first, when all weights are known.
func (f *function) settleLoops() {
	for i := len(f.scopes) - 1; i > 0; i-- {
		s := &f.scopes[i]
		if s.count == nil {
			continue
		}
		known := s.count.rounds >= 0
		all := s.weight * (s.count.rounds + 1)
		switch {
		case known && all <= f.m.grain.bounded:
			f.scopes[s.outer].weight += all
			s.weight, s.gone = 0, true
		case s.count.leaves && !(s.count.exact && all <= f.m.grain.left):
			s.count = nil // it might pay for much that it does not run
		}
	}
}

// payCount pays for all rounds of a loop: weight × (n - i, or 0) + weight.
func (c *coder) payCount(l *countedLoop, weight int64, trap uint64) {
	if l.exact {
		c.pay(weight*(l.rounds+1), trap)
		return
	}
	extend, less := byte(0xad), byte(0x49) // i64.extend_i32_u, i32.lt_u
	if l.signed {
		extend, less = 0xac, 0x48
	}
	n := func() {
		if l.n.local {
			c.op(0x20, uint64(l.n.index))
		} else {
			c.signed(0x41, int64(l.n.value))
		}
	}
	c.left()
	n()
	c.out = append(c.out, extend)
	c.op(0x20, uint64(l.i))
	c.out = append(c.out, extend, 0x7d) // i64.sub
	c.i64(weight)
	c.i64(0)
	c.op(0x20, uint64(l.i))
	n()
	c.out = append(c.out, less, 0x1b, 0x7e) // select i64.mul
	c.i64(weight)
	c.out = append(c.out, 0x7c) // i64.add
	c.settle(trap)
}
