package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/node/releases"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/wallet"
)

// canaryGame has rounds of one step.
const canaryGame = "harbor-lines"

// report is a gate's report in which every round of the base mode wins twice
// its cost with the given probability.
func report(t *testing.T, probability float64) []byte {
	t.Helper()
	r := &gate.Report{Kind: gate.ReportKind, Schema: gate.ReportVersion, Verdict: gate.Pass, Modes: []gate.Mode{{
		Mode: "base", StakeMinor: 100, CostMinor: 100, Exact: &gate.Exact{Countable: true},
		Distribution: &gate.Distribution{Source: "exact", CostMinor: 100, Points: []gate.Point{{Probability: 1 - probability}, {WinMinor: 200, Probability: probability}}},
	}}}
	b, err := r.JSON()
	must(t, err)
	return b
}

// store keeps a document on the first node.
func (c *cluster) store(t *testing.T, b []byte) registry.Digest {
	t.Helper()
	digest := sha256.Sum256(b)
	must(t, c.nodes[0].Blobs().Put(blobs.Digest(digest), int64(len(b)), bytes.NewReader(b)))
	return digest
}

// TestCanary: a canary whose rounds are not those of its report is taken back
// by the cluster itself, in every region, and its history says why.
func TestCanary(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three nodes and plays a thousand rounds")
	}
	c := newCluster(t)
	for i := range c.nodes {
		eventually(t, "the registry is founded", func(context.Context) (bool, error) {
			if c.nodes[i].Registry().State().Game(canaryGame) == nil {
				return false, fmt.Errorf("node %d does not know the game", i)
			}
			return true, nil
		})
	}
	first := c.nodes[0].Registry().State().Releases(canaryGame)[0]
	wasm, _ := rebuilt(t, canaryGame, "canary")
	public := ed25519.PublicKey(bytes.Repeat([]byte{8}, ed25519.PublicKeySize))
	_, err := c.studio(t, 0).AddStudioKey(t.Context(), &edgereelv1.AddStudioKeyRequest{Studio: releases.BuiltinStudio, PublicKey: public, Person: "root", Reason: "the test"})
	must(t, err)
	r := *first
	r.Version, r.KeyID, r.Module, r.ModuleBytes = "1.0.77", registry.KeyID(public), c.store(t, wasm), int64(len(wasm))
	r.Envelope, r.ParSheet = c.store(t, []byte("envelope")), c.store(t, []byte("sheet"))
	for _, op := range []registry.Op{
		{ID: "push", Person: "ann", Draft: &registry.DraftOp{Release: r}},
		{Person: "ann", Verdict: &registry.Verdict{Game: r.Game, Version: r.Version, Attempt: "push", Passed: true, Report: c.store(t, report(t, 0.48))}},
		{Person: "ben", Move: &registry.Move{Game: r.Game, Version: r.Version, To: registry.Approved}},
		{Person: "ben", Move: &registry.Move{Game: r.Game, Version: r.Version, To: registry.Canary, ShareX10000: wallet.ShareAll}},
	} {
		_, err := c.nodes[0].Registry().Submit(t.Context(), op)
		must(t, err)
	}
	runs := func(what string, follows func(b wallet.GameBuilds) bool) {
		t.Helper()
		eventually(t, what, func(context.Context) (bool, error) {
			for i, n := range c.nodes {
				for _, s := range c.configs[i].Shards {
					if b := n.Builds(s.ID, canaryGame); !follows(b) {
						return false, fmt.Errorf("shard %d runs %+v on %s", s.ID, b, c.configs[i].Node)
					}
				}
			}
			return true, nil
		})
	}
	runs("every shard runs the canary", func(b wallet.GameBuilds) bool { return b.Canary != nil && b.Canary.Version == r.Version })
	c.playCanary(t, r.Module)

	back := eventually(t, "the canary is taken back", func(context.Context) (*registry.Release, error) {
		if now := c.nodes[1].Registry().State().Release(canaryGame, r.Version); now.Phase == registry.RolledBack {
			return now, nil
		}
		return nil, fmt.Errorf("it still runs")
	})
	last := back.History[len(back.History)-1]
	if last.Person != "canary-watcher" || !strings.Contains(last.Reason, `mode "base"`) {
		t.Errorf("the last step is %+v", last)
	}
	runs("every shard is back", func(b wallet.GameBuilds) bool { return b.Canary == nil && b.Live.Version == first.Version && b.Enabled })
	for i := range c.logs {
		if n := strings.Count(c.logs[i].String(), "canary rolled back"); n > 1 {
			t.Errorf("a node tells %d times that it took the canary back", n)
		}
	}
	c.verify(t)
}

// playCanary plays enough rounds, in every region, for the first look.
func (c *cluster) playCanary(t *testing.T, module registry.Digest) {
	t.Helper()
	const players, rounds = 12, 100
	var all sync.WaitGroup
	var onCanary atomic.Int64
	for n := range players {
		p := c.newPlayer(t, fmt.Sprintf("player-%d", n), regions()[n%3], 1_000_000_000)
		session := c.openSession(t, p, canaryGame, "k")
		all.Go(func() {
			for step := uint64(1); step <= rounds; step++ {
				req := &edgereelv1.PlayRequest{Wallet: p.wallet, Session: session, Step: step, Mode: "base", StakeMinor: 100}
				res, err := c.plays(n%3, p).Play(t.Context(), req)
				if err != nil {
					t.Errorf("round %d: %v", step, err)
					return
				}
				if res.GetModuleDigest() == module.String() {
					onCanary.Add(1)
				}
			}
		})
	}
	all.Wait()
	// The first look may take it back while the last rounds are played.
	if n := onCanary.Load(); n < 1000 {
		t.Errorf("%d of %d rounds ran on the canary", n, players*rounds)
	}
}
