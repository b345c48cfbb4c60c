package releases_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/node/releases"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/wallet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ledger is the registry of a cluster of one: its state machine without a log.
type ledger struct {
	*registry.Machine
	mu sync.Mutex
	n  int
}

func (l *ledger) Leads() bool { return true }

func (l *ledger) Submit(_ context.Context, op registry.Op) (registry.Result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	if op.ID == "" {
		op.ID = fmt.Sprintf("op-%d", l.n)
	}
	command, err := op.Encode()
	if err != nil {
		return registry.Result{}, err
	}
	answer, err := l.Apply(command)
	if err != nil {
		return registry.Result{}, err
	}
	res, err := registry.DecodeResult(answer)
	if err == nil && res.Refusal != nil {
		return res, res.Refusal
	}
	return res, err
}

// shard is a wallet shard whose entries are applied at once.
type shard struct {
	mu     sync.Mutex
	ledger *wallet.Shard
	orders int
	away   atomic.Bool
}

func newShard(t *testing.T, host *gamelogic.Host, game games.Game) *shard {
	t.Helper()
	s := &shard{ledger: wallet.New()}
	host.Allow(sha256.Sum256(game.Wasm))
	m, err := host.Load(t.Context(), game.Wasm)
	must(t, err)
	for _, op := range []wallet.Op{
		&wallet.Genesis{Cluster: "test", Shard: 1, Epoch: 1}, &wallet.Clock{ReadingsMS: []int64{1_700_000_000_000}}, rounds.Catalogue(m, 100_000),
	} {
		s.apply(t, op)
	}
	return s
}

func (s *shard) apply(t *testing.T, op wallet.Op) {
	t.Helper()
	if _, err := s.Submit(t.Context(), consensus.Propose(wallet.ID{}, op)); err != nil {
		t.Fatal(err)
	}
}

func (s *shard) Shard() uint32 { return 1 }
func (s *shard) Leads() bool   { return !s.away.Load() }

func (s *shard) View(fn func(*wallet.Shard)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(s.ledger)
}

func (s *shard) Submit(ctx context.Context, task consensus.Task) (consensus.Answer, error) {
	op, _, err := task.Prepare(ctx, s.View)
	if err != nil {
		return consensus.Answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if op.Kind() == wallet.KindRelease {
		s.orders++
	}
	entry := wallet.Entry{Version: max(1, s.ledger.Head().Version), Proposer: "n", Ops: []wallet.Op{op}}
	out, err := s.ledger.Apply(entry.Encode())
	if err != nil {
		return consensus.Answer{}, err
	}
	if refusal := out.Results[0].Refusal(); refusal != nil {
		return consensus.Answer{}, refusal
	}
	return consensus.Answer{Result: out.Results[0]}, nil
}

func (s *shard) builds(game string) (b wallet.GameBuilds) {
	s.View(func(sh *wallet.Shard) { b, _ = sh.BuildsOf(game) })
	return b
}

func (s *shard) ordered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.orders
}

// neighbours are other nodes' stores, by name.
type neighbours map[string]*blobs.Store

func (n neighbours) Fetch(_ context.Context, node string, digest [32]byte, offset int64, take func(size, offset int64, data []byte) error) error {
	f, err := n[node].Open(digest)
	if err != nil {
		return transport.ErrNoBlob
	}
	defer func() { _ = f.Close() }()
	size, err := n[node].Stat(digest)
	if err != nil {
		return err
	}
	for offset < size {
		data := make([]byte, min(1000, size-offset))
		if _, err := f.ReadAt(data, offset); err != nil {
			return err
		}
		if err := take(size, offset, data); err != nil {
			return err
		}
		offset += int64(len(data))
	}
	return nil
}

// metrics counts what was damaged.
type metrics struct{ damaged atomic.Int64 }

func (m *metrics) Modules(int, int) {}
func (m *metrics) ModuleDamaged()   { m.damaged.Add(1) }

// desk is a node's releases with everything around them.
type desk struct {
	t       *testing.T
	dir     string
	host    *gamelogic.Host
	blobs   *blobs.Store
	other   *blobs.Store
	ledger  *ledger
	shard   *shard
	metrics metrics
	service *releases.Service
	// days are added to the clock.
	days atomic.Int64
	game games.Game
	// absent keeps the modules of approved versions from the other node.
	absent bool
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), ledger: &ledger{Machine: registry.NewMachine()}, game: games.All()[0]}
	var err error
	d.host, err = gamelogic.NewHost(t.Context(), gamelogic.HostConfig{})
	must(t, err)
	t.Cleanup(func() { must(t, d.host.Close()) })
	d.blobs, err = blobs.Open(blobs.Config{Dir: filepath.Join(d.dir, "blobs"), MaxPartials: 2})
	must(t, err)
	d.other, err = blobs.Open(blobs.Config{Dir: filepath.Join(d.dir, "other")})
	must(t, err)
	d.shard = newShard(t, d.host, d.game)
	d.open()
	return d
}

