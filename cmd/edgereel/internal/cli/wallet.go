package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// walletGroup is `edgereel wallet`.
type walletGroup struct {
	Show walletShow `cmd:"" help:"Show a wallet with its open sessions."`
}

type walletShow struct {
	reachFlags
	Wallet string `arg:"" help:"Id of the wallet, 32 hexadecimal digits."`
	Stale  bool   `help:"Take the nearest replica's answer at once, labelled with its sequence."`
}

// Help is shown by --help.
func (*walletShow) Help() string {
	return `Reads the wallet in its shard's log, so that everything acknowledged before is in.

Examples:
  edgereel wallet show 00f3a1…
  edgereel wallet show 00f3a1… --json | jq .balance_minor`
}

// walletReport is the line of --json.
type walletReport struct {
	Schema       int             `json:"schema"`
	Wallet       string          `json:"wallet"`
	Currency     string          `json:"currency"`
	Exponent     uint32          `json:"exponent"`
	BalanceMinor int64           `json:"balance_minor"`
	HeldMinor    int64           `json:"held_minor"`
	WalletSeq    uint64          `json:"wallet_seq"`
	Shard        uint32          `json:"shard"`
	Epoch        uint32          `json:"epoch"`
	ShardSeq     uint64          `json:"shard_seq"`
	ShardHash    string          `json:"shard_hash"`
	Node         string          `json:"node"`
	Stale        bool            `json:"stale"`
	Sessions     []sessionReport `json:"sessions"`
}

type sessionReport struct {
	Session    string       `json:"session"`
	Game       string       `json:"game"`
	Commitment string       `json:"commitment"`
	ClientSeed string       `json:"client_seed"`
	NextStep   uint64       `json:"next_step"`
	Rounds     uint64       `json:"rounds"`
	OpenRound  *roundReport `json:"open_round"`
}

type roundReport struct {
	Round         string `json:"round"`
	ModuleDigest  string `json:"module_digest"`
	Mode          string `json:"mode"`
	StakeMinor    int64  `json:"stake_minor"`
	WinSoFarMinor int64  `json:"win_so_far_minor"`
	NextActions   uint32 `json:"next_actions"`
	Frozen        bool   `json:"frozen"`
}

// Run shows a wallet.
func (w *walletShow) Run(ctx context.Context, std *streams) error {
	file, c, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer closeClient(c)
	if err := needOperator(file); err != nil {
		return err
	}
	found, err := c.Operator(file.OperatorToken).GetWallet(ctx, w.Wallet, w.Stale)
	if err != nil {
		return err
	}
	report := newWalletReport(found)
	if w.JSON {
		return printJSON(std.out, report)
	}
	return report.print(std.out)
}

func newWalletReport(found *edgereelv1.OperatorGetWalletResponse) walletReport {
	w, p := found.GetWallet(), found.GetPosition()
	r := walletReport{
		Schema: 1, Wallet: w.GetWallet(), Currency: w.GetCurrency(), Exponent: w.GetExponent(), BalanceMinor: w.GetBalanceMinor(),
		HeldMinor: w.GetHeldMinor(), WalletSeq: w.GetWalletSeq(), Shard: p.GetShard(), Epoch: p.GetEpoch(), ShardSeq: p.GetShardSeq(),
		ShardHash: p.GetShardHash(), Node: p.GetNode(), Stale: found.GetStale(), Sessions: []sessionReport{},
	}
	for _, s := range w.GetSessions() {
		session := sessionReport{
			Session: s.GetSession(), Game: s.GetGame(), Commitment: s.GetCommitment(), ClientSeed: s.GetClientSeed(),
			NextStep: s.GetNextStep(), Rounds: s.GetRounds(),
		}
		if o := s.GetOpenRound(); o != nil {
			session.OpenRound = &roundReport{
				Round: o.GetRound(), ModuleDigest: o.GetModuleDigest(), Mode: o.GetMode(), StakeMinor: o.GetStakeMinor(),
				WinSoFarMinor: o.GetWinSoFarMinor(), NextActions: o.GetNextActions(), Frozen: o.GetFrozen(),
			}
		}
		r.Sessions = append(r.Sessions, session)
	}
	return r
}

func (r *walletReport) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "wallet\t%s\n", r.Wallet)
	fmt.Fprintf(table, "balance\t%s\n", amount(r.BalanceMinor, r.Exponent, r.Currency))
	fmt.Fprintf(table, "held\t%s\n", amount(r.HeldMinor, r.Exponent, r.Currency))
	fmt.Fprintf(table, "sequence\t%d (shard %d at %d, hash %.16s…)\n", r.WalletSeq, r.Shard, r.ShardSeq, r.ShardHash)
	for _, s := range r.Sessions {
		fmt.Fprintf(table, "session\t%s of %s, next step %d, %d rounds\n", s.Session, s.Game, s.NextStep, s.Rounds)
		if s.OpenRound != nil {
			fmt.Fprintf(table, "open round\t%s in mode %s, stake %s, won so far %s\n", s.OpenRound.Round, s.OpenRound.Mode,
				amount(s.OpenRound.StakeMinor, r.Exponent, r.Currency), amount(s.OpenRound.WinSoFarMinor, r.Exponent, r.Currency))
		}
	}
	if r.Stale {
		fmt.Fprintf(table, "note\tstale: node %s as of this sequence\n", r.Node)
	}
	return table.Flush()
}
