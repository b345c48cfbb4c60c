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
		for _, callee := range f.calls {
			j := int(callee) - m.imports
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
		for _, callee := range f.calls {
			m.recursive = m.recursive || m.height[int(callee)-m.imports] == unbounded
		}
	}
}