func (d *desk) open() {
	d.t.Helper()
	var err error
	d.service, err = releases.New(d.t.Context(), releases.Config{
		Node: "n", Host: d.host, Blobs: d.blobs, Registry: d.ledger, Fetch: neighbours{"dead": d.blobs, "far": d.other},
		Peers: func() []string { return []string{"dead", "far"} }, Builtin: []releases.Builtin{{Wasm: d.game.Wasm, Par: d.game.Par}},
		MaxStakeMinor: 100_000, Metrics: &d.metrics, Logger: slog.New(slog.DiscardHandler), ModuleWait: 5 * time.Second,
		Now: func() time.Time { return time.Now().Add(time.Duration(d.days.Load()) * 24 * time.Hour) },
	})
	must(d.t, err)
	d.service.Start([]releases.Shard{d.shard})
	d.t.Cleanup(func() { must(d.t, d.service.Close()) })
}

// eventually lets virtual time pass until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for start := time.Now(); !cond(); <-time.After(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// put stores a blob at the other node and names it.
func (d *desk) put(data []byte) registry.Digest {
	d.t.Helper()
	digest := sha256.Sum256(data)
	must(d.t, d.other.Put(digest, int64(len(data)), bytes.NewReader(data)))
	return digest
}

// approved records a version whose files lie at the other node.
func (d *desk) approved(version string, module []byte) registry.Digest {
	d.t.Helper()
	key := bytes.Repeat([]byte{1}, 32)
	if d.ledger.State().Studio(releases.BuiltinStudio) == nil || len(d.ledger.State().Studio(releases.BuiltinStudio).Keys) == 0 {
		d.do(registry.Op{Person: "root", AddKey: &registry.AddKey{Studio: releases.BuiltinStudio, PublicKey: key}})
	}
	r := *d.ledger.State().Releases(d.game.ID)[0]
	r.Version, r.KeyID, r.Module, r.ModuleBytes = version, registry.KeyID(key), sha256.Sum256(module), int64(len(module))
	if !d.absent {
		d.put(module)
	}
	r.Envelope, r.ParSheet = d.put([]byte("envelope of "+version)), d.put([]byte("sheet of "+version))
	attempt := "push " + version
	d.do(registry.Op{ID: attempt, Person: "ann", Draft: &registry.DraftOp{Release: r}})
	d.do(registry.Op{Person: "ann", Verdict: &registry.Verdict{
		Game: r.Game, Version: version, Attempt: attempt, Passed: true, Report: d.put([]byte("report of " + version)),
	}})
	d.move(version, registry.Approved, 0)
	return r.Module
}

func (d *desk) do(op registry.Op) {
	d.t.Helper()
	if _, err := d.ledger.Submit(d.t.Context(), op); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) move(version string, to registry.Phase, share uint32) {
	d.t.Helper()
	d.do(registry.Op{Person: "ben", Move: &registry.Move{Game: d.game.ID, Version: version, To: to, ShareX10000: share}})
}

// rebuilt is the game with other bytes.
func (d *desk) rebuilt(note string) []byte {
	section := append([]byte{4}, "note"+note...)
	return append(append(bytes.Clone(d.game.Wasm), 0, byte(len(section))), section...)
}

func (d *desk) loaded(digest registry.Digest) bool { return d.service.Game(digest) != nil }

func (d *desk) founded() {
	d.t.Helper()
	eventually(d.t, "the program's games are recorded", func() bool { return d.ledger.State().Game(d.game.ID) != nil })
}

func TestService_FollowsTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.founded()
		first := d.ledger.State().Releases(d.game.ID)[0]
		if first.Studio != releases.BuiltinStudio || first.Phase != registry.Live || first.ParSheet.IsZero() {
			t.Errorf("founded as %+v", first)
		}
		second := d.approved("9.0.0", d.rebuilt("second"))
		eventually(t, "the module is loaded before anybody plays it", func() bool { return d.loaded(second) })
		eventually(t, "documents are here", func() bool {
			for _, digest := range d.ledger.State().Hold().Blobs {
				if !d.blobs.Has(blobs.Digest(digest)) {
					return false
				}
			}
			return true
		})
		d.move("9.0.0", registry.Canary, 500)
		<-time.After(3 * time.Second)
		if n := d.shard.ordered(); n != 0 {
			t.Errorf("%d orders at a shard that knows no releases yet", n)
		}
		d.shard.apply(t, &wallet.Activate{Version: 2})
		eventually(t, "the shard runs the canary", func() bool {
			b := d.shard.builds(d.game.ID)
			return b.Canary != nil && b.Canary.Digest == wallet.Hash(second) && b.CanaryShareX10000 == 500 && b.Live.Digest == wallet.Hash(first.Module)
		})
		d.move("9.0.0", registry.Live, 0)
		eventually(t, "the shard runs the version", func() bool { return d.shard.builds(d.game.ID).Live.Digest == wallet.Hash(second) })
		d.shard.away.Store(true)
		d.move("9.0.0", registry.RolledBack, 0)
		<-time.After(3 * time.Second)
		if d.shard.builds(d.game.ID).Live.Digest != wallet.Hash(second) {
			t.Error("a node ordered at a shard it does not lead")
		}
		d.shard.away.Store(false)
		eventually(t, "the shard is back", func() bool { return d.shard.builds(d.game.ID).Live.Digest == wallet.Hash(first.Module) })
		orders := d.shard.ordered()
		<-time.After(10 * time.Second)
		if now := d.shard.ordered(); now != orders {
			t.Errorf("%d orders that say nothing new", now-orders)
		}
		if !d.loaded(second) {
			t.Error("a version that was played is not kept for its open rounds")
		}
	})
}

