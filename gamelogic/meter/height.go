package meter

// Compiling costs more than time in proportion to the code where many values
// are alive at many places where ways meet. So the walk follows the height of
// the operand stack, which every instruction changes by a known number. In
// code that nothing reaches it may be anything; nothing is compiled of it.

// height changes the height of the stack.
func (f *function) height(by int) {
	f.high = max(f.high+by, f.bases[len(f.bases)-1])
}

// meet notes a place where ways meet or part.
func (f *function) meet() {
	f.blocks++
	f.crowd += int64(f.locals + params(f.sig) + f.high)
}

// enter begins a block, leave ends it, turn begins its else.
func (f *function) enter(op byte, sig string) {
	if op == 0x04 {
		f.height(-1)
	}
	base := max(f.high-params(sig), f.bases[len(f.bases)-1])
	f.high = base + params(sig)
	f.bases, f.ends = append(f.bases, base), append(f.ends, base+results(sig))
}

func (f *function) leave() {
	top := len(f.bases) - 1
	f.high = f.ends[top]
	f.bases, f.ends = f.bases[:top], f.ends[:top]
}

func (f *function) turn() { f.high = f.bases[len(f.bases)-1] }

// move changes the height by what an instruction takes and gives. Blocks and
// calls do so themselves.
func (f *function) move(op byte) {
	switch {
	case op == 0x20, op == 0x23, op == 0x3f, op >= 0x41 && op <= 0x44:
		f.height(1)
	case op == 0x1a, op == 0x21, op == 0x24, op == 0x0d, op == 0x0e:
		f.height(-1)
	case op == 0x1b, op >= 0x36 && op <= 0x3e:
		f.height(-2)
	case op >= 0x46 && op <= 0x4f, op >= 0x51 && op <= 0x66, op >= 0x6a && op <= 0x78, op >= 0x7c && op <= 0x8a:
		f.height(-1)
	case op >= 0x92 && op <= 0x98, op >= 0xa0 && op <= 0xa6:
		f.height(-1)
	}
}

// effort estimates the microseconds that compiling the rewritten module takes
// on one processor: half a one for each byte, one for each value at each place where
// ways meet, for each function the square of the number of such places and of
// its exits by a constant, and more for some instructions. What hostile modules of every
// shape took, about as much at most, is what the numbers come from.
func (m *module) effort() (sum int64) {
	for _, f := range m.bodies {
		added := int64(f.payments())
		blocks := int64(f.blocks+f.exits) + 2*added
		sum += int64(len(f.r.b))/2 + f.extra + f.crowd + 2*added*int64(f.locals+params(f.sig)+1) + blocks*blocks/effortShare
	}
	return sum
}

const (
	effortShare    = 48
	effortTarget   = 10 // of a br_table
	effortCall     = 10
	effortOperand  = 4 // of a call
	effortFloat    = 10
	effortIndirect = 30
	effortDivide   = 10
	effortBulk     = 50
)
