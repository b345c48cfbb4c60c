package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Modules that are made here, because no studio would: one that never ends and
// one that is large.

const loopManifest = `{"manifest":1,"id":"endless","version":"1.0.0","name":"Endless","max_draws":0,"max_state":0,"stake_multiple_minor":1,` +
	`"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.5","hit_frequency":"0.5","max_win_x":1}],"actions":[{"id":1,"name":"spin"}]}`

// endless is a module whose step loops for ever; wasi imports a function of the
// constant system, which makes it one of that profile.
func endless(wasi bool) []byte {
	imports, first := []byte{}, byte(0)
	if wasi {
		imports = section(2, join([]byte{1}, name("wasi_snapshot_preview1"), name("sched_yield"), []byte{0, 0}))
		first = 1
	}
	function := func(code ...byte) []byte { // no locals
		return join(binary.AppendUvarint(nil, uint64(len(code)+2)), []byte{0}, code, []byte{0x0b})
	}
	export := func(s string, kind, index byte) []byte { return join(name(s), []byte{kind, index}) }
	length := appendSigned([]byte{0x41}, int64(len(loopManifest)))
	return join([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, []byte{2, 0x60, 0, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f}), // () -> i32, i32 -> i32
		imports,
		section(3, []byte{3, 0, 0, 1}),
		section(5, []byte{1, 0, 2}), // two pages
		section(7, join([]byte{5}, export("memory", 2, 0), export("edgereel_abi_1", 0, first), export("edgereel_io", 0, first),
			export("edgereel_manifest", 0, first+1), export("edgereel_play", 0, first+2))),
		section(10, join([]byte{3},
			function(0x41, 0), // i32.const 0: the minor version, and the address of the block
			function(length...),
			function(0x03, 0x40, 0x0c, 0, 0x0b, 0x00))), // loop, br 0, end, unreachable
		section(11, join([]byte{1, 0}, appendSigned([]byte{0x41}, 16384), []byte{0x0b}, name(loopManifest))),
	)
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func section(id byte, body []byte) []byte {
	return join([]byte{id}, binary.AppendUvarint(nil, uint64(len(body))), body)
}

func name(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }

// appendSigned writes a signed LEB128 number.
func appendSigned(b []byte, v int64) []byte {
	for ; v < -64 || v > 63; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v)&0x7f)
}

var errSections = errors.New("bench: a module that cannot be taken apart")

// enlarge repeats the functions of a module until it has so many bytes. The
// copies are valid where the originals are: they mean the same types, globals
// and functions; nothing calls them.
func enlarge(wasm []byte, size int) ([]byte, error) {
	sections, err := split(wasm)
	if err != nil {
		return nil, err
	}
	types, bodies, err := functions(sections)
	if err != nil {
		return nil, err
	}
	per := len(join(bodies...)) + len(types)
	copies := max(1, 1+(size-len(wasm)+per-1)/per)
	allTypes, allBodies := []byte{}, []byte{}
	for range copies {
		allTypes, allBodies = append(allTypes, types...), append(allBodies, join(bodies...)...)
	}
	count := binary.AppendUvarint(nil, uint64(copies*len(bodies)))
	out := wasm[:8:8]
	for _, s := range sections {
		switch s.id {
		case 3:
			s.body = join(count, allTypes)
		case 10:
			s.body = join(count, allBodies)
		}
		out = append(out, section(s.id, s.body)...)
	}
	return out, nil
}

type part struct {
	id   byte
	body []byte
}

func split(wasm []byte) (sections []part, err error) {
	for at := 8; at < len(wasm); {
		id := wasm[at]
		size, n := binary.Uvarint(wasm[at+1:])
		if n <= 0 || size > uint64(len(wasm)-at-1-n) {
			return nil, fmt.Errorf("%w: section at %d", errSections, at)
		}
		at += 1 + n
		sections = append(sections, part{id, wasm[at : at+int(size)]})
		at += int(size)
	}
	return sections, nil
}

// functions gives the encoded type indexes and the bodies with their lengths.
func functions(sections []part) (types []byte, bodies [][]byte, err error) {
	for _, s := range sections {
		count, n := binary.Uvarint(s.body)
		switch {
		case n <= 0:
			return nil, nil, fmt.Errorf("%w: section %d", errSections, s.id)
		case s.id == 3:
			types = s.body[n:]
		case s.id == 10:
			rest := s.body[n:]
			for range count {
				size, n := binary.Uvarint(rest)
				if n <= 0 || size > uint64(len(rest)-n) {
					return nil, nil, fmt.Errorf("%w: a function", errSections)
				}
				end := n + int(size)
				bodies, rest = append(bodies, rest[:end]), rest[end:]
			}
		}
	}
	if len(bodies) == 0 {
		return nil, nil, fmt.Errorf("%w: no functions", errSections)
	}
	return types, bodies, nil
}
