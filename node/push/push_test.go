package push_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/edgereel/edgereel/api"
	"github.com/edgereel/edgereel/api/dsse"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/node/push"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/wallet"
)

var (
	studioKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	rivalKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	oldKey    = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	noKey     = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, 32))
)

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// ledger is the registry's own state machine without a group around it.
type ledger struct {
	mu    sync.Mutex
	state *registry.State
	ids   int
	// behind is what State gives while it is set: an older state.
	behind *registry.State
	// fail ends the next Submit of an operation it says yes to.
	fail func(*registry.Op) error
}

func (l *ledger) State() *registry.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.behind != nil {
		return l.behind
	}
	return l.state
}

// hear ends being behind.
func (l *ledger) hear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind = nil
}

func (l *ledger) NewID() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids++
	return fmt.Sprintf("%032d", l.ids), nil
}

func (l *ledger) Submit(_ context.Context, op registry.Op) (registry.Result, error) {
	if l.fail != nil {
		if err := l.fail(&op); err != nil {
			return registry.Result{}, err
		}
	}
	if op.ID == "" {
		op.ID, _ = l.NewID()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next, res := l.state.Apply(&op)
	l.state = next
	if res.Refusal != nil {
		return res, res.Refusal
	}
	return res, nil
}

// stream collects the messages of a push.
type stream struct {
	messages []*edgereelv1.PushResponse
	fail     error
}

func (s *stream) Send(m *edgereelv1.PushResponse) error {
	s.messages = append(s.messages, m)
	return s.fail
}

func (s *stream) last() *edgereelv1.PushResponse {
	if len(s.messages) == 0 {
		return nil
	}
	return s.messages[len(s.messages)-1]
}

// stand is a node's way in with everything behind it.
type stand struct {
	t      *testing.T
	ledger *ledger
	blobs  *blobs.Store
	push   *push.Service
	wasm   []byte
	par    []byte
}

func newStand(t *testing.T, change func(*push.Config)) *stand {
	t.Helper()
	s := &stand{t: t, ledger: &ledger{state: registry.NewState()}}
	var err error
	if s.blobs, err = blobs.Open(blobs.Config{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	for _, g := range games.All() {
		if g.ID == "comet-spins" {
			s.wasm = g.Wasm
		}
	}
	if s.par, err = os.ReadFile("../../games/comet-spins/par.json"); err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		studio string
		key    ed25519.PrivateKey
	}{{"acme", studioKey}, {"acme", oldKey}, {"rival", rivalKey}} {
		s.submit(registry.Op{Person: "root", AddKey: &registry.AddKey{Studio: k.studio, PublicKey: public(k.key)}})
	}
	s.submit(registry.Op{Person: "root", RevokeKey: &registry.RevokeKey{Studio: "acme", KeyID: registry.KeyID(public(oldKey))}})
	cfg := push.Config{
		Blobs: s.blobs, Registry: s.ledger, Gate: &quick{}, Rounds: 20_000, Rand: bytes.NewReader(make([]byte, 1<<10)),
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	if s.push, err = push.New(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stand) submit(op registry.Op) {
	s.t.Helper()
	if _, err := s.ledger.Submit(s.t.Context(), op); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) statement() dsse.Release {
	return dsse.Release{Studio: "acme", Game: "comet-spins", Version: "1.0.0", MeterVersion: 2}
}

func (s *stand) sign(r dsse.Release, key ed25519.PrivateKey) []byte {
	s.t.Helper()
	text, err := dsse.Sign(r, dsse.Subject{Module: sha256.Sum256(s.wasm), ParSheet: sha256.Sum256(s.par)}, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// upload brings a blob in pieces.
func (s *stand) upload(b []byte) string {
	s.t.Helper()
	sum := sha256.Sum256(b)
	digest := hex.EncodeToString(sum[:])
	for at := 0; ; {
		end := min(at+7000, len(b))
		res, err := s.push.UploadChunk(s.t.Context(), &edgereelv1.UploadChunkRequest{Digest: digest, Size: uint64(len(b)), Offset: uint64(at), Data: b[at:end]})
		if err != nil {
			s.t.Fatal(err)
		}
		if res.GetStored() {
			return digest
		}
		if int(res.GetNextOffset()) != end {
			s.t.Fatalf("after %d bytes it wants %d", end, res.GetNextOffset())
		}
		at = end
	}
}

func (s *stand) request(envelope []byte) *edgereelv1.PushRequest {
	s.t.Helper()
	return &edgereelv1.PushRequest{Module: s.upload(s.wasm), Envelope: s.upload(envelope), ParSheet: s.upload(s.par), Person: "ann"}
}

func (s *stand) stored() int {
	s.t.Helper()
	all, err := s.blobs.List()
	if err != nil {
		s.t.Fatal(err)
	}
	return len(all)
}

func (s *stand) refused(err error, effect edgereelv1.Effect, code string) {
	s.t.Helper()
	d := api.DetailOf(err)
	if err == nil || d.GetEffect() != effect || d.GetCode() != code || d.GetHint() == "" {
		s.t.Errorf("%v with %v, want %v %s and a hint", err, d, effect, code)
	}
}

const (
	no    = edgereelv1.Effect_EFFECT_NOT_APPLIED
	later = edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE
)

// TestPush takes a module in whole.
func TestPush(t *testing.T) {
	s := newStand(t, func(cfg *push.Config) { cfg.Gate = &push.InProcess{} })
	out := &stream{}
	if err := s.push.Push(t.Context(), s.request(s.sign(s.statement(), studioKey)), out); err != nil {
		t.Fatal(err)
	}
	last := out.last()
	r := last.GetRelease()
	if !last.GetPassed() || r.GetState() != "checked" || len(last.GetFailures()) != 0 {
		t.Fatalf("%v", last)
	}
	if r.GetGame() != "comet-spins" || r.GetVersion() != "1.0.0" || r.GetStudio() != "acme" || r.GetKeyId() != dsse.KeyID(public(studioKey)) ||
		len(r.GetModes()) != 2 || len(r.GetHistory()) != 2 || r.GetHistory()[0].GetPerson() != "ann" || r.GetModuleBytes() != uint64(len(s.wasm)) {
		t.Errorf("%v", r)
	}
	recorded := s.ledger.State().Release("comet-spins", "1.0.0")
	if recorded.MeterVersion == 0 || recorded.FuelPerStep != 1_000_000 || recorded.StakeMultipleMinor != 10 || recorded.Profile != "pure" {
		t.Errorf("%+v", recorded)
	}
	text, err := s.blobs.Read(blobs.Digest(recorded.Report))
	if err != nil {
		t.Fatal(err)
	}
	report, err := gate.ParseReport(text)
	if err != nil || report.Verdict != gate.Pass || report.Asked.Rounds != 20_000 || report.ModuleDigest != r.GetModule() {
		t.Errorf("%v, %+v", err, report)
	}
	if len(out.messages) < 3 || out.messages[0].GetStage() != "admission" {
		t.Errorf("told %v", out.messages)
	}
	if n := s.stored(); n != 4 {
		t.Errorf("%d blobs are stored, want module, envelope, sheet and report", n)
	}
}

// TestPush_Again answers with the record and checks nothing; other bytes under
// the version are refused, and only they are deleted.
func TestPush_Again(t *testing.T) {
	g := &counting{Gate: &quick{}}
	s := newStand(t, func(cfg *push.Config) { cfg.Gate = g })
	req := s.request(s.sign(s.statement(), studioKey))
	if err := s.push.Push(t.Context(), req, &stream{}); err != nil {
		t.Fatal(err)
	}
	before, seq := s.stored(), s.ledger.State().Seq()
	out := &stream{}
	if err := s.push.Push(t.Context(), req, out); err != nil || len(out.messages) != 1 || out.last().GetRelease().GetState() != "checked" || !out.last().GetPassed() {
		t.Errorf("%v, %v", err, out.messages)
	}
	if g.proofs != 1 || s.ledger.State().Seq() != seq {
		t.Errorf("%d proofs, sequence %d after %d", g.proofs, s.ledger.State().Seq(), seq)
	}
	good := s.wasm
	s.wasm = withCustomSection(good)
	s.refused(s.push.Push(t.Context(), s.request(s.sign(s.statement(), studioKey)), &stream{}), no, "version_exists")
	if n := s.stored(); n != before {
		t.Errorf("%d blobs are stored, %d before", n, before)
	}
	if !s.blobs.Has(sha256.Sum256(good)) || s.blobs.Has(sha256.Sum256(s.wasm)) {
		t.Error("the wrong module was kept")
	}
}

// TestPush_Behind: a node that has not heard of the record yet asks the
// registry, is told that the version exists, and answers once it has heard.
func TestPush_Behind(t *testing.T) {
	s := newStand(t, nil)
	req := s.request(s.sign(s.statement(), studioKey))
	old := s.ledger.State()
	if err := s.push.Push(t.Context(), req, &stream{}); err != nil {
		t.Fatal(err)
	}
	s.ledger.behind = old
	s.ledger.fail = func(*registry.Op) error { // it hears of it while it is refused
		s.ledger.fail = nil
		go s.ledger.hear()
		return nil
	}
	out := &stream{}
	if err := s.push.Push(t.Context(), req, out); err != nil || out.last().GetRelease().GetState() != "checked" || !out.last().GetPassed() {
		t.Errorf("%v, %v", err, out.last())
	}
	if n := s.stored(); n != 4 {
		t.Errorf("%d blobs are stored", n)
	}
}

// quick admits for real and finds every module good: for tests of what is
// around the check.
type quick struct{ push.InProcess }

func (*quick) Prove(_ context.Context, job push.Job, tell func(string, uint64, uint64)) (*gate.Report, error) {
	tell(string(gate.StageSimulate), 1, 1)
	return &gate.Report{
		Schema: gate.ReportVersion, Kind: gate.ReportKind, Verdict: gate.Pass, ModuleDigest: hex.EncodeToString(job.Digest[:]),
		Checks: []gate.Result{{Stage: gate.StageSimulate, Name: "quick", Verdict: gate.Pass}}, Modes: []gate.Mode{},
	}, nil
}

// counting counts the proofs.
type counting struct {
	push.Gate
	proofs int
}

func (c *counting) Prove(ctx context.Context, job push.Job, tell func(string, uint64, uint64)) (*gate.Report, error) {
	c.proofs++
	return c.Gate.Prove(ctx, job, tell)
}

// withCustomSection gives other bytes of the same game.
func withCustomSection(wasm []byte) []byte {
	return append(bytes.Clone(wasm), 0, 5, 4, 'n', 'o', 't', 'e')
}

// TestPush_Refused: whatever is wrong is said by its own code, nothing is
// recorded and nothing stays stored.
func TestPush_Refused(t *testing.T) {
	with := func(change func(*dsse.Release)) func(*stand) []byte {
		return func(s *stand) []byte {
			r := s.statement()
			change(&r)
			return s.sign(r, studioKey)
		}
	}
	by := func(key ed25519.PrivateKey) func(*stand) []byte {
		return func(s *stand) []byte { return s.sign(s.statement(), key) }
	}
	for _, c := range []struct {
		name     string
		prepare  func(*stand)
		envelope func(*stand) []byte
		code     string
	}{
		{"no envelope", nil, func(*stand) []byte { return []byte("hello") }, "envelope_malformed"},
		{"unsigned", nil, func(*stand) []byte {
			return []byte(`{"payload":"","payloadType":"` + dsse.PayloadType + `","signatures":[]}`)
		}, "envelope_unsigned"},
		{"another payload", nil, func(s *stand) []byte {
			return bytes.Replace(s.sign(s.statement(), studioKey), []byte("in-toto"), []byte("out-foo"), 1)
		}, "envelope_payload_type"},
		{"unknown key", nil, by(noKey), "unknown_key"},
		{"revoked key", nil, by(oldKey), "key_revoked"},
		{"wrong signature", nil, func(s *stand) []byte {
			good := s.sign(s.statement(), noKey)
			return bytes.Replace(good, []byte(dsse.KeyID(public(noKey))), []byte(dsse.KeyID(public(studioKey))), 1)
		}, "signature_invalid"},
		{"another module", nil, func(s *stand) []byte {
			e := s.sign(s.statement(), studioKey)
			s.wasm = withCustomSection(s.wasm)
			return e
		}, "module_mismatch"},
		{"another sheet", nil, func(s *stand) []byte {
			e := s.sign(s.statement(), studioKey)
			s.par = append(s.par, '\n')
			return e
		}, "sheet_mismatch"},
		{"rival's key", nil, by(rivalKey), "wrong_studio"},
		{"another game", nil, with(func(r *dsse.Release) { r.Game = "other" }), "manifest_mismatch"},
		{"another version", nil, with(func(r *dsse.Release) { r.Version = "1.0.1" }), "manifest_mismatch"},
		{"another variant", nil, with(func(r *dsse.Release) { r.Variant = "96" }), "manifest_mismatch"},
		{"no module", func(s *stand) { s.wasm = []byte("hello") }, nil, "module_refused"},
		{"half a module", func(s *stand) { s.wasm = s.wasm[:len(s.wasm)/2] }, nil, "module_refused"},
		{"no sheet", func(s *stand) { s.par = []byte("{}") }, nil, "sheet_malformed"},
		{"sheet of another version", func(s *stand) { s.par = bytes.Replace(s.par, []byte(`"1.0.0"`), []byte(`"1.0.9"`), 1) }, nil, "sheet_mismatch"},
		{"rival's game", func(s *stand) {
			s.submit(registry.Op{Person: "root", Found: &registry.Found{Releases: []registry.Release{{
				Game: "comet-spins", Version: "0.9.0", Studio: "rival", Kind: "wasm", Module: registry.Digest{1}, ModuleBytes: 1, StakeMultipleMinor: 10,
				Modes: []registry.Mode{{Name: "base", CostX100: 100, RTP: "0.9"}},
			}}}})
		}, nil, "wrong_studio"},
		{"another return", func(s *stand) {
			s.submit(registry.Op{Person: "root", Found: &registry.Found{Releases: []registry.Release{{
				Game: "comet-spins", Version: "0.9.0", Studio: "acme", Kind: "wasm", Module: registry.Digest{1}, ModuleBytes: 1, StakeMultipleMinor: 10,
				Modes: []registry.Mode{{Name: "base", CostX100: 100, RTP: "0.9"}},
			}}}})
		}, nil, "rtp_changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, nil)
			if c.prepare != nil {
				c.prepare(s)
			}
			envelope := c.envelope
			if envelope == nil {
				envelope = by(studioKey)
			}
			seq := s.ledger.State().Seq()
			req := s.request(envelope(s))
			out := &stream{}
			s.refused(s.push.Push(t.Context(), req, out), no, c.code)
			if s.ledger.State().Seq() != seq {
				t.Error("something was recorded")
			}
			if n := s.stored(); n != 0 {
				t.Errorf("%d blobs are stored", n)
			}
			if out.last().GetRelease() != nil {
				t.Errorf("it was told of %v", out.last())
			}
		})
	}
}

// TestPush_BadRequest is refused before anything is looked at.
func TestPush_BadRequest(t *testing.T) {
	s := newStand(t, nil)
	good := s.request(s.sign(s.statement(), studioKey))
	for name, req := range map[string]*edgereelv1.PushRequest{
		"no digest": {Module: "x", Envelope: good.GetEnvelope(), ParSheet: good.GetParSheet(), Person: "ann"},
		"nobody":    {Module: good.GetModule(), Envelope: good.GetEnvelope(), ParSheet: good.GetParSheet(), Person: " "},
		"rounds":    {Module: good.GetModule(), Envelope: good.GetEnvelope(), ParSheet: good.GetParSheet(), Person: "ann", Rounds: 1 << 40},
	} {
		t.Log(name)
		s.refused(s.push.Push(t.Context(), req, &stream{}), no, "invalid")
	}
	missing := &edgereelv1.PushRequest{Module: strings.Repeat("a", 64), Envelope: good.GetEnvelope(), ParSheet: good.GetParSheet(), Person: "ann"}
	s.refused(s.push.Push(t.Context(), missing, &stream{}), later, "blob_missing")
}

// TestPush_Rejected: a module whose check fails is recorded as rejected with
// its report, and nothing that could be played stays.
func TestPush_Rejected(t *testing.T) {
	s := newStand(t, func(cfg *push.Config) { cfg.Gate, cfg.FloorRTP = &push.InProcess{}, "0.99" })
	out := &stream{}
	if err := s.push.Push(t.Context(), s.request(s.sign(s.statement(), studioKey)), out); err != nil {
		t.Fatal(err)
	}
	last := out.last()
	if last.GetPassed() || last.GetRelease().GetState() != "rejected" || len(last.GetFailures()) == 0 {
		t.Fatalf("%v", last)
	}
	if n := s.stored(); n != 1 || !s.blobs.Has(blobs.Digest(s.ledger.State().Release("comet-spins", "1.0.0").Report)) {
		t.Errorf("%d blobs are stored, want the report alone", n)
	}
}

// faulty is a gate whose proof ends with an error.
type faulty struct {
	push.InProcess
	err error
}

func (f *faulty) Prove(context.Context, push.Job, func(string, uint64, uint64)) (*gate.Report, error) {
	return nil, f.err
}

// TestPush_TooCostly: a module that the check's limits ended is rejected, with
// a report that says so.
func TestPush_TooCostly(t *testing.T) {
	s := newStand(t, func(cfg *push.Config) {
		cfg.Gate = &faulty{err: &push.Refusal{Stage: "exact", Reason: "the module took more than 5 seconds"}}
	})
	out := &stream{}
	if err := s.push.Push(t.Context(), s.request(s.sign(s.statement(), studioKey)), out); err != nil {
		t.Fatal(err)
	}
	if out.last().GetPassed() || len(out.last().GetFailures()) != 1 || !strings.Contains(out.last().GetFailures()[0], "exact limits: the module took more than 5 seconds") {
		t.Errorf("%v", out.last())
	}
}

// TestPush_MachineFault leaves a draft that the next push replaces, and says
// nothing of its cause to the caller.
func TestPush_MachineFault(t *testing.T) {
	f := &faulty{err: errors.New("fork: no more processes in /data")}
	g := &struct{ push.Gate }{f}
	s := newStand(t, func(cfg *push.Config) { cfg.Gate = g })
	req := s.request(s.sign(s.statement(), studioKey))
	err := s.push.Push(t.Context(), req, &stream{})
	s.refused(err, later, "check_failed")
	if strings.Contains(err.Error(), "/data") {
		t.Errorf("the caller is told %v", err)
	}
	if r := s.ledger.State().Release("comet-spins", "1.0.0"); r == nil || r.Phase != registry.Draft {
		t.Errorf("%+v", r)
	}
	g.Gate = &quick{}
	out := &stream{}
	if err := s.push.Push(t.Context(), req, out); err != nil || out.last().GetRelease().GetState() != "checked" {
		t.Errorf("%v, %v", err, out.last())
	}
}

// TestPush_Registry passes on what the registry said, with its effect.
func TestPush_Registry(t *testing.T) {
	for _, c := range []struct {
		at     func(*registry.Op) bool
		err    error
		effect edgereelv1.Effect
		code   string
	}{
		{func(op *registry.Op) bool { return op.Draft != nil }, &registry.Error{Effect: wallet.NotAppliedRetryable, Err: errors.New("no leader")}, later, "registry_unavailable"},
		{func(op *registry.Op) bool { return op.Verdict != nil }, &registry.Error{Effect: wallet.Unknown, Err: errors.New("lost")}, edgereelv1.Effect_EFFECT_UNKNOWN, "registry_undecided"},
	} {
		s := newStand(t, nil)
		s.ledger.fail = func(op *registry.Op) error {
			if c.at(op) {
				return c.err
			}
			return nil
		}
		req := s.request(s.sign(s.statement(), studioKey))
		s.refused(s.push.Push(t.Context(), req, &stream{}), c.effect, c.code)
		s.ledger.fail = nil
		out := &stream{}
		if err := s.push.Push(t.Context(), req, out); err != nil || !out.last().GetPassed() {
			t.Errorf("the repeat: %v, %v", err, out.last())
		}
	}
}
