package registry

import (
	"slices"
	"strings"
)

// movesFrom says from which phases a person may take a release to another.
func movesFrom(to Phase) []Phase {
	switch to {
	case Approved:
		return []Phase{Checked, RolledBack, Retired}
	case Canary:
		return []Phase{Approved, Canary}
	case Live:
		return []Phase{Approved, Canary}
	case RolledBack:
		return []Phase{Canary, Live}
	case Retired:
		return []Phase{Checked, Approved, Live}
	case Draft, Checked, Rejected:
		return nil
	}
	return nil
}

func (e *editing) move(op *Move) *Refusal {
	r, refusal := e.edit(op.Game, op.Version)
	if refusal != nil {
		return refusal
	}
	if !op.IfModule.IsZero() && op.IfModule != r.Module {
		return refuse(CodeStale, "Look at the release again.", "%s %s is module %s, not %s", op.Game, op.Version, r.Module, op.IfModule)
	}
	if !slices.Contains(movesFrom(op.To), r.Phase) {
		return refuse(CodeWrongState, wrongStateHint(op.To), "%s %s is %s and cannot become %s", op.Game, op.Version, r.Phase, op.To)
	}
	if op.To == Approved || op.To == Canary || op.To == Live {
		if refusal := e.forward(r); refusal != nil {
			return refusal
		}
	}
	g := e.games[op.Game]
	switch op.To {
	case Approved:
		return e.approve(r)
	case Canary:
		return e.canary(g, r, op.ShareX10000)
	case Live:
		return e.promote(g, r)
	case RolledBack:
		return e.rollBack(g, r)
	default:
		return e.retire(g, r)
	}
}

func wrongStateHint(to Phase) string {
	switch to {
	case Approved:
		return "A release is approved after its check passed."
	case Canary, Live:
		return "A second person has to approve it first."
	case RolledBack:
		return "Only a canary or a live version can be rolled back."
	default:
		return "Look at the release's history."
	}
}

// forward refuses what no longer may come closer to players.
func (e *editing) forward(r *Release) *Refusal {
	if r.KeyID != "" {
		if refusal := e.signer(r.Studio, r.KeyID); refusal != nil {
			return refusal
		}
	}
	return e.sameReturn(r)
}

func (e *editing) approve(r *Release) *Refusal {
	if samePerson(r.Pusher, e.op.Person) {
		return refuse(CodeSamePerson, "Let somebody else approve it.", "%s pushed %s %s and cannot approve it", e.op.Person, r.Game, r.Version)
	}
	r.ShareX10000 = 0
	e.step(r, Approved)
	return nil
}

// samePerson compares names without regard to case and outer spaces. Only ASCII
// letters are folded: every build has to decide alike, and tables of other
// letters change.
func samePerson(a, b string) bool {
	fold := func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	return strings.Map(fold, strings.Trim(a, " ")) == strings.Map(fold, strings.Trim(b, " "))
}

func (e *editing) canary(g *Game, r *Release, share uint32) *Refusal {
	if other := g.in(Canary); other != nil && other != r {
		return otherCanary(g, other)
	}
	r.ShareX10000, r.Played, g.ChangedSeq = share, true, e.seq
	e.step(r, Canary)
	return nil
}

func otherCanary(g *Game, other *Release) *Refusal {
	return refuse(CodeWrongState, "Promote it or roll it back first.", "version %s of %s is in canary", other.Version, g.ID)
}

// promote puts a release before everybody; the one before it is kept for its
// open rounds and for a way back.
func (e *editing) promote(g *Game, r *Release) *Refusal {
	if other := g.in(Canary); other != nil && other != r {
		return otherCanary(g, other)
	}
	if old := g.in(Live); old != nil {
		e.step(old, Retired)
		old.Replaced = true
	}
	r.ShareX10000, r.Played, r.LiveSeq, g.ChangedSeq = 0, true, e.seq, e.seq
	e.step(r, Live)
	return nil
}

// rollBack takes a release back; the version before a live one returns.
func (e *editing) rollBack(g *Game, r *Release) *Refusal {
	wasLive := r.Phase == Live
	r.ShareX10000, g.ChangedSeq = 0, e.seq
	e.step(r, RolledBack)
	if !wasLive {
		return nil
	}
	if before := g.before(); before != nil {
		before.LiveSeq = e.seq
		e.step(before, Live)
	}
	return nil
}

// retire ends a release; a live one leaves the game without a version.
func (e *editing) retire(g *Game, r *Release) *Refusal {
	if r.Phase == Live {
		if c := g.in(Canary); c != nil {
			return otherCanary(g, c)
		}
		g.ChangedSeq = e.seq
	}
	e.step(r, Retired)
	return nil
}
