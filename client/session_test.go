package client_test

import (
	"testing"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
)

func TestSession_RotatesWhenExpired(t *testing.T) {
	script := func(s *seen) action {
		if s.kind == "play" && s.key == "w-1/3" {
			return action{err: refusal(edgereelv1.Effect_EFFECT_NOT_APPLIED, "session_expired")}
		}
		return action{applied: true}
	}
	inBubble(t, script, func(t *testing.T, c *client.Client, b *bank, _ *wire) {
		session, err := c.Player("token", "w").Sit(t.Context(), "comet-spins", "mine")
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if _, err := session.Play(t.Context(), client.Bet{Mode: "base", StakeMinor: 100}); err != nil {
				t.Fatal(err)
			}
		}
		var keys []string
		for _, attempt := range b.attempts("play") {
			keys = append(keys, attempt.key)
		}
		want := []string{"w-1/1", "w-1/2", "w-1/3", "w-2/1", "w-2/2"}
		if len(keys) != len(want) || keys[3] != want[3] || keys[4] != want[4] {
			t.Errorf("keys %v, want %v", keys, want)
		}
		if len(b.attempts("close_session")) != 1 || session.ID() != "w-2" {
			t.Errorf("session %s: the old one must be closed once", session.ID())
		}
	})
}

func TestSession_UnknownStepKeepsItsKey(t *testing.T) {
	script := func(s *seen) action {
		return action{applied: s.kind != "play" || s.number == 2, silent: s.kind == "play"}
	}
	inBubble(t, script, func(t *testing.T, c *client.Client, b *bank, _ *wire) {
		session, err := c.Player("token", "w").Sit(t.Context(), "comet-spins", "")
		if err != nil {
			t.Fatal(err)
		}
		bet := client.Bet{Mode: "base", StakeMinor: 100}
		if _, err := session.Play(t.Context(), bet); client.EffectOf(err) != client.Unknown || !session.Pending() {
			t.Fatalf("nobody answered: %v", err)
		}
		if _, err := session.Play(t.Context(), bet); client.CodeOf(err) != client.CodeStepPending {
			t.Errorf("another step before the first is decided: %v", err)
		}
		b.mu.Lock()
		b.script = func(*seen) action {
			return action{err: refusal(edgereelv1.Effect_EFFECT_NOT_APPLIED, "insufficient_funds")}
		}
		b.mu.Unlock()
		// The first copy can still commit, so this refusal decides nothing.
		if _, err := session.Settle(t.Context()); client.EffectOf(err) != client.Unknown || !session.Pending() {
			t.Errorf("refused after unknown: %v", err)
		}
		b.mu.Lock()
		b.script = nil
		b.mu.Unlock()
		played, err := session.Settle(t.Context())
		if err != nil || played.GetStep() != 1 || session.Pending() {
			t.Fatalf("settled %v, %v", played, err)
		}
		attempts := b.attempts("play")
		sameAttempts(t, attempts, len(attempts))
		if balance, _ := b.money(); balance != 99_900 {
			t.Errorf("balance %d: one stake must be taken", balance)
		}
	})
}

func TestSit_ContinuesAnOpenSession(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *client.Client, b *bank, _ *wire) {
		b.sessions = []*edgereelv1.Session{{
			Session: "w-7", Game: "comet-spins", NextStep: 4, OpenRound: &edgereelv1.Round{Round: "w-9", NextActions: 2},
		}}
		session, err := c.Player("token", "w").Sit(t.Context(), "comet-spins", "")
		if err != nil {
			t.Fatal(err)
		}
		if session.OpenRound().GetRound() != "w-9" {
			t.Errorf("open round %v", session.OpenRound())
		}
		if _, err := session.Play(t.Context(), client.Bet{Action: 1}); err != nil {
			t.Fatal(err)
		}
		attempts := b.attempts("play")
		if len(attempts) != 1 || attempts[0].key != "w-7/4" || len(b.attempts("open_session")) != 0 {
			t.Errorf("attempts %+v", attempts)
		}
		if session.OpenRound() != nil {
			t.Error("the round is over")
		}
	})
}
