package meter

import (
	"fmt"
	"strings"
)

const (
	magic  = "\x00asm\x01\x00\x00\x00"
	valI32 = 0x7f
	valI64 = 0x7e
	valF32 = 0x7d
	valF64 = 0x7c
)

const maxImports = 100

// order of the sections; data count (12) stands between element and code.
var order = []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11}

// module is a decoded binary.
type module struct {
	limits   Limits
	grain    grain
	sections [13][]byte // bodies by id; nil when absent
	types    []string   // "params>results", one byte a value type
	funcs    []uint32   // type of each function, imports first
	imports  int
	exports  map[string]Export
	elements []uint32 // functions in the table
	escapes  bool     // any function may be in the table
	data     []Segment
	attached bool     // the data segments must stay
	mutable  []uint32 // indexes of the mutable globals
	globals  int
	memories int
	bodies   []*function

	deepest   int   // nesting of blocks
	height    []int // of each body, see measure
	recursive bool  // some calls are paid by stack slots
}

// decode reads the sections and walks the code. It enforces every limit; types
// on the operand stack are the engine's business.
func decode(wasm []byte, limits Limits, fine grain) (*module, error) {
	if len(wasm) > limits.Bytes {
		return nil, refuse(RuleBytes, "%d bytes, at most %d", len(wasm), limits.Bytes)
	}
	if len(wasm) < len(magic) || string(wasm[:len(magic)]) != magic {
		return nil, refuse(RuleFormat, "not a WebAssembly 1 binary")
	}
	m := &module{limits: limits, grain: fine, exports: map[string]Export{}}
	r := &reader{b: wasm[len(magic):]}
	last := -1
	for r.more() {
		id := r.byte()
		body := r.bytes(int(r.u32()))
		if r.err != nil {
			return nil, refuse(RuleFormat, "section: %v", r.err)
		}
		if id == 0 {
			continue // custom: names and producers, not carried into the engine
		}
		rank := strings.IndexByte(string(order), id)
		if rank <= last {
			return nil, refuse(RuleSection, "section %d is unknown, repeated or out of order", id)
		}
		last = rank
		m.sections[id] = body
		if err := m.section(id, &reader{b: body}); err != nil {
			return nil, err
		}
	}
	if len(m.bodies) != len(m.funcs)-m.imports {
		return nil, refuse(RuleFormat, "%d function bodies for %d functions", len(m.bodies), len(m.funcs)-m.imports)
	}
	for name, e := range m.exports {
		if e.Kind == 0 {
			e.Signature = m.signature(e.Index)
			m.exports[name] = e
		}
	}
	return m, nil
}

func (m *module) section(id byte, r *reader) error {
	var err error
	switch id {
	case 1:
		err = m.readTypes(r)
	case 2:
		err = m.readImports(r)
	case 3:
		err = m.readFunctions(r)
	case 4:
		err = m.readTable(r)
	case 5:
		err = m.readMemory(r)
	case 6:
		err = m.readGlobals(r)
	case 7:
		err = m.readExports(r)
	case 8:
		return refuse(RuleStart, "it has a start function")
	case 9:
		m.readElements(r)
		return nil
	case 10:
		err = m.readCode(r)
	case 11:
		m.readData(r)
		return nil
	default:
		return nil // data count: the engine's business
	}
	if err != nil {
		return err
	}
	if r.err != nil || r.more() {
		return refuse(RuleFormat, "section %d: %v", id, r.failure())
	}
	return nil
}

func (m *module) readTypes(r *reader) error {
	for range r.count(m.limits.Functions) {
		if r.byte() != 0x60 {
			return refuse(RuleType, "a type that is no function")
		}
		var sig strings.Builder
		for part := range 2 {
			if part == 1 {
				sig.WriteString(">")
			}
			for range r.count(100) {
				v := r.byte()
				c := m.limits.letter(v)
				if c == 0 {
					return refuse(RuleType, "a function type uses value type %#x; %s", v, m.limits.allowed())
				}
				sig.WriteByte(c)
			}
		}
		m.types = append(m.types, sig.String())
	}
	return nil
}

func (m *module) typeOf(index uint32) string {
	if uint64(index) < uint64(len(m.types)) {
		return m.types[index]
	}
	return "?"
}

// signature of a function by its index.
func (m *module) signature(index uint32) string {
	if uint64(index) < uint64(len(m.funcs)) {
		return m.typeOf(m.funcs[index])
	}
	return "?"
}

