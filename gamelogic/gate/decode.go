package gate

import (
	"context"
	"errors"
	"strings"

	"github.com/edgereel/edgereel/gamelogic"
)

// decode takes the module in as a node would, or says by which rule it would not.
func (c *checker) decode(ctx context.Context) error {
	c.tell(StageDecode, 0, 1)
	host, err := gamelogic.NewHost(ctx, c.hostConfig())
	if err != nil {
		return err
	}
	m, err := host.Load(ctx, c.cfg.Wasm)
	if err != nil {
		if err := errors.Join(ctx.Err(), host.Close()); err != nil {
			return err
		}
		if !errors.Is(err, gamelogic.ErrRefusedModule) {
			return err
		}
		_, reason, _ := strings.Cut(err.Error(), gamelogic.ErrRefusedModule.Error()+": ")
		c.add(StageDecode, "admission", "", Fail, nil, "a host would refuse the module: %s", reason)
		return nil
	}
	c.host, c.m = host, m
	c.r.Manifest, c.r.Profile, c.r.ABI = m.Manifest(), string(m.Profile()), "1.0"
	c.add(StageDecode, "admission", "", Pass, nil, "a host takes the module: %d bytes within all limits of its profile", len(c.cfg.Wasm))
	c.tell(StageDecode, 1, 1)
	return nil
}
