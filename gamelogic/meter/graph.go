package meter

// unbounded marks a function whose calls can go round, go through the table,
// or stack up higher than what is allowed for nothing.
const unbounded = -1

// measure finds for every function how high the frames of its own calls can
// stack up, and so which calls have to be paid.
func (m *module) measure() {
	m.height = make([]int, len(m.bodies))
	frames := make([]int, len(m.bodies))
	state := make([]byte, len(m.bodies)) // 0 new, 1 on the path, 2 done
	var visit func(i int)
	visit = func(i int) {
		state[i] = 1
		f := m.bodies[i]
		high, count := 0, 0
		free := !f.indirect
		for _, call := range f.calls {
			j := int(call.callee) - m.imports
			if state[j] == 0 {
				visit(j)
			}
			if state[j] == 1 || m.height[j] == unbounded {
				free = false
				continue
			}
			high, count = max(high, m.height[j]), max(count, frames[j])
		}
		m.height[i], frames[i] = high+f.frame(), count+1
		if !free || m.height[i] > freeSlots || frames[i] > freeFrames {
			m.height[i] = unbounded
		}
		state[i] = 2
	}
	for i := range m.bodies {
		if state[i] == 0 {
			visit(i)
		}
	}
	for _, f := range m.bodies {
		m.recursive = m.recursive || f.indirect
		for _, call := range f.calls {
			m.recursive = m.recursive || m.height[int(call.callee)-m.imports] == unbounded
		}
	}
}

// fold finds the functions that cost little and always the same, and has every
// caller pay for them at the call: those without loops of their own payment
// that call nothing but imports and functions of the same kind, and that
// nothing but a direct call can reach. Such a function touches the fuel only
// where it pays for lengths. It needs the heights.
func (m *module) fold() {
	reached := make([]bool, len(m.bodies))
	reach := func(function uint32) {
		if i := int(function) - m.imports; i >= 0 && i < len(reached) {
			reached[i] = true
		}
	}
	for _, e := range m.exports {
		if e.Kind == 0 {
			reach(e.Index)
		}
	}
	for _, function := range m.elements {
		reach(function)
	}
	done := make([]bool, len(m.bodies))
	var visit func(i int)
	visit = func(i int) {
		done[i] = true
		f := m.bodies[i]
		f.touches = f.lengths
		candidate := !reached[i] && !m.escapes && !f.indirect && m.height[i] != unbounded
		for _, call := range f.calls {
			j := int(call.callee) - m.imports
			if !done[j] {
				visit(j)
			}
			if callee := m.bodies[j]; callee.folded {
				f.scopes[call.scope].weight += callee.total()
				f.touches = f.touches || callee.touches
			} else {
				candidate = false
			}
		}
		f.settleLoops()
		f.folded = candidate && !f.repeats() && f.total() <= m.grain.fold
		if !f.folded {
			f.join()
		}
	}
	for i := range m.bodies {
		if !done[i] {
			visit(i)
		}
	}
}
