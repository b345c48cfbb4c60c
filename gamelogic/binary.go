package gamelogic

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Limits of a module, ABI v1.
const (
	MaxModule       = 512 << 10 // bytes of a .wasm
	MaxMemoryPages  = 64        // of 64 KiB
	MaxState        = 4 << 10   // bytes of round state
	MaxPresentation = 16 << 10  // bytes of presentation
	MaxDraws        = 4096      // in one step
	maxFunctions    = 10_000
	maxGlobals      = 256
	maxTable        = 4096
	reservedPrefix  = "edgereel." // of export names the host adds
)

const (
	valI32 = 0x7f
	valI64 = 0x7e
)

// layout is what the host must know of a binary before the engine sees it.
type layout struct {
	sections []section
	types    []string // "params->results", one byte per value type
	funcs    []uint32 // type of each function, imports first
	imports  int
	exports  map[string]export
	mutable  []uint32 // indexes of the mutable globals
	globals  int
	memories int
	bodies   int
}

type section struct {
	id   byte
	body []byte
}

type export struct {
	kind  byte
	index uint32
}

// inspect checks a binary against ABI v1: known sections in order, integer
// types only, the two imports, no start function, sizes, export signatures,
// no float instruction. It is no validator: the engine validates afterwards.
func inspect(wasm []byte) (*layout, error) {
	if len(wasm) > MaxModule {
		return nil, refuse("%d bytes, at most %d", len(wasm), MaxModule)
	}
	if len(wasm) < 8 || string(wasm[:8]) != "\x00asm\x01\x00\x00\x00" {
		return nil, refuse("not a WebAssembly 1 binary")
	}
	l := &layout{exports: map[string]export{}}
	r := &reader{b: wasm[8:]}
	last := 0
	for r.more() {
		id := r.byte()
		body := r.bytes(int(r.u32()))
		if r.err != nil {
			return nil, refuse("section: %v", r.err)
		}
		if id == 0 {
			continue // custom: names and producers, not carried into the engine
		}
		order := sectionOrder(id)
		if order <= last {
			return nil, refuse("section %d is unknown, repeated or out of order", id)
		}
		last = order
		l.sections = append(l.sections, section{id, body})
		if err := l.section(id, &reader{b: body}); err != nil {
			return nil, err
		}
	}
	return l, l.checkExports()
}

// sectionOrder ranks the section ids; 0 for an unknown one. Data count (12)
// stands between element and code.
func sectionOrder(id byte) int {
	switch {
	case id >= 1 && id <= 9:
		return int(id)
	case id == 12:
		return 10
	case id == 10 || id == 11:
		return int(id) + 1
	}
	return 0
}

func (l *layout) section(id byte, r *reader) error {
	var err error
	switch id {
	case 1:
		err = l.readTypes(r)
	case 2:
		err = l.readImports(r)
	case 3:
		l.readFunctions(r)
	case 4:
		err = l.readTable(r)
	case 5:
		err = l.readMemory(r)
	case 6:
		err = l.readGlobals(r)
	case 7:
		err = l.readExports(r)
	case 8:
		return refuse("it has a start function")
	case 10:
		err = l.readCode(r)
	default:
		return nil // element, data, data count: the engine's business
	}
	if err != nil {
		return err
	}
	if r.err != nil || r.more() {
		return refuse("section %d: %v", id, r.failure())
	}
	return nil
}

func (l *layout) readTypes(r *reader) error {
	for range r.count(maxFunctions) {
		if r.byte() != 0x60 {
			return refuse("a type that is no function")
		}
		var sig strings.Builder
		for part := range 2 {
			if part == 1 {
				sig.WriteString(">")
			}
			for range r.count(100) {
				v := r.byte()
				switch v {
				case valI32:
					sig.WriteByte('i')
				case valI64:
					sig.WriteByte('l')
				default:
					return refuse("a function type uses value type %#x; only integers are allowed", v)
				}
			}
		}
		l.types = append(l.types, sig.String())
	}
	return nil
}

func (l *layout) typeOf(index uint32) string {
	if int(index) < len(l.types) {
		return l.types[index]
	}
	return "?"
}

