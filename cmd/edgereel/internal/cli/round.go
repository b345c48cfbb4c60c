package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/edgereel/edgereel/chaos/verify"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
	"github.com/edgereel/edgereel/gamelogic/record"
)

type ledgerRound struct {
	reachFlags
	Round string `arg:"" help:"The round, as play and wallet show print it." placeholder:"WALLET-NUMBER"`
}

// Help is shown by --help.
func (*ledgerRound) Help() string {
	return `Reads one round out of the journal of the first node that answers: what was asked
and decided in every step, and the seed once its session is closed. With --json it
is a record that studio replay plays again offline.

It reads whole journals, so it is for a round in question, not for many.

Exit codes: 0 found, 10 no journal has it, 1 nobody could be asked.

Examples:
  edgereel ledger round 0cb30b8a8b7d663d33639ba1b41011ae-41
  edgereel ledger round 0cb30b8a8b7d663d33639ba1b41011ae-41 --json > round.json`
}

// Run exports a round.
func (l *ledgerRound) Run(ctx context.Context, std *streams) error {
	r, err := l.export(ctx, l.Round)
	if errors.Is(err, verify.ErrNoRound) {
		return &failure{ExitVerdict, err}
	}
	if err != nil {
		return err
	}
	if l.JSON {
		return printJSON(std.out, r)
	}
	return printRound(std.out, r)
}

// export asks the cluster for a round.
func (r reachFlags) export(ctx context.Context, ref string) (*record.Round, error) {
	file, c, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer closeClient(c)
	if err := needOperator(file); err != nil {
		return nil, err
	}
	cfg := verify.Config{Client: c, Token: file.OperatorToken, CatchUp: 10 * time.Second}
	for _, n := range file.Nodes {
		cfg.Nodes = append(cfg.Nodes, n.Node)
	}
	return verify.Round(ctx, cfg, ref)
}

func printRound(out io.Writer, r *record.Round) error {
	seed := r.Seed
	if seed == "" {
		seed = "still sealed: it is revealed when the session is closed"
	}
	fmt.Fprintf(out, "round        %s of session %s, game %s\nmodule       %s\nmode         %s, stake %d\ncommitment   %s\nclient seed  %q\nseed         %s\n",
		r.Round, r.Session, r.Game, r.ModuleDigest, r.Mode, r.StakeMinor, r.Commitment, r.ClientSeed, seed)
	for i, s := range r.Steps {
		what := fmt.Sprintf("win %d, closed %t", s.WinMinor, s.Closed)
		if s.Incident != "" {
			what = "the incident " + s.Incident
		}
		fmt.Fprintf(out, "step %-7d action %d, choice %d: %s, %d draws, at sequence %d\n", i+1, s.Action, s.Choice, what, s.Draws, s.ShardSeq)
	}
	_, err := fmt.Fprintf(out, "win          %d, closed %t\n", r.WinMinor, r.Closed)
	return err
}

// studioReplay is `edgereel studio replay`, with a way to the cluster.
type studioReplay struct {
	studio.Replay
	Cluster string `help:"With --round: the cluster's file; default is $$EDGEREEL_CLUSTER, then the last dev's." placeholder:"FILE" type:"path"`
	Round   string `help:"Ask the cluster for the record of this round." placeholder:"WALLET-NUMBER" xor:"record"`
}

// Run replays a round.
func (s *studioReplay) Run(ctx context.Context, std *streams) error {
	r, err := s.find(ctx, std)
	if err != nil {
		return studioFailure(err)
	}
	return studioFailure(s.Do(ctx, std.out, r))
}

func (s *studioReplay) find(ctx context.Context, std *streams) (*record.Round, error) {
	if s.Round == "" && s.Record == "" {
		return nil, &failure{ExitUsage, errors.New("name a record with --record or a round with --round")}
	}
	if s.Round == "" {
		return s.Read(std.in)
	}
	r, err := reachFlags{Cluster: s.Cluster}.export(ctx, s.Round)
	if err != nil {
		return nil, fmt.Errorf("ask the cluster: %w", err)
	}
	return r, nil
}
