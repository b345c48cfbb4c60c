package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/node/releases"
	"github.com/edgereel/edgereel/storage/blobs"
)

// releaseGame has rounds of several steps.
const releaseGame = "ember-vault"

// nextVersion is the one that is released.
const nextVersion = "1.0.99"

// rebuilt is a reference game's module with other bytes: a section of notes
// that no engine reads.
func rebuilt(t *testing.T, id, note string) ([]byte, blobs.Digest) {
	t.Helper()
	for _, g := range games.All() {
		if g.ID == id {
			section := append([]byte{byte(len("note"))}, "note"+note...)
			wasm := append(bytes.Clone(g.Wasm), 0, byte(len(section)))
			wasm = append(wasm, section...)
			return wasm, sha256.Sum256(wasm)
		}
	}
	t.Fatalf("there is no game %s", id)
	return nil, blobs.Digest{}
}

// studio speaks to one node as somebody with every role.
func (c *cluster) studio(t *testing.T, i int) edgereelv1connect.StudioServiceClient {
	t.Helper()
	token, err := c.issuer(t, cluster1, 0).Operator("acme", []string{"studio", "admin", "auditor"}, time.Hour)
	must(t, err)
	return edgereelv1connect.NewStudioServiceClient(c.client(i, token))
}

// move takes a step at a node, and expects its answer.
func (c *cluster) move(t *testing.T, i int, to string) {
	t.Helper()
	res, err := c.studio(t, i).MoveRelease(t.Context(), &edgereelv1.MoveReleaseRequest{
		Game: releaseGame, Version: nextVersion, To: to, Person: "ben", Reason: "the test",
	})
	must(t, err)
	if res.GetRelease().GetState() != to {
		t.Fatalf("%s is %s after it was made %s", nextVersion, res.GetRelease().GetState(), to)
	}
}

// follows waits until every replica of every shard on every node runs a build.
func (c *cluster) follows(t *testing.T, version string) time.Duration {
	t.Helper()
	start := time.Now()
	eventually(t, "every shard runs "+version, func(context.Context) (bool, error) {
		for i, n := range c.nodes {
			for _, s := range c.configs[i].Shards {
				if b := n.Builds(s.ID, releaseGame); b.Live.Version != version {
					return false, fmt.Errorf("shard %d runs %q on %s", s.ID, b.Live.Version, c.configs[i].Node)
				}
			}
		}
		return true, nil
	})
	return time.Since(start)
}

// TestReleases takes a new version of a game through a cluster: bytes that only
// one node has, a registry that loses its leader, a round that stays with its
// version, a way back, and a file that changes on disk.
func TestReleases(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three nodes")
	}
	c := newCluster(t)
	for i := range c.nodes {
		eventually(t, "the registry is founded", func(context.Context) (bool, error) {
			if c.nodes[i].Registry().State().Game(releaseGame) == nil {
				return false, fmt.Errorf("node %d does not know the game", i)
			}
			return true, nil
		})
	}
	first := c.nodes[0].Registry().State().Releases(releaseGame)[0]

	// A round of several steps is left open on the first version.
	p := c.newPlayer(t, "vera", "eu-west", 10_000_000)
	session := c.openSession(t, p, releaseGame, "k1")
	open := c.leaveOpen(t, p, session)

	// Somebody pushes the next version to node 1.
	wasm, digest := rebuilt(t, releaseGame, "second")
	must(t, c.nodes[0].Blobs().Put(digest, int64(len(wasm)), bytes.NewReader(wasm)))
	for i := 1; i < 3; i++ {
		if c.nodes[i].Blobs().Has(digest) {
			t.Fatalf("node %d has the module already", i)
		}
	}
	c.push(t, first, digest, wasm)
	_, err := c.studio(t, 1).MoveRelease(t.Context(), &edgereelv1.MoveReleaseRequest{Game: releaseGame, Version: nextVersion, To: "approved", Person: "ann"})
	if d := api.DetailOf(err); d.GetCode() != string(registry.CodeSamePerson) || connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("the pusher approved: %v", err)
	}
	c.move(t, 1, "approved")
	for i, n := range c.nodes {
		eventually(t, "a node fetches and loads the module", func(context.Context) (bool, error) {
			if n.Releases().Game(digest) == nil {
				return false, fmt.Errorf("%s: %+v", c.configs[i].Node, n.Releases().Status())
			}
			return true, nil
		})
	}

	// The registry's leader dies before the release goes live.
	leader := c.index(c.nodes[0].Registry().Leader())
	must(t, c.nodes[leader].Close())
	other := (leader + 1) % 3
	c.moveUntil(t, other, "live")
	c.start(leader)
	t.Logf("every replica runs the new version after %v", c.follows(t, nextVersion))

	// The open round goes on with its own module.
	via := (leader + 2) % 3
	if digests := c.finish(t, via, p, session, open); len(digests) != 1 || digests[first.Module.String()] == 0 {
		t.Errorf("the round was finished on %v, not on %s", digests, first.Module)
	}
	if digests := c.anotherRound(t, via, p, session, open.step); digests[digest.String()] == 0 {
		t.Errorf("the next round ran on %v, not on %s", digests, digest)
	}
	listed, err := c.plays(via, p).ListGames(t.Context(), &edgereelv1.ListGamesRequest{})
	must(t, err)
	for _, g := range listed.GetGames() {
		if g.GetId() == releaseGame && (g.GetVersion() != nextVersion || !g.GetEnabled()) {
			t.Errorf("listed as %v", g)
		}
	}
	shown, err := c.studio(t, via).GetRelease(t.Context(), &edgereelv1.GetReleaseRequest{Game: releaseGame, Version: nextVersion})
	must(t, err)
	if len(shown.GetShards()) != 3 || shown.GetShards()[0].GetLiveVersion() != nextVersion || shown.GetRelease().GetState() != "live" {
		t.Errorf("the release is told as %v", shown)
	}

	t.Run("way back", func(t *testing.T) {
		c.move(t, via, "rolled_back")
		t.Logf("every replica is back after %v", c.follows(t, first.Version))
	})
	t.Run("damaged file", func(t *testing.T) { c.damage(t, via, digest) })
	t.Run("documents", func(t *testing.T) { c.documents(t, first) })
	c.verify(t)
}

