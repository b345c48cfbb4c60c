package record_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/internal/tiny"
	"github.com/edgereel/edgereel/gamelogic/record"
)

func load(t testing.TB, g *tiny.Game) *gamelogic.Module {
	t.Helper()
	wasm := g.Build()
	host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	m, err := host.Load(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ladder stays open for two steps, whose states hold what was drawn, and pays
// in the last one what the choice says.
func ladder() *tiny.Game {
	return tiny.New(tiny.If(tiny.Load(tiny.StateLength),
		tiny.If(tiny.Equal(tiny.Load8(tiny.State+3), tiny.I32(2)),
			tiny.Join(tiny.Keep(tiny.Draw(9)), tiny.Close(tiny.Load(tiny.Choice))),
			tiny.Open(tiny.I32(1), tiny.Add(tiny.Draw(1000), tiny.I32(2<<24)), 1<<2)),
		tiny.Open(tiny.I32(0), tiny.Add(tiny.Draw(1000), tiny.I32(1<<24)), 1<<2)))
}

func hash(state []byte) string {
	if len(state) == 0 {
		return strings.Repeat("0", 64)
	}
	d := sha256.Sum256(append([]byte{6}, state...))
	return hex.EncodeToString(d[:])
}

// played is a round as a ledger would record it.
func played(t *testing.T, m *gamelogic.Module) *record.Round {
	t.Helper()
	seed := [32]byte{3, 1, 4}
	commitment, digest := gamelogic.Commitment(seed), m.Digest()
	r := &record.Round{
		Schema: record.Version, Kind: record.Kind, Round: "ab-7", RoundID: 7, Session: "ab-2", Game: "tiny", ModuleDigest: hex.EncodeToString(digest[:]),
		Algorithm: 1, Commitment: hex.EncodeToString(commitment[:]), ClientSeed: "mine", Seed: hex.EncodeToString(seed[:]), Mode: "base", StakeMinor: 5, Closed: true,
	}
	st := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 5}
	for i, action := range []uint32{0, 2, 2} {
		nonce := uint64(40 + 2*i)
		draws, err := gamelogic.NewDraws(seed, gamelogic.DrawContext{Algorithm: 1, ClientSeed: []byte("mine"), Module: digest, RoundID: 7, StepNonce: nonce})
		if err != nil {
			t.Fatal(err)
		}
		if st.Draws = draws; i > 0 {
			st.Action, st.Choice = "pick", 0
		}
		out, err := m.Play(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		s := record.Step{
			ShardSeq: uint64(100 + i), Step: uint64(9 + i), Nonce: nonce, Action: action, Choice: st.Choice, StateHash: hash(st.State), WinMinor: out.WinMinor,
			Closed: out.Closed, State: hex.EncodeToString(out.State), Draws: uint32(out.DrawCount), DrawsDigest: hex.EncodeToString(out.DrawsDigest[:]), Presentation: out.Presentation,
		}
		if !out.Closed {
			s.NextActions = 1 << 2
		}
		r.Steps = append(r.Steps, s)
		st.State, st.WonMinor = out.State, st.WonMinor+out.WinMinor
	}
	r.WinMinor = st.WonMinor
	return r
}

func TestReplay_Same(t *testing.T) {
	m := load(t, ladder())
	r := played(t, m)
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = record.Parse(raw); err != nil {
		t.Fatal(err)
	}
	list, err := record.Replay(t.Context(), m, r)
	if err != nil || len(list) != 3 || r.WinMinor != 5 {
		t.Fatalf("%+v, %v", list, err)
	}
	if d := list[1].Draws; len(d) != 1 || d[0].Bound != 1000 || list[1].Action != "pick" || list[0].Action != "spin" {
		t.Errorf("step 2: %+v", list[1])
	}
}

// Everything that can be changed about a record has its own answer.
func TestReplay_TellsWhatIsWrong(t *testing.T) {
	m := load(t, ladder())
	zeros := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		change func(*record.Round)
		want   error
		says   string
	}{
		"sealed":       {func(r *record.Round) { r.Seed = "" }, record.ErrSealed, "close the session"},
		"other seed":   {func(r *record.Round) { r.Seed = zeros }, record.ErrSeed, "does not open the commitment"},
		"short seed":   {func(r *record.Round) { r.Seed = "00" }, record.ErrRecord, "seed is 2 characters"},
		"commitment":   {func(r *record.Round) { r.Commitment = zeros }, record.ErrSeed, zeros},
		"module":       {func(r *record.Round) { r.ModuleDigest = zeros }, record.ErrModule, "played by " + zeros},
		"algorithm":    {func(r *record.Round) { r.Algorithm = 9 }, record.ErrRecord, "unknown algorithm 9"},
		"no steps":     {func(r *record.Round) { r.Steps = nil }, record.ErrMissing, "none"},
		"first step":   {func(r *record.Round) { r.Steps = r.Steps[1:] }, record.ErrMissing, "the first one"},
		"middle step":  {func(r *record.Round) { r.Steps = append(r.Steps[:1], r.Steps[2]) }, record.ErrMissing, "behind step 9 of the session"},
		"last step":    {func(r *record.Round) { r.Steps = r.Steps[:2] }, record.ErrMissing, "its last step as closed false"},
		"client seed":  {func(r *record.Round) { r.ClientSeed = "yours" }, nil, "step 1: the digest of the draws"},
		"round":        {func(r *record.Round) { r.RoundID++ }, nil, "step 1: the digest of the draws"},
		"nonce":        {func(r *record.Round) { r.Steps[1].Nonce++ }, nil, "step 2: the digest of the draws"},
		"draws":        {func(r *record.Round) { r.Steps[2].Draws = 2 }, nil, "step 3: the number of draws is recorded as 2, it comes out as 1"},
		"win":          {func(r *record.Round) { r.Steps[1].WinMinor = 6 }, nil, "step 2: the win is recorded as 6, it comes out as 5"},
		"total":        {func(r *record.Round) { r.WinMinor = 6 }, nil, "the win of the round is recorded as 6, it comes out as 5"},
		"stake":        {func(r *record.Round) { r.StakeMinor = 6 }, nil, "step 2: the win is recorded as 5, it comes out as 6"},
		"choice":       {func(r *record.Round) { r.Steps[2].Choice = 1 }, nil, "step 3"},
		"action":       {func(r *record.Round) { r.Steps[2].Action = 30 }, record.ErrRecord, "action 30"},
		"state":        {func(r *record.Round) { r.Steps[0].State = "00000001" }, nil, "step 1: the state"},
		"next actions": {func(r *record.Round) { r.Steps[0].NextActions = 6 }, nil, "step 1: the mask of next actions is recorded as 0x6"},
		"presentation": {func(r *record.Round) { r.Steps[2].Presentation = []byte("win") }, nil, "step 3: the presentation is recorded as 3 bytes"},
		"incident":     {func(r *record.Round) { r.Steps[2].Incident = "trap" }, nil, "step 3: the incident is recorded as trap, it comes out as none"},
		"mode":         {func(r *record.Round) { r.Mode = "buy" }, nil, "step 1: the step is recorded as decided"},
	} {
		t.Run(name, func(t *testing.T) {
			r := played(t, m)
			c.change(r)
			_, err := record.Replay(t.Context(), m, r)
			var mismatch *record.MismatchError
			if err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && !errors.As(err, &mismatch) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v that says %q", err, c.want, c.says)
			}
		})
	}
}

func TestParse_Refuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                                     "EOF",
		"{}":                                   `kind is ""`,
		`{"kind":"edgereel.round"}`:            "version 0",
		`{"kind":"edgereel.round","schema":2}`: "version 2",
		`{"kind":"edgereel.round","schema":1,"extra":1}`:  `"extra"`,
		`{"kind":"edgereel.round","schema":1} {"more":1}`: "more than one",
	} {
		if _, err := record.Parse([]byte(text)); !errors.Is(err, record.ErrRecord) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"kind":"edgereel.round","schema":1,"seed":"00","steps":[{"step":1,"state":"zz","state_hash":""}]}`))
	m := load(f, ladder())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := record.Parse(b)
		if err != nil {
			return
		}
		// Nobody can make a round that replays without knowing the module.
		if _, err := record.Replay(t.Context(), m, r); err == nil {
			t.Fatalf("it replays: %s", b)
		}
	})
}
