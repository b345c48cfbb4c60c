package studio

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/edgereel/edgereel/gamelogic"
)

// field is one top-level field of a presentation.
type field struct {
	name  string
	value json.RawMessage
}

// fieldsOf takes a presentation apart in its order; false when it is no object.
func fieldsOf(presentation []byte) ([]field, bool) {
	d := json.NewDecoder(bytes.NewReader(presentation))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	var fields []field
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return nil, false
		}
		fields = append(fields, field{name, value})
	}
	return fields, true
}

// text is a string or a list of strings without quotes, else the JSON.
func (f field) text() string {
	var s string
	var list []string
	switch {
	case json.Unmarshal(f.value, &s) == nil:
		return s
	case json.Unmarshal(f.value, &list) == nil:
		return strings.Join(list, " ")
	}
	return string(f.value)
}

func (f field) nothing() bool {
	return slices.Contains([]string{`0`, `"0"`, `""`, `false`, `null`, `[]`, `{}`}, string(f.value))
}

// show plays a round and prints its steps.
func (g *trying) show(ctx context.Context, round uint64) error {
	if g.x.JSON {
		return g.round(ctx, round, g.decide, func(p played) error { return printJSON(g.x.c.Out, g.report(round, p)) })
	}
	mode, _ := g.m.Manifest().Mode(g.mode)
	cost, err := mode.CostMinor(g.stakeMinor)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.x.c.Out, "round %d of seed %d: %s %s, mode %s, stake %d, cost %d\n",
		round, g.x.Seed, g.m.Manifest().ID, g.m.Manifest().Release, g.mode, g.stakeMinor, cost)
	won := int64(0)
	err = g.round(ctx, round, g.decide, func(p played) error {
		won += p.out.WinMinor
		return g.print(p)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.x.c.Out, "closed: won %d, %s × the stake, %s × the cost\n", won, times(won, g.stakeMinor), times(won, cost))
	return err
}

func times(won, of int64) string { return strconv.FormatFloat(float64(won)/float64(of), 'f', 2, 64) }

// decide asks a person who can answer, and else the declared strategy.
func (g *trying) decide(ctx context.Context, st gamelogic.Step, offered []string) (string, uint32, error) {
	action, choice, err := g.declared(ctx, st, offered)
	if err != nil || !g.x.c.Terminal || g.x.JSON || g.x.Watch != "" {
		return action, choice, err
	}
	if slices.ContainsFunc(offered, func(name string) bool { _, ok := g.x.choices[name]; return ok }) {
		return action, choice, nil
	}
	a, _ := g.m.Manifest().Action(action)
	for len(offered) > 1 || a.Choices > 1 {
		fmt.Fprintf(g.x.c.Out, "which of %s? Enter takes %s: ", g.offers(offered), answer(action, choice))
		if !g.x.lines.Scan() {
			return action, choice, errors.Join(g.x.lines.Err(), ctx.Err())
		}
		text := strings.TrimSpace(g.x.lines.Text())
		if text == "" {
			break
		}
		if name, n, ok := g.understand(text, offered); ok {
			return name, n, nil
		}
		fmt.Fprintf(g.x.c.Out, "%q is none of them\n", text)
	}
	return action, choice, nil
}

// understand reads ACTION, ACTION=N, or N where only one action is offered.
func (g *trying) understand(text string, offered []string) (string, uint32, bool) {
	name, number, some := strings.Cut(text, "=")
	if _, err := strconv.ParseUint(text, 10, 32); err == nil && len(offered) == 1 {
		name, number, some = offered[0], text, true
	}
	n, err := strconv.ParseUint(number, 10, 32)
	a, ok := g.m.Manifest().Action(name)
	if some && err != nil || !ok || !slices.Contains(offered, name) || a.CheckChoice(uint32(n)) != nil {
		return "", 0, false
	}
	return name, uint32(n), true
}

