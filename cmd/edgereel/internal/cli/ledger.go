package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/chaos/verify"
)

// ledgerGroup is `edgereel ledger`.
type ledgerGroup struct {
	Verify ledgerVerify `cmd:"" help:"Ask every node whether the ledger is what it should be."`
	Round  ledgerRound  `cmd:"" help:"Read one round out of the journal, to be replayed."`
}

type ledgerVerify struct {
	reachFlags
	History   string `help:"Compare with what clients were told, as play --history wrote it." placeholder:"FILE" type:"existingfile"`
	Exclusive bool   `help:"Nobody else used the wallets of the history: report operations nobody asked for."`
}

// Help is shown by --help.
func (*ledgerVerify) Help() string {
	return `Compares all reachable replicas of every shard at a common sequence, recomputes
every journal's chain, checks that all entries sum to zero, and has the recorded
outcomes evaluated again. With a history, everything acknowledged must be in the
journal once, with the same win and balance.

Exit codes: 0 the ledger is right, 10 it is not, 1 nobody could be asked.

Examples:
  edgereel ledger verify
  edgereel ledger verify --history h.jsonl --json`
}

// Run verifies the ledger.
func (l *ledgerVerify) Run(ctx context.Context, std *streams) error {
	records, err := readHistory(l.History)
	if err != nil {
		return err
	}
	file, c, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer closeClient(c)
	if err := needOperator(file); err != nil {
		return err
	}
	cfg := verify.Config{Client: c, Token: file.OperatorToken, History: records, Complete: l.Exclusive}
	for _, n := range file.Nodes {
		cfg.Nodes = append(cfg.Nodes, n.Node)
	}
	report, err := verify.Ledger(ctx, cfg)
	if err != nil {
		return err
	}
	if l.JSON {
		err = printJSON(std.out, report)
	} else {
		err = printVerdict(std.out, report, l.History != "")
	}
	if err == nil && !report.OK {
		return errVerdict
	}
	return err
}

func readHistory(path string) ([]history.Record, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	records, err := history.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return records, nil
}

func printVerdict(out io.Writer, r *verify.Report, withHistory bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SHARD\tSEQUENCE\tREPLICAS\tHASH\tSUM")
	for _, s := range r.Shards {
		equal := "equal"
		if !s.HashEqual {
			equal = "DIFFERENT"
		}
		fmt.Fprintf(table, "%d\t%d\t%d\t%s\t%d\n", s.Shard, s.ShardSeq, s.Replicas, equal, s.SumMinor)
	}
	fmt.Fprintf(table, "\noutcomes\t%d evaluated again by nodes, %d here, %d differ; %d from seeds not revealed yet\n",
		r.Replayed, r.Revealed, r.ReplayMismatch, r.Unrevealed)
	if withHistory {
		fmt.Fprintf(table, "history\t%d acknowledged: %d missing, %d duplicated, %d mismatched, %d with conflicting results\n",
			r.Acknowledged, r.Missing, r.Duplicated, r.Mismatched, r.ConflictingResults)
	}
	if len(r.Unreachable) > 0 {
		fmt.Fprintf(table, "not reached\t%s\n", strings.Join(r.Unreachable, ", "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintln(out, "  "+p.String())
	}
	verdict := "The ledger is right."
	if !r.OK {
		verdict = "The ledger is NOT right."
	}
	_, err := fmt.Fprintln(out, "\n"+verdict)
	return err
}
