package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// gamesCommand is `edgereel games`.
type gamesCommand struct{ reachFlags }

// gameReport is one element of --json.
type gameReport struct {
	Schema  int          `json:"schema"`
	ID      string       `json:"id"`
	Version string       `json:"version"`
	Digest  string       `json:"digest"`
	Modes   []modeReport `json:"modes"`
	RTP     string       `json:"rtp"`
	Enabled bool         `json:"enabled"`
}

type modeReport struct {
	Name     string `json:"name"`
	CostX100 uint32 `json:"cost_x100"`
	RTP      string `json:"rtp"`
	MaxWinX  uint64 `json:"max_win_x"`
}

// Help is shown by --help.
func (*gamesCommand) Help() string {
	return `Examples:
  edgereel games
  edgereel games --json | jq -r '.[].id'`
}

// Run lists the games.
func (g *gamesCommand) Run(ctx context.Context, std *streams) error {
	file, c, err := g.open(ctx)
	if err != nil {
		return err
	}
	defer closeClient(c)
	token, wallet := file.OperatorToken, ""
	if token == "" && len(file.Players) > 0 {
		token, wallet = file.Players[0].Token, file.Players[0].Wallet
	}
	found, err := c.Player(token, wallet).ListGames(ctx)
	if err != nil {
		return err
	}
	games := newGameReports(found)
	if g.JSON {
		return printJSON(std.out, games)
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GAME\tVERSION\tMODE\tCOST\tRTP\tMAX WIN\tDIGEST")
	for _, game := range games {
		for _, mode := range game.Modes {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d.%02d×\t%s\t%d×\t%.12s\n", game.ID, game.Version, mode.Name,
				mode.CostX100/100, mode.CostX100%100, mode.RTP, mode.MaxWinX, game.Digest)
		}
		if !game.Enabled {
			fmt.Fprintf(table, "%s\t\tdisabled\n", game.ID)
		}
	}
	return table.Flush()
}

func newGameReports(found *edgereelv1.ListGamesResponse) []gameReport {
	games := []gameReport{}
	for _, m := range found.GetGames() {
		game := gameReport{
			Schema: 1, ID: m.GetId(), Version: m.GetVersion(), Digest: m.GetDigest(), RTP: m.GetRtp(), Enabled: m.GetEnabled(),
			Modes: []modeReport{},
		}
		for _, mode := range m.GetModes() {
			game.Modes = append(game.Modes, modeReport{Name: mode.GetName(), CostX100: mode.GetCostX100(), RTP: mode.GetRtp(), MaxWinX: mode.GetMaxWinX()})
		}
		games = append(games, game)
	}
	return games
}