// TestReleases_Learned: nodes without a vote in the registry learn it, change it
// and have the shards they lead follow.
func TestReleases_Learned(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three nodes")
	}
	c := newClusterWith(t, func(cfg *config.Config) { cfg.Registry.Voters = []string{"eu-west-1"} })
	first := eventually(t, "a node without a vote knows the game", func(context.Context) (*registry.Release, error) {
		list := c.nodes[2].Registry().State().Releases(releaseGame)
		if len(list) == 0 {
			return nil, errors.New("it does not")
		}
		return list[0], nil
	})
	for i, n := range c.nodes {
		if n.Registry().Leads() != (i == 0) {
			t.Errorf("node %d leads: %v", i, n.Registry().Leads())
		}
	}
	wasm, digest := rebuilt(t, releaseGame, "learned")
	must(t, c.nodes[0].Blobs().Put(digest, int64(len(wasm)), bytes.NewReader(wasm)))
	c.push(t, first, digest, wasm)
	c.move(t, 2, "approved")
	c.move(t, 1, "live")
	t.Logf("every replica runs the new version after %v", c.follows(t, nextVersion))
	must(t, c.nodes[2].Drain(t.Context()))
}

// push records a checked version whose module is stored already, as package
// push would after its gate.
func (c *cluster) push(t *testing.T, first *registry.Release, digest blobs.Digest, wasm []byte) {
	t.Helper()
	public := ed25519.PublicKey(bytes.Repeat([]byte{7}, ed25519.PublicKeySize))
	_, err := c.studio(t, 2).AddStudioKey(t.Context(), &edgereelv1.AddStudioKeyRequest{
		Studio: releases.BuiltinStudio, PublicKey: public, Person: "root", Reason: "the test",
	})
	must(t, err)
	var documents [3]registry.Digest
	for i := range documents {
		text := fmt.Sprintf("document %d", i)
		documents[i] = sha256.Sum256([]byte(text))
		must(t, c.nodes[0].Blobs().Put(blobs.Digest(documents[i]), int64(len(text)), strings.NewReader(text)))
	}
	r := *first
	r.Version, r.KeyID, r.Module, r.ModuleBytes = nextVersion, registry.KeyID(public), registry.Digest(digest), int64(len(wasm))
	r.Envelope, r.ParSheet = documents[0], documents[1]
	for _, op := range []registry.Op{
		{ID: "push", Person: "ann", Draft: &registry.DraftOp{Release: r}},
		{Person: "ann", Verdict: &registry.Verdict{Game: r.Game, Version: r.Version, Attempt: "push", Passed: true, Report: documents[2]}},
	} {
		_, err := c.nodes[0].Registry().Submit(t.Context(), op)
		must(t, err)
	}
}

