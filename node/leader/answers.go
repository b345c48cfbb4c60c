package leader

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/wallet"
)

// Position says where a result stands in the ledger.
func (s *Service) position(r *wallet.Result) *edgereelv1.Position {
	return &edgereelv1.Position{
		Shard: s.cfg.Shard, Epoch: r.Epoch, ShardSeq: r.Seq, ShardHash: r.Hash.String(), WalletSeq: r.WalletSeq,
		ShardTimeMs: r.TimeMS, ReceiptSalt: r.Salt.String(), Node: s.cfg.Node,
	}
}

// WalletMessage gives a view its form on the wire.
func WalletMessage(v *wallet.View) *edgereelv1.Wallet {
	w := &edgereelv1.Wallet{
		Wallet: v.Wallet.String(), Currency: v.Currency.Code, Exponent: uint32(v.Currency.Exponent),
		BalanceMinor: v.BalanceMinor, HeldMinor: v.HeldMinor, WalletSeq: v.Seq,
	}
	for _, ses := range v.Sessions {
		m := &edgereelv1.Session{
			Session: ref(v.Wallet, ses.Session), Game: ses.Game, Commitment: ses.Commitment.String(),
			ClientSeed: ses.ClientSeed, NextStep: ses.NextStep, Rounds: ses.Rounds,
		}
		if r := ses.Round; r != nil {
			m.OpenRound = &edgereelv1.Round{
				Round: ref(v.Wallet, r.Round), ModuleDigest: r.Digest.String(), Mode: r.Mode, StakeMinor: r.StakeMinor,
				WinSoFarMinor: r.WinMinor, NextActions: r.NextActions, Frozen: r.Frozen,
			}
		}
		w.Sessions = append(w.Sessions, m)
	}
	return w
}

func ref(id wallet.ID, number uint64) string { return wallet.Ref{Wallet: id, Number: number}.String() }

// playResponse is the answer to a step, the same for its first execution and
// every repeat.
func (s *Service) playResponse(r *wallet.Result, presentation []byte) *edgereelv1.PlayResponse {
	return &edgereelv1.PlayResponse{
		WinMinor: r.WinMinor, CostMinor: r.CostMinor, BalanceMinor: r.BalanceMinor, Position: s.position(r),
		Round: ref(r.Wallet, r.Round), Step: r.Step, RoundOpen: r.RoundOpen, RoundWinMinor: r.RoundWinMinor,
		NextActions: r.NextActions, ModuleDigest: r.Digest.String(), DrawsDigest: r.DrawsDigest.String(),
		Presentation: presentation, Incident: r.Incident,
	}
}

// record draws the spans of an operation's way through the group: from the
// proposal to its commit, and inside it the time it was applied.
func record(ctx context.Context, a *consensus.Answer) {
	span := trace.SpanFromContext(ctx)
	if a.Proposed.IsZero() || !span.IsRecording() {
		return
	}
	tracer := span.TracerProvider().Tracer("edgereel/consensus")
	commitCtx, commit := tracer.Start(ctx, "commit", trace.WithTimestamp(a.Proposed),
		trace.WithAttributes(attribute.String("shard_seq", strconv.FormatUint(a.Seq, 10))))
	_, apply := tracer.Start(commitCtx, "apply", trace.WithTimestamp(a.Applying))
	apply.End(trace.WithTimestamp(a.Applied))
	commit.End(trace.WithTimestamp(a.Committed))
}
