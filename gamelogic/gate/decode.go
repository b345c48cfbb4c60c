package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/meter"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// decode takes the module in as a node would, or says by which rule it would not.
func (c *checker) decode(ctx context.Context) error {
	c.tell(StageDecode, 0, 1)
	defer c.tell(StageDecode, 1, 1)
	if table.Is(c.cfg.Wasm) {
		c.openTable()
		return nil
	}
	host, err := gamelogic.NewHost(ctx, c.hostConfig())
	if err != nil {
		return err
	}
	m, err := host.Load(ctx, c.cfg.Wasm)
	if err != nil {
		if err := errors.Join(context.Cause(ctx), host.Close()); err != nil {
			return err
		}
		c.refused(err)
		return nil
	}
	c.host, c.m, c.game = host, m, m
	c.r.Manifest, c.r.Profile, c.r.ABI = m.Manifest(), string(m.Profile()), fmt.Sprintf("1.%d", m.ABIMinor())
	c.r.Fuel.PerStep, c.r.Fuel.PerInit = m.Fuel()
	c.add(StageDecode, "admission", "", Pass, nil, "a host takes the module: %d bytes, within every limit of the profile %q", len(c.cfg.Wasm), c.r.Profile)
	return nil
}

// refused says why, with the name of the rule where there is one.
func (c *checker) refused(err error) {
	_, reason, found := strings.Cut(err.Error(), gamelogic.ErrRefusedModule.Error()+": ")
	if !found {
		reason = err.Error()
	}
	name, rule := "admission", (*meter.RefusedError)(nil)
	var figures []Figure
	switch {
	case errors.As(err, &rule):
		name = "admission-" + strings.ReplaceAll(string(rule.Rule), "_", "-")
		figures = []Figure{{"rule", string(rule.Rule)}}
		if rule.Rule == meter.RuleFormat && !bytes.HasPrefix(c.cfg.Wasm, []byte("\x00asm")) {
			reason += fmt.Sprintf(" (the file of %d bytes begins with %q)", len(c.cfg.Wasm), c.cfg.Wasm[:min(8, len(c.cfg.Wasm))])
		}
	case strings.HasPrefix(reason, "manifest"):
		name = "admission-manifest"
	case strings.Contains(reason, "export"):
		name = "admission-export"
	case strings.HasPrefix(reason, "ABI"):
		name = "admission-abi"
	}
	c.add(StageDecode, name, "", Fail, figures, "a host would refuse the module: %s", reason)
}

// openTable takes a table in. It has no code: no profile, no fuel.
func (c *checker) openTable() {
	g, err := table.OpenBytes(c.cfg.Wasm)
	if err != nil {
		c.add(StageDecode, "admission-table", "", Fail, nil, "a host would refuse the table: %v", err)
		return
	}
	c.game, c.r.Manifest, c.r.Meter = g, g.Manifest(), 0
	rows := 0
	for _, mode := range g.Manifest().Modes {
		rows += g.Rows(mode.Name)
	}
	c.add(StageDecode, "admission", "", Pass, nil, "a host takes the table: %d bytes, %d rows in all, imported from %s", len(c.cfg.Wasm), rows, g.Source())
}
