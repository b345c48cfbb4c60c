package node_test

import (
	"context"
	"fmt"
	"math/bits"
	"testing"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

// TestCluster runs all cases against one cluster, the destructive ones last.
func TestCluster(t *testing.T) {
	c := newCluster(t)
	t.Run("plays across regions", c.testPlays)
	t.Run("refusals", c.testRefusals)
	t.Run("a decided key answers first", c.testDecidedKeyAnswersFirst)
	t.Run("metrics", c.testMetrics)
	t.Run("one trace", c.testTrace)
	c.verify(t)
	t.Run("planned stop", c.testPlannedStop)
	t.Run("catching up", c.testCatchUp)
	t.Run("no quorum", c.testNoQuorum)
}

// testPlays opens a wallet at home in one region, plays it through another
// one's gateway, and checks that all replicas agree.
func (c *cluster) testPlays(t *testing.T) {
	ops := edgereelv1connect.NewOperatorServiceClient(c.client(0, c.operator))
	opened := eventually(t, "open wallet", func(ctx context.Context) (*edgereelv1.OpenWalletResponse, error) {
		return ops.OpenWallet(ctx, &edgereelv1.OpenWalletRequest{Player: "ann", Currency: "EUR", HomeRegion: "us-east"})
	})
	id := opened.GetWallet().GetWallet()
	again, err := ops.OpenWallet(t.Context(), &edgereelv1.OpenWalletRequest{Player: "ann", Currency: "EUR", HomeRegion: "eu-west"})
	must(t, err)
	if again.GetWallet().GetWallet() != id {
		t.Fatalf("the same player got a second wallet: %s and %s", id, again.GetWallet().GetWallet())
	}
	deposit := &edgereelv1.DepositRequest{Wallet: id, TransactionId: "t1", AmountMinor: 100_000, Currency: "EUR"}
	first, err := ops.Deposit(t.Context(), deposit)
	must(t, err)
	second, err := ops.Deposit(t.Context(), deposit)
	must(t, err)
	if first.GetBalanceMinor() != 100_000 || second.GetPosition().GetShardSeq() != first.GetPosition().GetShardSeq() {
		t.Fatalf("a repeated deposit: %v then %v", first, second)
	}
	issued, err := ops.IssuePlayerToken(t.Context(), &edgereelv1.IssuePlayerTokenRequest{Player: "ann", Wallet: id, TtlSeconds: 600})
	must(t, err)
	player := edgereelv1connect.NewPlayerServiceClient(c.client(2, issued.GetToken()))
	games, err := player.ListGames(t.Context(), &edgereelv1.ListGamesRequest{})
	must(t, err)
	for _, g := range games.GetGames() {
		ses, err := player.OpenSession(t.Context(), &edgereelv1.OpenSessionRequest{Wallet: id, Game: g.GetId(), Key: "k-" + g.GetId(), ClientSeed: "luck"})
		must(t, err)
		playRounds(t, player, id, ses.GetSession().GetSession(), 20)
		closed, err := player.CloseSession(t.Context(), &edgereelv1.CloseSessionRequest{Wallet: id, Session: ses.GetSession().GetSession()})
		must(t, err)
		if closed.GetCommitment() != ses.GetSession().GetCommitment() {
			t.Fatalf("%s: commitment changed", g.GetId())
		}
	}
	c.verify(t)
}

// playRounds plays whole rounds and repeats every step once.
func playRounds(t *testing.T, player edgereelv1connect.PlayerServiceClient, id, session string, rounds int) {
	t.Helper()
	step := uint64(0)
	for range rounds {
		for next, open := uint32(0), false; ; {
			step++
			req := &edgereelv1.PlayRequest{Wallet: id, Session: session, Step: step}
			if open {
				// The first action that is offered.
				req.Action = uint32(bits.TrailingZeros32(next))
			} else {
				req.Mode, req.StakeMinor = "base", 100
			}
			res, err := player.Play(t.Context(), req)
			must(t, err)
			again, err := player.Play(t.Context(), req)
			must(t, err)
			if again.GetPosition().GetShardHash() != res.GetPosition().GetShardHash() || string(again.GetPresentation()) != string(res.GetPresentation()) ||
				again.GetWinMinor() != res.GetWinMinor() {
				t.Fatalf("step %d repeats as %v, was %v", step, again, res)
			}
			if next, open = res.GetNextActions(), res.GetRoundOpen(); !open {
				break
			}
		}
	}
}

// verify waits until all replicas stand at the same sequence, then compares
// them, checks the sums and evaluates every recorded outcome again on every
// node.
func (c *cluster) verify(t *testing.T) {
	t.Helper()
	var audits []edgereelv1connect.AuditServiceClient
	for i := range c.nodes {
		audits = append(audits, c.audit(i))
	}
	heads := eventually(t, "replicas at one sequence", func(ctx context.Context) ([]*edgereelv1.ShardHead, error) {
		var common []*edgereelv1.ShardHead
		for _, a := range audits {
			res, err := a.GetShards(ctx, &edgereelv1.GetShardsRequest{})
			if err != nil {
				return nil, err
			}
			for i, s := range res.GetShards() {
				if s.GetShardSeq() == 0 {
					return nil, fmt.Errorf("shard %d is not founded on %s", s.GetShard(), res.GetNode())
				}
				if len(common) > i && s.GetShardSeq() != common[i].GetShardSeq() {
					return nil, fmt.Errorf("%s stands at %d, others at %d", res.GetNode(), s.GetShardSeq(), common[i].GetShardSeq())
				}
			}
			common = res.GetShards()
		}
		return common, nil
	})
	for _, head := range heads {
		for _, sum := range head.GetSums() {
			if sum.GetSumMinor() != 0 {
				t.Errorf("shard %d: %s sums to %d", head.GetShard(), sum.GetCurrency(), sum.GetSumMinor())
			}
		}
		for i, a := range audits {
			at, err := a.HashAt(t.Context(), &edgereelv1.HashAtRequest{Shard: head.GetShard(), ShardSeq: head.GetShardSeq()})
			must(t, err)
			if at.GetShardHash() != head.GetShardHash() {
				t.Errorf("node %d, shard %d: hash differs at %d", i, head.GetShard(), head.GetShardSeq())
			}
			replayed, err := a.Replay(t.Context(), &edgereelv1.ReplayRequest{Shard: head.GetShard()})
			must(t, err)
			for _, m := range replayed.GetMismatches() {
				t.Errorf("node %d, shard %d, sequence %d: %s", i, head.GetShard(), m.GetShardSeq(), m.GetDetail())
			}
		}
	}
}
