package sim

import (
	"context"
	"fmt"
	"math/rand/v2"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/load"
	"github.com/edgereel/edgereel/client"
)

// guest is one player, who changes games, plays every mode, and sometimes sends
// a step again by another way into the cluster. It belongs to its goroutine.
type guest struct {
	w    *crowd
	seat load.Seat
	rng  *rand.Rand
	// near plays; far repeats.
	near, far *client.Player
	games     []*edgereelv1.Game
}

// run plays until ctx ends. What the cluster refuses for now is tried again;
// only what no player can go on from is an error.
func (g *guest) run(ctx, calls context.Context) error {
	for turn := g.rng.IntN(2); ctx.Err() == nil; turn++ {
		if len(g.games) == 0 {
			listed, err := g.near.ListGames(calls)
			if err != nil {
				g.w.pause(ctx, g.rng)
				continue
			}
			g.games = listed.GetGames()
		}
		game := g.games[turn%len(g.games)]
		session, err := g.near.Sit(calls, game.GetId(), fmt.Sprintf("luck-%d", g.rng.Uint64()))
		if err != nil {
			if err := g.bearable(err); err != nil {
				return err
			}
			g.w.pause(ctx, g.rng)
			continue
		}
		if err := g.sitting(ctx, calls, game, session); err != nil {
			return err
		}
	}
	return nil
}

// sitting plays some steps of a game and closes every other session.
func (g *guest) sitting(ctx, calls context.Context, game *edgereelv1.Game, session *client.Session) error {
	for left := 5 + g.rng.IntN(30); left > 0 && ctx.Err() == nil; left-- {
		if err := g.step(calls, game, session); err != nil {
			return err
		}
		g.w.pause(ctx, g.rng)
	}
	if session.OpenRound() != nil || session.Pending() || g.rng.IntN(2) == 0 {
		return nil
	}
	_, err := session.Close(calls)
	for range patience {
		if client.EffectOf(err) != client.Unknown {
			break
		}
		_, err = session.Close(client.AfterUnknown(calls))
	}
	return g.bearable(err)
}

// step makes one step and asks for its outcome until it is known.
func (g *guest) step(ctx context.Context, game *edgereelv1.Game, session *client.Session) error {
	bet := g.bet(game, session.OpenRound())
	request := &edgereelv1.PlayRequest{
		Session: session.ID(), Mode: bet.Mode, StakeMinor: bet.StakeMinor, Action: bet.Action, Choice: bet.Choice,
	}
	var played *edgereelv1.PlayResponse
	var err error
	if !session.Pending() {
		played, err = session.Play(ctx, bet)
	}
	for range patience {
		if !session.Pending() {
			break
		}
		played, err = session.Settle(ctx)
	}
	if err != nil {
		return g.bearable(err)
	}
	if g.rng.IntN(10) != 0 || request.GetSession() != session.ID() {
		return nil
	}
	// The same step once more, by another node: it must answer the same.
	request.Step = played.GetStep()
	_, err = g.far.Play(ctx, request)
	return g.bearable(err)
}

// bet chooses a mode, rarely a dear one, or an action of an open round.
func (g *guest) bet(game *edgereelv1.Game, open *edgereelv1.Round) client.Bet {
	if open != nil {
		var offered []uint32
		for action := range uint32(32) {
			if open.GetNextActions()&(1<<action) != 0 {
				offered = append(offered, action)
			}
		}
		if len(offered) == 0 {
			return client.Bet{}
		}
		return client.Bet{Action: offered[g.rng.IntN(len(offered))]}
	}
	mode := game.GetModes()[0]
	if g.rng.IntN(12) == 0 {
		mode = game.GetModes()[g.rng.IntN(len(game.GetModes()))]
	}
	return client.Bet{Mode: mode.GetName(), StakeMinor: stakeMinor}
}

// bearable keeps errors that a player goes on from: what may succeed later, what
// stayed unknown (the history says so), and an empty wallet.
func (g *guest) bearable(err error) error {
	if client.EffectOf(err) == client.NotApplied && client.CodeOf(err) != "insufficient_funds" {
		return err
	}
	return nil
}
