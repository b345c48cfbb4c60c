package cli

import (
	"context"
	"fmt"
	"strings"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// roundGroup is `edgereel round`.
type roundGroup struct {
	Resolve roundResolve `cmd:"" help:"Agree on how a frozen round ends; two persons have to."`
}

// roundResolve is `edgereel round resolve`.
type roundResolve struct {
	reachFlags
	Round  string `arg:"" help:"The round, as wallet show prints it." placeholder:"WALLET-NUMBER"`
	As     string `help:"How it ends: refund gives the stake back and voids the wins, pay-win-so-far pays what it has won." enum:"refund,pay-win-so-far" required:"" placeholder:"refund|pay-win-so-far"`
	Person string `help:"Who agrees. Another person has to agree on the same." required:"" placeholder:"NAME"`
	Reason string `help:"Why, for the ledger." required:"" placeholder:"TEXT"`
}

// resolveReport is --json of round resolve.
type resolveReport struct {
	Schema       int    `json:"schema"`
	Round        string `json:"round"`
	As           string `json:"as"`
	Person       string `json:"person"`
	Resolved     bool   `json:"resolved"`
	BalanceMinor int64  `json:"balance_minor"`
	Shard        uint32 `json:"shard"`
	ShardSeq     uint64 `json:"shard_seq"`
}

// Help is shown by --help.
func (*roundResolve) Help() string {
	return `A round is frozen when its module failed in the middle of it: its stake and wins
are held, and nothing can be played on it. It ends when two persons asked for the
same; until then the first may change their mind. Repeating a command is harmless.

Exit codes: 0 the approval is in the ledger (the answer tells whether the round
has ended), 1 refused or nobody could be asked, 2 usage.

Examples:
  edgereel wallet show 0cb30b8a8b7d663d33639ba1b41011ae
  edgereel round resolve 0cb30b8a8b7d663d33639ba1b41011ae-41 --as refund --person ann --reason "ticket 7"
  edgereel round resolve 0cb30b8a8b7d663d33639ba1b41011ae-41 --as refund --person ben --reason "ticket 7"`
}

// Run approves.
func (r *roundResolve) Run(ctx context.Context, std *streams) error {
	req, err := r.request()
	if err != nil {
		return err
	}
	file, c, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer closeClient(c)
	if err := needOperator(file); err != nil {
		return err
	}
	res, err := c.Operator(file.OperatorToken).ResolveRound(ctx, req)
	if err != nil {
		return err
	}
	report := r.report(res)
	if r.JSON {
		return printJSON(std.out, report)
	}
	state := "waits for a second person who asks for the same"
	if report.Resolved {
		state = fmt.Sprintf("has ended, the balance is %d (minor units)", report.BalanceMinor)
	}
	_, err = fmt.Fprintf(std.out, "%s asked for %s: round %s %s (shard %d, sequence %d)\n",
		report.Person, report.As, report.Round, state, report.Shard, report.ShardSeq)
	return err
}

func (r *roundResolve) request() (*edgereelv1.ResolveRoundRequest, error) {
	wallet, number, ok := strings.Cut(r.Round, "-")
	if !ok || wallet == "" || number == "" {
		return nil, usage("a round is named WALLET-NUMBER, as `edgereel wallet show` prints it, not %q", r.Round)
	}
	if strings.TrimSpace(r.Person) == "" || strings.TrimSpace(r.Reason) == "" {
		return nil, usage("--person and --reason must not be empty")
	}
	how := edgereelv1.Resolution_RESOLUTION_REFUND
	if r.As == "pay-win-so-far" {
		how = edgereelv1.Resolution_RESOLUTION_PAY_WIN_SO_FAR
	}
	return &edgereelv1.ResolveRoundRequest{Wallet: wallet, Round: r.Round, Approver: r.Person, Resolution: how, Reason: r.Reason}, nil
}

func (r *roundResolve) report(res *edgereelv1.ResolveRoundResponse) *resolveReport {
	return &resolveReport{
		Schema: 1, Round: r.Round, As: r.As, Person: r.Person, Resolved: res.GetResolved(), BalanceMinor: res.GetBalanceMinor(),
		Shard: res.GetPosition().GetShard(), ShardSeq: res.GetPosition().GetShardSeq(),
	}
}
