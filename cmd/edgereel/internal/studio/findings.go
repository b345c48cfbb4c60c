package studio

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/meter"
)

// findings names every rule that a refused binary is seen to break. A host
// stops at the first one, which is what err says; the others are read off what
// could be decoded.
func (b *binary) findings(err error, r *InspectReport) []Finding {
	list := []Finding{{"abi", r.Refusal}}
	var rule *meter.RefusedError
	switch {
	case errors.As(err, &rule):
		list[0] = Finding{string(rule.Rule), rule.Detail}
		if rule.Err != nil {
			list[0].Detail += ": " + rule.Err.Error()
		}
	case strings.HasPrefix(r.Refusal, "manifest"):
		list[0].Rule = "manifest"
	case strings.Contains(r.Refusal, "export"):
		list[0].Rule = "export"
	}
	if b.err != nil {
		return list // what follows would speak of half a binary
	}
	add := func(rule meter.Rule, format string, args ...any) {
		if list[0].Rule != string(rule) {
			list = append(list, Finding{string(rule), fmt.Sprintf(format, args...)})
		}
	}
	wasi, start := b.imports(add), slices.ContainsFunc(b.Sections, func(s Section) bool { return s.Name == "start" })
	if start {
		add(meter.RuleStart, "a start function runs before anybody has paid for it")
	}
	if b.Floats > 0 && !wasi {
		add(meter.RuleInstruction, "%d types and instructions of floating point or vectors", b.Floats)
	}
	if most := limitOf(wasi, gamelogic.MaxModule, 4<<20); r.Bytes > most {
		add(meter.RuleBytes, "%d bytes, at most %d", r.Bytes, most)
	}
	b.exports(add, &list)
	return list
}

func limitOf(wasi bool, pure, runtime int) int {
	if wasi {
		return runtime
	}
	return pure
}

// imports finds what nobody offers, and whether the runtime of a language is asked for.
func (b *binary) imports(add func(meter.Rule, string, ...any)) (wasi bool) {
	for _, x := range b.Imports {
		switch {
		case x.Module == "wasi_snapshot_preview1" && x.Kind == "function":
			wasi = true
		case x.Module != "edgereel" || x.Kind != "function" || x.Name != "draw" && x.Name != "draw_many":
			add(meter.RuleImport, "%s %q from %q is not offered", x.Kind, x.Name, x.Module)
		}
	}
	return wasi
}

func (b *binary) exports(add func(meter.Rule, string, ...any), list *[]Finding) {
	has := map[string]bool{}
	for _, x := range b.Exports {
		has[x.Name] = true
		if strings.HasPrefix(x.Name, meter.ReservedPrefix) {
			add(meter.RuleReserved, "the name %q is the host's", x.Name)
		}
	}
	if (*list)[0].Rule == "export" {
		return
	}
	for _, name := range []string{"memory", "edgereel_abi_1", "edgereel_io", "edgereel_manifest", "edgereel_play"} {
		if !has[name] {
			*list = append(*list, Finding{"export", fmt.Sprintf("it does not export %q", name)})
		}
	}
}