// offers lists actions with their choices.
func (g *trying) offers(actions []string) string {
	var out []string
	for _, name := range actions {
		if a, _ := g.m.Manifest().Action(name); a.Choices > 1 {
			name = fmt.Sprintf("%s=0…%d", name, a.Choices-1)
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

func answer(action string, choice uint32) string {
	if choice == 0 {
		return action
	}
	return fmt.Sprintf("%s=%d", action, choice)
}

func (g *trying) print(p played) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "step %d: %s\n", p.step, answer(p.st.Action, p.st.Choice))
	var draws []string
	for _, d := range p.st.Draws.Log() {
		draws = append(draws, fmt.Sprintf("%d of %d", d.Value, d.Bound))
	}
	if len(draws) > 0 {
		fmt.Fprintf(&b, "  draws  %s\n", strings.Join(draws, ", "))
	}
	if p.err != nil { // it is reported as the end of the verb
		_, err := g.x.c.Out.Write(b.Bytes())
		return err
	}
	present(&b, p.out.Presentation)
	fmt.Fprintf(&b, "  win    %d (%s × the stake)\n", p.out.WinMinor, times(p.out.WinMinor, g.stakeMinor))
	if len(p.out.NextActions) > 0 {
		fmt.Fprintf(&b, "  next   %s\n", g.offers(p.out.NextActions))
	}
	if len(p.out.State) > 0 {
		fmt.Fprintf(&b, "  state  %s (%d bytes)\n", hex.EncodeToString(p.out.State), len(p.out.State))
	}
	fmt.Fprintf(&b, "  fuel   %d\n", p.out.Fuel)
	_, err := g.x.c.Out.Write(b.Bytes())
	return err
}

// present lays out what it knows of a presentation.
func present(w io.Writer, presentation []byte) {
	if len(presentation) == 0 {
		return
	}
	fields, ok := fieldsOf(presentation)
	if !ok {
		if json.Valid(presentation) {
			fmt.Fprintf(w, "  shown  %s\n", presentation)
			return
		}
		fmt.Fprintf(w, "  shown  %s\n", hex.EncodeToString(presentation))
		return
	}
	var rest []string
	for _, f := range fields {
		var grid [][]json.RawMessage
		var list []json.RawMessage
		switch {
		case f.name == "grid" && json.Unmarshal(f.value, &grid) == nil && len(grid) > 0:
			printGrid(w, grid)
		case (f.name == "wins" || f.name == "lines") && json.Unmarshal(f.value, &list) == nil:
			for _, win := range list {
				fmt.Fprintf(w, "  pays   %s\n", flat(win))
			}
		case f.name == "falls" && json.Unmarshal(f.value, &list) == nil:
			for i, fall := range list {
				fmt.Fprintf(w, "  fall   %d\n", i+1)
				present(w, fall)
			}
		case f.name == "feature":
			fmt.Fprintf(w, "  shows  %s\n", f.text())
		case f.name != "v" && f.name != "win":
			rest = append(rest, f.name+" "+flat(f.value))
		}
	}
	if len(rest) > 0 {
		fmt.Fprintf(w, "  shown  %s\n", strings.Join(rest, ", "))
	}
}

// printGrid shows reels side by side, as a player sees them.
func printGrid(w io.Writer, reels [][]json.RawMessage) {
	rows := 0
	for _, reel := range reels {
		rows = max(rows, len(reel))
	}
	var b bytes.Buffer
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for row := range rows {
		fmt.Fprint(table, "  grid   ")
		for _, reel := range reels {
			cell := "-"
			if row < len(reel) {
				cell = flat(reel[row])
			}
			fmt.Fprintf(table, "%s\t", cell)
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush() // into a buffer
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// flat writes an object as "name value …", a string bare, the rest as JSON.
func flat(value json.RawMessage) string {
	if fields, ok := fieldsOf(value); ok {
		var parts []string
		for _, f := range fields {
			parts = append(parts, f.name+" "+flat(f.value))
		}
		return strings.Join(parts, " ")
	}
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}

// tryPresentable is a presentation as JSON: as it is when it is JSON, else as a
// string of hexadecimal digits; null when there is none.
type tryPresentable []byte

// MarshalJSON writes it.
func (p tryPresentable) MarshalJSON() ([]byte, error) {
	switch {
	case len(p) == 0:
		return []byte("null"), nil
	case json.Valid(p):
		return p, nil
	}
	return json.Marshal(hex.EncodeToString(p))
}

func (g *trying) report(round uint64, p played) *TryReport {
	r := &TryReport{
		Schema: 1, ModuleDigest: digestText(g.m.Digest()), Mode: g.mode, StakeMinor: g.stakeMinor, Seed: g.x.Seed, Round: round,
		Step: p.step, Action: p.st.Action, Choice: p.st.Choice, Draws: []TryDraw{}, WinMinor: p.out.WinMinor,
		WonMinor: p.st.WonMinor + p.out.WinMinor, Closed: p.out.Closed, Next: []TryAction{}, State: hex.EncodeToString(p.out.State),
		Presentation: p.out.Presentation, Fuel: p.out.Fuel,
	}
	if p.err != nil {
		r.Incident = p.err.Error()
	}
	for i, d := range p.st.Draws.Log() {
		r.Draws = append(r.Draws, TryDraw{uint32(i), d.Bound, d.Value})
	}
	for _, name := range p.out.NextActions {
		a, _ := g.m.Manifest().Action(name)
		r.Next = append(r.Next, TryAction{name, a.Choices})
	}
	return r
}
