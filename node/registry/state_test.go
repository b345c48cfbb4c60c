package registry_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/edgereel/edgereel/node/registry"
)

// desk applies operations as one caller after another would.
type desk struct {
	state *registry.State
	n     int
}

func newDesk() *desk { return &desk{state: registry.NewState()} }

func (d *desk) do(person string, op registry.Op) registry.Result {
	d.n++
	op.ID, op.Person, op.AtMS, op.Reason = fmt.Sprintf("op-%d", d.n), person, int64(1000*d.n), "ticket"
	next, res := d.state.Apply(&op)
	d.state = next
	return res
}

func (d *desk) must(t testing.TB, person string, op registry.Op) {
	t.Helper()
	if res := d.do(person, op); res.Refusal != nil {
		t.Fatal(res.Refusal)
	}
}

func (d *desk) refused(t *testing.T, person string, op registry.Op, want registry.Code) {
	t.Helper()
	before := d.state
	res := d.do(person, op)
	if res.Refusal == nil || res.Refusal.Code != want || res.Refusal.Hint == "" {
		t.Errorf("got %+v, want the refusal %s with a hint", res.Refusal, want)
	}
	if d.state != before {
		t.Error("a refusal changed the state")
	}
}

func key(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func digest(n byte) registry.Digest { return registry.Digest{n, 1, 2} }

// release is version n of a game, signed with key 1 of studio acme.
func release(game string, n byte) registry.Release {
	return registry.Release{
		Game: game, Version: fmt.Sprintf("1.%d.0", n), Studio: "acme", KeyID: registry.KeyID(key(1)), Kind: "wasm",
		Module: digest(n), ModuleBytes: 1000, Envelope: digest(100 + n), ParSheet: digest(200 + n),
		Profile: "pure", MeterVersion: 1, FuelPerStep: 1000, StakeMultipleMinor: 10,
		Modes: []registry.Mode{{Name: "base", CostX100: 100, RTP: "0.96", HitFrequency: "0.25", MaxWinX: 5000}},
	}
}

func addKey(studio string, n byte) registry.Op {
	return registry.Op{AddKey: &registry.AddKey{Studio: studio, PublicKey: key(n)}}
}

func push(r registry.Release) registry.Op {
	return registry.Op{Draft: &registry.DraftOp{Release: r}}
}

func (d *desk) verdict(n byte, passed bool) registry.Op {
	const game = "reels"
	version := fmt.Sprintf("1.%d.0", n)
	attempt := ""
	if r := d.state.Release(game, version); r != nil {
		attempt = r.Attempt
	}
	return registry.Op{Verdict: &registry.Verdict{Game: game, Version: version, Attempt: attempt, Passed: passed, Report: digest(50 + n)}}
}

func move(game string, n byte, to registry.Phase) registry.Op {
	m := &registry.Move{Game: game, Version: fmt.Sprintf("1.%d.0", n), To: to}
	if to == registry.Canary {
		m.ShareX10000 = 500
	}
	return registry.Op{Move: m}
}

// approved takes a release from its push to its approval.
func (d *desk) approved(t testing.TB, n byte) {
	t.Helper()
	d.must(t, "ann", push(release("reels", n)))
	d.must(t, "gate", d.verdict(n, true))
	d.must(t, "ben", move("reels", n, registry.Approved))
}

func (d *desk) phase(t *testing.T, n byte, want registry.Phase) {
	t.Helper()
	if r := d.state.Release("reels", fmt.Sprintf("1.%d.0", n)); r == nil || r.Phase != want {
		t.Errorf("release %d is %+v, want %s", n, r, want)
	}
}

// desired writes what shards should run in one line.
func (d *desk) desired() string {
	want, ok := d.state.Desired("reels")
	if !ok {
		return "nothing"
	}
	text := "-"
	if want.Live != nil {
		text = want.Live.Version
	}
	if !want.Enabled {
		text += " off"
	}
	if want.Canary != nil {
		text += fmt.Sprintf(" canary %s of %d", want.Canary.Version, want.CanaryShareX10000)
	}
	return text
}

func TestState_LifeOfAGame(t *testing.T) {
	d := newDesk()
	expect := func(want string) {
		t.Helper()
		if got := d.desired(); got != want {
			t.Errorf("shards should run %q, want %q", got, want)
		}
	}
	d.must(t, "root", addKey("acme", 1))
	d.approved(t, 1)
	expect("nothing")
	d.must(t, "ben", move("reels", 1, registry.Live))
	expect("1.1.0")
	d.approved(t, 2)
	expect("1.1.0")
	seq := mustDesired(t, d).Seq
	d.must(t, "ben", move("reels", 2, registry.Canary))
	expect("1.1.0 canary 1.2.0 of 500")
	wider := move("reels", 2, registry.Canary)
	wider.Move.ShareX10000 = 2000
	d.must(t, "ben", wider)
	expect("1.1.0 canary 1.2.0 of 2000")
	d.must(t, "watch", move("reels", 2, registry.RolledBack))
	expect("1.1.0")
	if now := mustDesired(t, d).Seq; now <= seq {
		t.Errorf("the sequence of what is desired went from %d to %d", seq, now)
	}
	d.must(t, "ben", move("reels", 2, registry.Approved))
	d.must(t, "ben", move("reels", 2, registry.Live))
	expect("1.2.0")
	d.phase(t, 1, registry.Retired)
	d.must(t, "ben", move("reels", 2, registry.RolledBack))
	expect("1.1.0")
	d.phase(t, 1, registry.Live)
	d.phase(t, 2, registry.RolledBack)
	d.must(t, "ben", move("reels", 1, registry.Retired))
	expect("1.1.0 off")
	d.approved(t, 3)
	d.must(t, "ben", move("reels", 3, registry.Live))
	expect("1.3.0")
	// What a person ended does not come back by itself.
	d.must(t, "ben", move("reels", 3, registry.RolledBack))
	expect("1.3.0 off")
	d.phase(t, 1, registry.Retired)

	history := d.state.Release("reels", "1.1.0").History
	var phases []string
	for _, s := range history {
		if s.Person == "" || s.Reason != "ticket" || s.AtMS == 0 {
			t.Errorf("a step without person, reason or time: %+v", s)
		}
		phases = append(phases, string(s.Phase))
	}
	if got := strings.Join(phases, " "); got != "draft checked approved live retired live retired" {
		t.Errorf("history: %s", got)
	}
}

func mustDesired(t *testing.T, d *desk) registry.Desired {
	t.Helper()
	want, ok := d.state.Desired("reels")
	if !ok {
		t.Fatal("nothing is desired")
	}
	return want
}

func TestState_Refuses(t *testing.T) {
	d := newDesk()
	d.refused(t, "ann", push(release("reels", 1)), registry.CodeUnknownStudio)
	d.must(t, "root", addKey("acme", 1))
	d.must(t, "root", addKey("other", 2))
	d.refused(t, "root", addKey("other", 1), registry.CodeKeyExists)
	d.refused(t, "root", addKey("Other Studio", 3), registry.CodeInvalid)
	d.refused(t, "", addKey("acme", 3), registry.CodeInvalid)

	d.must(t, "ann", push(release("reels", 1)))
	foreign := release("reels", 2)
	foreign.Studio, foreign.KeyID = "other", registry.KeyID(key(2))
	d.refused(t, "eve", push(foreign), registry.CodeWrongStudio)
	foreign = release("reels", 2)
	foreign.KeyID = registry.KeyID(key(2))
	d.refused(t, "eve", push(foreign), registry.CodeUnknownKey)
	for name, change := range map[string]func(*registry.Release){
		"version":     func(r *registry.Release) { r.Version = "1.0" },
		"game":        func(r *registry.Release) { r.Game = "Reels!" },
		"no modes":    func(r *registry.Release) { r.Modes = nil },
		"rtp":         func(r *registry.Release) { r.Modes = []registry.Mode{{Name: "base", CostX100: 100, RTP: "1e9999999"}} },
		"mode twice":  func(r *registry.Release) { r.Modes = append(r.Modes, r.Modes[0]) },
		"no module":   func(r *registry.Release) { r.Module = registry.Digest{} },
		"no envelope": func(r *registry.Release) { r.Envelope = registry.Digest{} },
	} {
		t.Run(name, func(t *testing.T) {
			bad := release("reels", 7)
			change(&bad)
			d.refused(t, "ann", push(bad), registry.CodeInvalid)
		})
	}

	d.refused(t, "ben", move("reels", 1, registry.Approved), registry.CodeWrongState)
	d.refused(t, "ben", move("wheels", 1, registry.Approved), registry.CodeUnknownGame)
	d.refused(t, "ben", move("reels", 9, registry.Approved), registry.CodeUnknownVersion)
	d.refused(t, "ben", move("reels", 1, registry.Checked), registry.CodeInvalid)
	old := d.verdict(1, true)
	d.must(t, "ann", push(release("reels", 1))) // the check was interrupted
	d.refused(t, "gate", old, registry.CodeStale)
	d.must(t, "gate", d.verdict(1, false))
	d.refused(t, "ben", move("reels", 1, registry.Approved), registry.CodeWrongState)
	d.must(t, "ann", push(release("reels", 1))) // corrected
	d.must(t, "gate", d.verdict(1, true))
	d.refused(t, "ann", push(release("reels", 1)), registry.CodeVersionExists)
	d.refused(t, "gate", d.verdict(1, true), registry.CodeWrongState)
	d.refused(t, "ann", move("reels", 1, registry.Approved), registry.CodeSamePerson)
	d.refused(t, " Ann ", move("reels", 1, registry.Approved), registry.CodeSamePerson)
	d.refused(t, "ben", move("reels", 1, registry.Live), registry.CodeWrongState)
	d.must(t, "ben", move("reels", 1, registry.Approved))
	share := move("reels", 1, registry.Live)
	share.Move.ShareX10000 = 3
	d.refused(t, "ben", share, registry.CodeInvalid)
	d.must(t, "ben", move("reels", 1, registry.Live))

	d.approved(t, 2)
	d.approved(t, 3)
	d.must(t, "ben", move("reels", 2, registry.Canary))
	d.refused(t, "ben", move("reels", 3, registry.Canary), registry.CodeWrongState)
	d.refused(t, "ben", move("reels", 3, registry.Live), registry.CodeWrongState)
	d.refused(t, "ben", move("reels", 1, registry.Retired), registry.CodeWrongState)
	watched := move("reels", 2, registry.RolledBack)
	watched.Move.IfModule = digest(3)
	d.refused(t, "watch", watched, registry.CodeStale)

	both := addKey("acme", 9)
	both.Move = move("reels", 1, registry.Retired).Move
	d.refused(t, "ben", both, registry.CodeInvalid)
	d.refused(t, "ben", registry.Op{}, registry.CodeInvalid)
}

func TestState_RevokedKey(t *testing.T) {
	d := newDesk()
	d.must(t, "root", addKey("acme", 1))
	d.must(t, "root", addKey("acme", 2))
	d.approved(t, 1)
	d.must(t, "ben", move("reels", 1, registry.Live))
	d.approved(t, 2)
	d.must(t, "ben", move("reels", 2, registry.Live))
	d.must(t, "ann", push(release("reels", 3)))
	d.must(t, "gate", d.verdict(3, true))
	d.must(t, "root", registry.Op{RevokeKey: &registry.RevokeKey{Studio: "acme", KeyID: registry.KeyID(key(1))}})
	d.refused(t, "root", registry.Op{RevokeKey: &registry.RevokeKey{Studio: "acme", KeyID: registry.KeyID(key(1))}}, registry.CodeKeyRevoked)
	d.refused(t, "root", addKey("acme", 1), registry.CodeKeyRevoked)
	d.refused(t, "ann", push(release("reels", 4)), registry.CodeKeyRevoked)
	d.refused(t, "ben", move("reels", 3, registry.Approved), registry.CodeKeyRevoked)
	// The way back stays open.
	d.must(t, "ben", move("reels", 2, registry.RolledBack))
	d.phase(t, 1, registry.Live)
	d.refused(t, "ben", move("reels", 2, registry.Approved), registry.CodeKeyRevoked)
	again := release("reels", 4)
	again.KeyID = registry.KeyID(key(2))
	d.must(t, "ann", push(again))
}

func TestState_ChangedReturn(t *testing.T) {
	d := newDesk()
	d.must(t, "root", addKey("acme", 1))
	other := release("reels", 2)
	other.Modes = []registry.Mode{{Name: "base", CostX100: 100, RTP: "0.94", MaxWinX: 5000}}
	// While nobody played it, it is no game yet.
	d.must(t, "ann", push(other))
	d.must(t, "gate", d.verdict(2, true))
	d.must(t, "ben", move("reels", 2, registry.Approved))
	d.approved(t, 1)
	d.must(t, "ben", move("reels", 1, registry.Canary))
	d.must(t, "ben", move("reels", 1, registry.RolledBack))
	d.refused(t, "ben", move("reels", 2, registry.Live), registry.CodeRTPChanged)
	third := other
	third.Version = "1.3.0"
	d.refused(t, "ann", push(third), registry.CodeRTPChanged)
	third.Variant = "94"
	d.must(t, "ann", push(third))
	same := release("reels", 4)
	same.Modes = []registry.Mode{{Name: "base", CostX100: 100, RTP: "24/25", MaxWinX: 5000}, {ID: 1, Name: "buy", CostX100: 5000, RTP: "0.965", MaxWinX: 5000}}
	d.must(t, "ann", push(same))
	// Another game id of the same family and variant is the same game.
	cousin := release("wheels", 5)
	cousin.Family, cousin.Variant = "reels", ""
	cousin.Modes = other.Modes
	d.refused(t, "ann", push(cousin), registry.CodeRTPChanged)
}

// TestState_FirstVersionInCanary: nobody else can play it, and taking it back
// leaves nothing.
func TestState_FirstVersionInCanary(t *testing.T) {
	d := newDesk()
	d.must(t, "root", addKey("acme", 1))
	d.approved(t, 1)
	d.must(t, "ben", move("reels", 1, registry.Canary))
	if got := d.desired(); got != "- canary 1.1.0 of 500" {
		t.Errorf("shards should run %q", got)
	}
	d.must(t, "watch", move("reels", 1, registry.RolledBack))
	if got := d.desired(); got != "- off" {
		t.Errorf("shards should run %q", got)
	}
	if hold := d.state.Hold(); len(hold.Modules) != 1 || len(hold.Blobs) != 4 {
		t.Errorf("nodes should hold %+v", hold)
	}
}

func TestState_Found(t *testing.T) {
	d := newDesk()
	builtin := release("reels", 1)
	builtin.Studio, builtin.KeyID, builtin.Envelope, builtin.ParSheet = "edgereel", "", registry.Digest{}, registry.Digest{}
	found := registry.Op{Found: &registry.Found{Releases: []registry.Release{builtin}}}
	d.must(t, "node-1", found)
	if got := d.desired(); got != "1.1.0" {
		t.Errorf("shards should run %q", got)
	}
	newer := builtin
	newer.Version = "1.9.0"
	d.must(t, "node-2", registry.Op{Found: &registry.Found{Releases: []registry.Release{newer}}})
	if got := d.desired(); got != "1.1.0" {
		t.Errorf("a known game was founded again: %q", got)
	}
	d.must(t, "root", addKey("acme", 1))
	d.refused(t, "ann", push(release("reels", 2)), registry.CodeWrongStudio)
	d.must(t, "root", addKey("edgereel", 2))
	next := release("reels", 2)
	next.Studio, next.KeyID = "edgereel", registry.KeyID(key(2))
	d.must(t, "ann", push(next))
}

func TestState_RepeatIsAppliedOnce(t *testing.T) {
	d := newDesk()
	op := addKey("acme", 1)
	op.ID, op.Person = "same", "root"
	first, res := d.state.Apply(&op)
	again, repeat := first.Apply(&op)
	if res.Refusal != nil || again != first || !repeat.Repeated || repeat.Seq != res.Seq {
		t.Fatalf("%+v, then %+v", res, repeat)
	}
	// Another leader stamps the repeat anew.
	later := op
	later.AtMS += 5000
	if _, repeat = first.Apply(&later); !repeat.Repeated {
		t.Errorf("a repeat with another stamp: %+v", repeat)
	}
	other := addKey("acme", 2)
	other.ID, other.Person = "same", "root"
	if again, res = first.Apply(&other); res.Refusal == nil || res.Refusal.Code != registry.CodeIDReused || again != first {
		t.Errorf("another operation of the same id: %+v", res)
	}
}

// TestState_Model plays random operations and checks after each what must hold
// whatever was done, and that a replay and a snapshot give the same state.
func TestState_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk()
		var log []registry.Op
		for _, n := range []byte{1, 2} {
			log = append(log, addKey("acme", n))
		}
		persons := rapid.SampledFrom([]string{"ann", "ben", "cyd"})
		version := rapid.ByteRange(1, 4)
		for range rapid.IntRange(5, 60).Draw(t, "length") {
			n := version.Draw(t, "version")
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0, 1, 2:
				r := release("reels", n)
				r.KeyID = registry.KeyID(key(rapid.ByteRange(1, 2).Draw(t, "key")))
				log = append(log, push(r))
			case 3, 4:
				// Who checks knows the attempt: it is filled in below.
				log = append(log, registry.Op{Verdict: &registry.Verdict{
					Game: "reels", Version: fmt.Sprintf("1.%d.0", n), Passed: rapid.IntRange(0, 4).Draw(t, "passed") > 0, Report: digest(9),
				}})
			case 5:
				if rapid.IntRange(0, 9).Draw(t, "revoke") == 0 {
					log = append(log, registry.Op{RevokeKey: &registry.RevokeKey{Studio: "acme", KeyID: registry.KeyID(key(1))}})
				}
			default:
				to := rapid.SampledFrom([]registry.Phase{registry.Approved, registry.Canary, registry.Live, registry.Live, registry.RolledBack, registry.Retired}).Draw(t, "to")
				log = append(log, move("reels", n, to))
			}
		}
		moved := map[registry.Phase]int{}
		for i := range log {
			op := &log[i]
			op.ID, op.Person, op.AtMS = fmt.Sprintf("op-%d", i), persons.Draw(t, "person"), int64(rapid.IntRange(0, 1000).Draw(t, "clock"))
			if v := op.Verdict; v != nil {
				if r := d.state.Release(v.Game, v.Version); r != nil {
					v.Attempt = r.Attempt
				}
			}
			before := snapshot(t, d.state)
			old := d.state
			next, res := d.state.Apply(op)
			if !bytes.Equal(before, snapshot(t, old)) {
				t.Fatalf("%+v changed the state it was applied to", op)
			}
			if (res.Refusal == nil) != (next.Seq() == old.Seq()+1) || next.AtMS() < old.AtMS() {
				t.Fatalf("sequence %d after %d, time %d after %d, %+v", next.Seq(), old.Seq(), next.AtMS(), old.AtMS(), res)
			}
			if op.Move != nil && res.Refusal == nil {
				moved[op.Move.To]++
			}
			d.state = next
			holds(t, d.state)
		}
		again := registry.NewState()
		for i := range log {
			encoded, err := log[i].Encode()
			if err != nil {
				t.Fatal(err)
			}
			op, err := registry.DecodeOp(encoded)
			if err != nil {
				t.Fatal(err)
			}
			again, _ = again.Apply(op)
			if i == len(log)/2 {
				if again, err = registry.Restore(snapshot(t, again)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !bytes.Equal(snapshot(t, again), snapshot(t, d.state)) {
			t.Fatal("a replay through codec and snapshot gives another state")
		}
	})
}