// TestService_WaitsForModules: a shard keeps its release while the next one's
// module is nowhere, but not for ever.
func TestService_WaitsForModules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.founded()
		d.shard.apply(t, &wallet.Activate{Version: 2})
		d.absent = true
		second := d.approved("9.0.0", d.rebuilt("second"))
		d.move("9.0.0", registry.Live, 0)
		<-time.After(3 * time.Second)
		if d.loaded(second) || d.shard.builds(d.game.ID).Live.Digest == wallet.Hash(second) {
			t.Fatal("the shard runs what this node does not have")
		}
		eventually(t, "the shard goes on without this node", func() bool { return d.shard.builds(d.game.ID).Live.Digest == wallet.Hash(second) })
		trouble := ""
		for _, m := range d.service.Status() {
			if m.Digest == blobs.Digest(second) {
				trouble = m.Trouble
			}
		}
		if trouble == "" {
			t.Error("the status does not tell what is missing")
		}
		d.put(d.rebuilt("second"))
		eventually(t, "the module arrives", func() bool { return d.loaded(second) })
		for _, m := range d.service.Status() {
			if m.Trouble != "" {
				t.Errorf("still told: %+v", m)
			}
		}
	})
}

// TestService_DailyCheck: a file that changed stops its game, whether it came
// with the program or from a studio, and is replaced.
func TestService_DailyCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.founded()
		first := d.ledger.State().Releases(d.game.ID)[0].Module
		second := d.approved("9.0.0", d.rebuilt("second"))
		eventually(t, "the module is loaded", func() bool { return d.loaded(second) })
		for i, digest := range []registry.Digest{first, second} {
			path := filepath.Join(d.dir, "blobs", digest.String()[:2], digest.String())
			data, err := os.ReadFile(path)
			must(t, err)
			data[100] ^= 1
			must(t, os.WriteFile(path, data, 0o600))
			<-time.After(5 * time.Second)
			if int(d.metrics.damaged.Load()) != i {
				t.Fatal("found before its time")
			}
			d.days.Add(1)
			eventually(t, "the damage is found", func() bool { return int(d.metrics.damaged.Load()) == i+1 })
			eventually(t, "the game is back", func() bool { return d.loaded(digest) })
			must(t, d.blobs.Verify(blobs.Digest(digest)))
		}
	})
}

// TestService_DamagedBeforeTheStart: the program has its own games' bytes.
func TestService_DamagedBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		must(t, d.service.Close())
		digest := blobs.Digest(sha256.Sum256(d.game.Wasm))
		path := filepath.Join(d.dir, "blobs", digest.String()[:2], digest.String())
		must(t, os.WriteFile(path, []byte("nothing"), 0o600))
		d.open()
		if !d.loaded(registry.Digest(digest)) {
			t.Error("the game did not come back")
		}
	})
}

// TestService_Want brings what a round needs and no release names: uploads that
// never end do not stand before it.
func TestService_Want(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for i := range byte(2) {
			_, _, err := d.blobs.Append(blobs.Digest{i, 1}, 10, 0, []byte("half"))
			must(t, err)
		}
		if _, _, err := d.blobs.Append(blobs.Digest{9}, 10, 0, []byte("half")); !errors.Is(err, blobs.ErrTooMany) {
			t.Fatalf("there is room for another upload: %v", err)
		}
		digest := d.put(d.rebuilt("third"))
		d.service.Want(wallet.Hash(digest))
		eventually(t, "the module is loaded", func() bool { return d.loaded(digest) })
	})
}

// TestService_Table plays a table from a file of its own.
func TestService_Table(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, err := os.ReadFile("../../gamelogic/table/testdata/copper-well-v1.table")
		must(t, err)
		d := newDesk(t)
		digest := d.put(file)
		d.service.Want(wallet.Hash(digest))
		eventually(t, "the table is open", func() bool { return d.loaded(digest) })
		r := releases.ReleaseOf(d.service.Game(digest), int64(len(file)))
		if r.Kind != "table" || r.Module != digest || r.MeterVersion != 0 || len(r.Modes) == 0 {
			t.Errorf("a release of it would be %+v", r)
		}
	})
}
