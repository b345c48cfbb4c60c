package proof

import (
	"context"

	"github.com/edgereel/edgereel/gamelogic"
)

// player plays the steps of one worker. One goroutine.
type player interface {
	Play(st gamelogic.Step) (gamelogic.Outcome, error)
	// PlayInto is Play; what it writes may change with the next step.
	PlayInto(st *gamelogic.Step, out *gamelogic.Outcome) error
	// Advise says what the declared strategy does among the offered actions.
	Advise(st gamelogic.Step, offered []string) (action string, choice uint32, err error)
	Close()
}

func newPlayer(ctx context.Context, g gamelogic.Game) (player, error) {
	if m, ok := g.(*gamelogic.Module); ok {
		return m.NewSimulator(ctx)
	}
	return hostPlayer{ctx, g}, nil
}

// hostPlayer plays a game of the host's own: there is no instance to keep.
type hostPlayer struct {
	ctx context.Context
	g   gamelogic.Game
}

func (p hostPlayer) Play(st gamelogic.Step) (gamelogic.Outcome, error) { return p.g.Play(p.ctx, st) }

func (p hostPlayer) PlayInto(st *gamelogic.Step, out *gamelogic.Outcome) (err error) {
	*out, err = p.g.Play(p.ctx, *st)
	return err
}

// Advise takes the first action: such games offer no choice.
func (p hostPlayer) Advise(_ gamelogic.Step, offered []string) (action string, choice uint32, err error) {
	return offered[0], 0, nil
}

func (hostPlayer) Close() {}