func snapshot(t interface{ Fatal(args ...any) }, s *registry.State) []byte {
	b, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// holds checks what every state must keep to.
func holds(t *rapid.T, s *registry.State) {
	for _, g := range s.Games() {
		count := map[registry.Phase]int{}
		for _, r := range g.Releases {
			count[r.Phase]++
			last := r.History[len(r.History)-1]
			if last.Phase != r.Phase {
				t.Fatalf("%s is %s, its history ends with %s", r.Version, r.Phase, last.Phase)
			}
			public := r.Phase == registry.Canary || r.Phase == registry.Live
			if public && !r.Played || r.Played && r.Report.IsZero() {
				t.Fatalf("%s met players without a passed check, or unnoticed: %+v", r.Version, r)
			}
			// Between its last push and its first players stands the word of
			// somebody who did not push it.
			agreed := false
			for _, step := range r.History {
				switch step.Phase {
				case registry.Draft:
					agreed = false
				case registry.Approved:
					agreed = agreed || step.Person != r.Pusher
				case registry.Canary, registry.Live:
					if !agreed {
						t.Fatalf("%s met players without a second person: %+v", r.Version, r.History)
					}
				case registry.Checked, registry.Rejected, registry.RolledBack, registry.Retired:
				}
			}
		}
		if count[registry.Live] > 1 || count[registry.Canary] > 1 {
			t.Fatalf("%d live and %d canary releases", count[registry.Live], count[registry.Canary])
		}
		want, ok := s.Desired(g.ID)
		if ok && (want.Seq == 0 || want.Seq > s.Seq() || want.Enabled != (count[registry.Live]+count[registry.Canary] > 0) || (want.Canary != nil) != (count[registry.Canary] == 1)) {
			t.Fatalf("desired %+v of %+v", want, count)
		}
		if !ok && count[registry.Live]+count[registry.Canary] > 0 {
			t.Fatal("players should get a game, and nothing is desired")
		}
	}
}