// moveUntil takes a step while the registry may have no leader.
func (c *cluster) moveUntil(t *testing.T, i int, to string) {
	t.Helper()
	eventually(t, "the registry decides again", func(ctx context.Context) (bool, error) {
		_, err := c.studio(t, i).MoveRelease(ctx, &edgereelv1.MoveReleaseRequest{Game: releaseGame, Version: nextVersion, To: to, Person: "ben"})
		if api.DetailOf(err).GetCode() == string(registry.CodeWrongState) {
			// An attempt that was not answered had been applied.
			return true, nil
		}
		return err == nil, err
	})
}

// openRound is a round that waits for its next step.
type openRound struct {
	step uint64
	next uint32
}

// leaveOpen plays until a round stays open.
func (c *cluster) leaveOpen(t *testing.T, p player, session string) *openRound {
	t.Helper()
	for step := uint64(1); step < 2000; step++ {
		res, err := c.plays(0, p).Play(t.Context(), &edgereelv1.PlayRequest{Wallet: p.wallet, Session: session, Step: step, Mode: "base", StakeMinor: 100})
		must(t, err)
		if res.GetRoundOpen() {
			return &openRound{step: step, next: res.GetNextActions()}
		}
	}
	t.Fatal("no round stayed open")
	return nil
}

// finish plays an open round to its end and counts the modules it ran on.
func (c *cluster) finish(t *testing.T, via int, p player, session string, open *openRound) map[string]int {
	t.Helper()
	digests := map[string]int{}
	for {
		open.step++
		req := &edgereelv1.PlayRequest{Wallet: p.wallet, Session: session, Step: open.step, Action: uint32(bits.TrailingZeros32(open.next))}
		res := eventually(t, "a step of the open round", func(ctx context.Context) (*edgereelv1.PlayResponse, error) { return c.plays(via, p).Play(ctx, req) })
		digests[res.GetModuleDigest()]++
		if open.next = res.GetNextActions(); !res.GetRoundOpen() {
			return digests
		}
	}
}

// anotherRound plays one whole round and counts the modules it ran on.
func (c *cluster) anotherRound(t *testing.T, via int, p player, session string, last uint64) map[string]int {
	t.Helper()
	req := &edgereelv1.PlayRequest{Wallet: p.wallet, Session: session, Step: last + 1, Mode: "base", StakeMinor: 100}
	res := eventually(t, "a new round", func(ctx context.Context) (*edgereelv1.PlayResponse, error) { return c.plays(via, p).Play(ctx, req) })
	digests := map[string]int{res.GetModuleDigest(): 1}
	if res.GetRoundOpen() {
		for d, n := range c.finish(t, via, p, session, &openRound{step: last + 1, next: res.GetNextActions()}) {
			digests[d] += n
		}
	}
	return digests
}

// damage flips a byte of a stored module: the next look finds it, stops the
// game, and has it brought again.
func (c *cluster) damage(t *testing.T, i int, digest blobs.Digest) {
	n := c.nodes[i]
	path := filepath.Join(c.configs[i].Data, "blobs", digest.String()[:2], digest.String())
	data, err := os.ReadFile(path)
	must(t, err)
	data[len(data)/2] ^= 1
	must(t, os.WriteFile(path, data, 0o600))
	n.Releases().VerifyAll(t.Context())
	if kept, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(kept, data) {
		t.Errorf("the damaged bytes are not kept: %v", err)
	}
	if !strings.Contains(c.logs[i].String(), "a stored blob is damaged") {
		t.Error("the log does not tell")
	}
	eventually(t, "the module is back", func(context.Context) (bool, error) {
		if n.Releases().Game(digest) == nil {
			return false, fmt.Errorf("%+v", n.Releases().Status())
		}
		return true, nil
	})
	must(t, n.Blobs().Verify(digest))
	for _, m := range c.status(t, i).GetModules() {
		if m.GetDigest() == digest.String() && (!m.GetLoaded() || m.GetTrouble() != "") {
			t.Errorf("the status tells of %v", m)
		}
	}
}

// documents are on every node, and modules are nobody else's.
func (c *cluster) documents(t *testing.T, first *registry.Release) {
	report := c.nodes[0].Registry().State().Release(releaseGame, nextVersion).Report
	for i := range c.nodes {
		res := eventually(t, "a document", func(ctx context.Context) (*edgereelv1.GetBlobResponse, error) {
			return c.studio(t, i).GetBlob(ctx, &edgereelv1.GetBlobRequest{Digest: report.String()})
		})
		if string(res.GetData()) != "document 2" || res.GetSize() != uint64(len("document 2")) {
			t.Errorf("node %d gives %q", i, res.GetData())
		}
	}
	_, err := c.studio(t, 0).GetBlob(t.Context(), &edgereelv1.GetBlobRequest{Digest: first.Module.String()})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a module was given out: %v", err)
	}
}
