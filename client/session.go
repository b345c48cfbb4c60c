package client

import (
	"context"
	"errors"
	"fmt"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// Session is a player's sitting at one game: it counts the steps, goes on with
// a round left open, and takes a new seed when the node asks for it. It belongs
// to the goroutine of its Player.
type Session struct {
	player     *Player
	game       string
	clientSeed string
	state      *edgereelv1.Session
	// pending is the step whose outcome is unknown, nil when there is none.
	pending *edgereelv1.PlayRequest
	// unsure is set once an attempt at the pending step was left unknown.
	unsure bool
	// expired is set from the refusal of a step until a new session is open.
	expired bool
}

// Bet is what a player decides about one step. Mode and StakeMinor are for the
// first step of a round, Action and Choice for what the game offers then.
type Bet struct {
	Mode           string
	StakeMinor     int64
	Action, Choice uint32
}

// Sit continues the player's open session of a game, or opens one with the
// client seed.
func (p *Player) Sit(ctx context.Context, game, clientSeed string) (*Session, error) {
	s := &Session{player: p, game: game, clientSeed: clientSeed}
	if err := s.sit(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// sit looks for an open session before it opens one. It therefore also finds
// the session of an opening whose answer was lost.
func (s *Session) sit(ctx context.Context) error {
	for range 2 {
		found, err := s.player.GetWallet(ctx, false)
		if err != nil {
			return err
		}
		for _, open := range found.GetWallet().GetSessions() {
			if open.GetGame() == s.game {
				s.take(open)
				return nil
			}
		}
		if err = s.open(ctx); CodeOf(err) != codeSessionExists {
			return err
		}
	}
	return &Error{
		Effect: NotAppliedRetryable, Code: codeSessionExists,
		Err:  fmt.Errorf("another client keeps opening and closing sessions of %q", s.game),
		Hint: "Let only one client at a time play a game with a wallet.",
	}
}

func (s *Session) take(state *edgereelv1.Session) {
	s.state = state
	s.player.inRound = state.GetOpenRound() != nil
}

func (s *Session) open(ctx context.Context) error {
	key, err := s.player.c.NewKey()
	if err != nil {
		return &Error{Effect: NotApplied, Code: "no_key", Err: err}
	}
	opened, err := s.player.OpenSession(ctx, s.game, key, s.clientSeed)
	if err != nil {
		return err
	}
	s.take(opened.GetSession())
	return nil
}

// ID names the session.
func (s *Session) ID() string { return s.state.GetSession() }

// OpenRound is the round that waits for its next step, nil when there is none.
func (s *Session) OpenRound() *edgereelv1.Round { return s.state.GetOpenRound() }

// Pending tells whether the last step is undecided: Settle asks for it.
func (s *Session) Pending() bool { return s.pending != nil }

// Play makes the next step. When the session's seed is due for rotation, it
// closes the session, opens a new one and makes the step there. After an error
// with the effect unknown nothing else can be played: Settle asks for the
// outcome with the same key.
func (s *Session) Play(ctx context.Context, bet Bet) (*edgereelv1.PlayResponse, error) {
	if s.pending != nil {
		return nil, &Error{
			Effect: NotApplied, Code: CodeStepPending, Hint: "Call Settle first.",
			Err: fmt.Errorf("step %d has no outcome yet", s.pending.GetStep()),
		}
	}
	for first := true; ; first = false {
		if s.expired {
			if err := s.rotate(ctx); err != nil {
				return nil, err
			}
		}
		s.pending = s.request(bet)
		played, err := s.Settle(ctx)
		s.expired = CodeOf(err) == codeSessionExpired && EffectOf(err) == NotApplied
		if !s.expired || !first {
			return played, err
		}
	}
}

func (s *Session) request(bet Bet) *edgereelv1.PlayRequest {
	return &edgereelv1.PlayRequest{
		Wallet: s.player.wallet, Session: s.state.GetSession(), Step: s.state.GetNextStep(),
		Mode: bet.Mode, StakeMinor: bet.StakeMinor, Action: bet.Action, Choice: bet.Choice,
	}
}

// Settle sends the undecided step again, unchanged. Without one it fails.
func (s *Session) Settle(ctx context.Context) (*edgereelv1.PlayResponse, error) {
	if s.pending == nil {
		return nil, &Error{Effect: NotApplied, Code: "nothing_pending", Err: errors.New("no step waits for its outcome")}
	}
	if s.unsure {
		ctx = AfterUnknown(ctx)
	}
	played, err := s.player.Play(ctx, s.pending)
	if err != nil {
		if s.unsure = EffectOf(err) == Unknown; !s.unsure {
			s.pending = nil
		}
		return nil, err
	}
	s.after(s.pending, played)
	s.pending, s.unsure = nil, false
	return played, nil
}

// after moves the session's state on as the node's has moved.
func (s *Session) after(request *edgereelv1.PlayRequest, played *edgereelv1.PlayResponse) {
	s.state.NextStep = played.GetStep() + 1
	if !played.GetRoundOpen() {
		s.state.OpenRound = nil
		return
	}
	round := s.state.GetOpenRound()
	if round == nil {
		round = &edgereelv1.Round{
			Round: played.GetRound(), ModuleDigest: played.GetModuleDigest(), Mode: request.GetMode(), StakeMinor: request.GetStakeMinor(),
		}
		s.state.OpenRound = round
		s.state.Rounds++
	}
	round.WinSoFarMinor, round.NextActions = played.GetRoundWinMinor(), played.GetNextActions()
	round.Frozen = played.GetIncident() != ""
}

// rotate closes the session, which reveals its seed, and opens the next one.
func (s *Session) rotate(ctx context.Context) error {
	if _, err := s.player.CloseSession(ctx, s.ID()); err != nil && CodeOf(err) != codeAlreadyDecided {
		return err
	}
	return s.sit(ctx)
}

// Close ends the session and reveals its seed. A round must not be open.
func (s *Session) Close(ctx context.Context) (*edgereelv1.CloseSessionResponse, error) {
	return s.player.CloseSession(ctx, s.ID())
}