func (m *module) readImports(r *reader) error {
	for range r.count(maxImports) {
		from, name, kind := r.name(), r.name(), r.byte()
		sig, ok := m.limits.Imports[from+"."+name]
		if r.err == nil && (!ok || kind != 0) {
			return refuse(RuleImport, "it imports %s.%s", from, name)
		}
		t := r.u32()
		if r.err == nil && m.typeOf(t) != sig {
			return refuse(RuleImport, "import %s.%s has the wrong signature", from, name)
		}
		m.funcs = append(m.funcs, t)
		m.imports++
	}
	return nil
}

func (m *module) readFunctions(r *reader) error {
	n := r.u32()
	if uint64(n) > uint64(m.limits.Functions) {
		return refuse(RuleFunctions, "%d functions, at most %d", n, m.limits.Functions)
	}
	for range n {
		t := r.u32()
		if r.err == nil && m.typeOf(t) == "?" {
			return refuse(RuleType, "a function of type %d of %d", t, len(m.types))
		}
		m.funcs = append(m.funcs, t)
	}
	return nil
}

func (m *module) readTable(r *reader) error {
	for range r.count(1) {
		if k := r.byte(); k != 0x70 {
			return refuse(RuleTable, "a table of type %#x", k)
		}
		if low, _ := r.limits(); uint64(low) > uint64(m.limits.TableElements) {
			return refuse(RuleTable, "a table of %d elements, at most %d", low, m.limits.TableElements)
		}
	}
	return nil
}

func (m *module) readMemory(r *reader) error {
	for range r.count(1) {
		low, flags := r.limits()
		if flags > 1 {
			return refuse(RuleMemory, "memory flags %#x", flags)
		}
		if uint64(low) > uint64(m.limits.MemoryPages) {
			return refuse(RuleMemory, "%d pages of memory, at most %d", low, m.limits.MemoryPages)
		}
		m.memories++
	}
	return nil
}

func (m *module) readGlobals(r *reader) error {
	n := r.u32()
	if uint64(n) > uint64(m.limits.Globals) {
		return refuse(RuleGlobals, "%d globals, at most %d", n, m.limits.Globals)
	}
	for i := range n {
		if t := r.byte(); t != valI32 && t != valI64 {
			return refuse(RuleType, "a global of type %#x; only integers are allowed", t)
		}
		if r.byte() == 1 {
			m.mutable = append(m.mutable, i)
		}
		if err := r.constant(); err != nil {
			return err
		}
		m.globals++
	}
	return nil
}

func (m *module) readExports(r *reader) error {
	for range r.count(m.limits.Functions) {
		name := r.name()
		if strings.HasPrefix(name, ReservedPrefix) {
			return refuse(RuleReserved, "it exports the reserved name %q", name)
		}
		m.exports[name] = Export{Kind: r.byte(), Index: r.u32()}
	}
	return nil
}

// readElements finds the functions that the table holds. Of segments in any
// but the plain form it only notes that they are there; whether they are valid
// is the engine's business.
func (m *module) readElements(r *reader) {
	for range r.count(len(m.funcs) + 1) {
		if r.u32() != 0 || r.byte() != 0x41 {
			m.escapes = true
			return
		}
		r.skipSigned(5)
		if r.byte() != 0x0b {
			m.escapes = true
			return
		}
		for range r.count(m.limits.TableElements) {
			m.elements = append(m.elements, r.u32())
		}
	}
	m.escapes = m.escapes || r.err != nil || r.more()
}

// readData finds the active segments. Like readElements it leaves what is not
// plain to the engine.
func (m *module) readData(r *reader) {
	m.attached = m.attached || !m.limits.DetachData
	for range r.count(m.limits.Bytes) {
		if m.attached || r.u32() != 0 || r.byte() != 0x41 {
			m.attached = true
			return
		}
		offset := uint32(r.i32())
		if r.byte() != 0x0b {
			m.attached = true
			return
		}
		m.data = append(m.data, Segment{offset, r.bytes(int(r.u32()))})
	}
	m.attached = m.attached || r.err != nil || r.more()
}

// detached are the segments that the rewritten module does without.
func (m *module) detached() []Segment {
	if m.attached {
		return nil
	}
	return m.data
}

func (m *module) readCode(r *reader) error {
	for i := range r.count(len(m.funcs) - m.imports) {
		body := r.bytes(int(r.u32()))
		if len(body) > m.limits.BodyBytes {
			return refuse(RuleBody, "function %d has %d bytes, at most %d", i, len(body), m.limits.BodyBytes)
		}
		f := &function{m: m, sig: m.typeOf(m.funcs[m.imports+i]), r: reader{b: body}}
		if err := f.scan(); err != nil {
			return fmt.Errorf("function %d: %w", i, err)
		}
		m.bodies = append(m.bodies, f)
	}
	return nil
}
