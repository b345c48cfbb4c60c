package meter

// scope is code that is paid for at one place. Whoever runs an instruction of
// it has come by that place since it last ran the same instruction.
type scope struct {
	weight int64
	loop   bool
	// outer is the scope that goes on where this one begins: what is too small
	// to be worth a payment is paid there.
	outer  int
	merged int64        // weight of scopes that are paid for here
	gone   bool         // paid for in outer
	count  *countedLoop // of a loop that is paid for in front of it
}

// grain says how close payments are to the work. Like a weight, a change of it
// is a new version.
type grain struct {
	scope int64 // weight of a scope that does not go on behind a block
	least int64 // of a scope with a payment of its own
	fold  int64 // at most, of a function that its callers pay for
	// bounded, at most, of all rounds of a loop that the code around it pays for.
	bounded int64
	left    int64 // at most, of such a loop that may be left early
	short   int64 // weight of a loop whose rounds pay from a register
	bulks   int   // of a function, at most, that pay for their lengths in line
}

// grainOf is finer for a module with a runtime: its functions are one large
// loop around all places where a goroutine may go on.
func grainOf(limits *Limits) grain {
	g := grain{scope: 256, least: 16, fold: 256, bounded: 1024, left: 4096, short: 28, bulks: 8}
	if limits.Floats {
		g.scope, g.least = 64, 8
	}
	return g
}

// begin opens a scope that is paid for here, with so many blocks around.
func (f *function) begin(s scope, open int) (index int) {
	f.scopes = append(f.scopes, s)
	f.edits = append(f.edits, edit{at: f.r.at, kind: editCharge, what: uint32(len(f.scopes) - 1), open: open})
	return len(f.scopes) - 1
}

// rejoin comes behind a block. Whatever follows in the block around it is
// reached only from here, so it may be paid for here: where much is paid
// already that might be skipped, the payments stay close to the work.
func (f *function) rejoin() {
	if len(f.open) == 0 {
		return
	}
	top := len(f.open) - 1
	if outer := f.open[top]; f.scopes[outer].weight >= f.m.grain.scope {
		f.open[top] = f.begin(scope{outer: outer}, len(f.open))
	}
}

// join pays for small scopes in those around them.
func (f *function) join() {
	for i := len(f.scopes) - 1; i > 0; i-- {
		s := &f.scopes[i]
		outer := &f.scopes[s.outer]
		if !s.loop && s.weight < f.m.grain.least && outer.merged+s.weight <= f.m.grain.scope {
			outer.weight, outer.merged = outer.weight+s.weight, outer.merged+s.weight
			s.weight, s.gone = 0, true
		}
	}
}

// repeats tells whether a loop is left that pays for its rounds itself.
func (f *function) repeats() bool {
	for _, s := range f.scopes {
		if s.loop && !s.gone {
			return true
		}
	}
	return false
}

// payments counts the places where the function pays.
func (f *function) payments() (n int) {
	for _, s := range f.scopes {
		if !s.gone && !f.folded {
			n++
		}
	}
	return n
}

// total is what one run of the function costs, without what it calls.
func (f *function) total() (weight int64) {
	for _, s := range f.scopes {
		weight += s.weight
	}
	return weight
}

// cached tells whether the function keeps the fuel in a local, because it pays
// in the rounds of a short loop: elsewhere a register costs more than memory.
// It needs a block type for its results, so it must not have several.
func (f *function) cached() bool {
	if f.folded || results(f.sig) > 1 {
		return false
	}
	for _, s := range f.scopes {
		if s.loop && !s.gone && s.count == nil && s.weight < f.m.grain.short {
			return true
		}
	}
	return false
}