func (l *layout) readImports(r *reader) error {
	allowed := map[string]string{"draw": "i>i", "draw_many": "iii>"}
	for range r.count(100) {
		module, name, kind := r.name(), r.name(), r.byte()
		sig, ok := allowed[name]
		if r.err == nil && (module != "edgereel" || !ok || kind != 0) {
			return refuse("it imports %s.%s", module, name)
		}
		t := r.u32()
		if r.err == nil && l.typeOf(t) != sig {
			return refuse("import %s.%s has the wrong signature", module, name)
		}
		l.funcs = append(l.funcs, t)
		l.imports++
	}
	return nil
}

func (l *layout) readFunctions(r *reader) {
	for range r.count(maxFunctions) {
		l.funcs = append(l.funcs, r.u32())
	}
}

func (l *layout) readTable(r *reader) error {
	for range r.count(1) {
		if k := r.byte(); k != 0x70 {
			return refuse("a table of type %#x", k)
		}
		if low, _ := r.limits(); low > maxTable {
			return refuse("a table of %d elements, at most %d", low, maxTable)
		}
	}
	return nil
}

func (l *layout) readMemory(r *reader) error {
	for range r.count(1) {
		low, flags := r.limits()
		if flags > 1 {
			return refuse("memory flags %#x", flags)
		}
		if low > MaxMemoryPages {
			return refuse("%d pages of memory, at most %d", low, MaxMemoryPages)
		}
		l.memories++
	}
	return nil
}

func (l *layout) readGlobals(r *reader) error {
	for i := range r.count(maxGlobals) {
		if t := r.byte(); t != valI32 && t != valI64 {
			return refuse("a global of type %#x; only integers are allowed", t)
		}
		if r.byte() == 1 {
			l.mutable = append(l.mutable, uint32(i))
		}
		if err := r.constant(); err != nil {
			return err
		}
		l.globals++
	}
	return nil
}

func (l *layout) readExports(r *reader) error {
	for range r.count(maxFunctions) {
		name := r.name()
		if strings.HasPrefix(name, reservedPrefix) {
			return refuse("it exports the reserved name %q", name)
		}
		l.exports[name] = export{kind: r.byte(), index: r.u32()}
	}
	return nil
}

func (l *layout) readCode(r *reader) error {
	for i := range r.count(maxFunctions) {
		body := &reader{b: r.bytes(int(r.u32()))}
		if err := body.function(); err != nil {
			return fmt.Errorf("function %d: %w", i, err)
		}
		l.bodies++
	}
	return nil
}

func (l *layout) checkExports() error {
	if l.memories != 1 {
		return refuse("%d memories, want one of its own", l.memories)
	}
	if l.bodies != len(l.funcs)-l.imports {
		return refuse("%d function bodies for %d functions", l.bodies, len(l.funcs)-l.imports)
	}
	if e, ok := l.exports["memory"]; !ok || e.kind != 2 {
		return refuse("it does not export its memory as %q", "memory")
	}
	for name, sig := range map[string]string{
		"edgereel_abi_1": ">i", "edgereel_io": ">i", "edgereel_manifest": ">i", "edgereel_play": "i>i",
	} {
		e, ok := l.exports[name]
		if !ok || e.kind != 0 {
			return refuse("it does not export the function %q", name)
		}
		if int(e.index) >= len(l.funcs) || l.typeOf(l.funcs[e.index]) != sig {
			return refuse("export %q has the wrong signature", name)
		}
	}
	return nil
}

// globalName is the reserved export under which the host reaches a mutable global.
func globalName(index uint32) string { return fmt.Sprintf("%sglobal.%d", reservedPrefix, index) }

// exposeGlobals writes the binary again with every mutable global exported
// under its reserved name, so that a restore can cover it. Custom sections are
// dropped; nothing else changes.
func (l *layout) exposeGlobals() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range l.sections {
		body := s.body
		if s.id == 7 {
			r := &reader{b: body}
			n := r.u32()
			body = binary.AppendUvarint(nil, uint64(n)+uint64(len(l.mutable)))
			body = append(body, r.b[r.at:]...)
			for _, g := range l.mutable {
				name := globalName(g)
				body = binary.AppendUvarint(body, uint64(len(name)))
				body = append(body, name...)
				body = append(body, 3)
				body = binary.AppendUvarint(body, uint64(g))
			}
		}
		out = append(out, s.id)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	return out
}
