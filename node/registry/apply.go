package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
)

// editing is a state under construction: a copy whose touched parts are copied
// before they change.
type editing struct {
	*State
	op *Op
}

// Apply gives the state after an operation, and what it did. A refusal gives
// the same state back.
func (s *State) Apply(op *Op) (*State, Result) {
	if before, ok := s.known[op.ID]; ok {
		if before.Sum != op.sum() {
			return s, Result{Seq: s.seq, Refusal: refuse(CodeIDReused, "Use an id of its own for every operation.", "operation %s was another one before", op.ID)}
		}
		return s, Result{Seq: before.Seq, Repeated: true}
	}
	e := &editing{State: s.copy(), op: op}
	e.seq++
	e.atMS = max(s.atMS, op.AtMS)
	if r := e.apply(); r != nil {
		return s, Result{Seq: s.seq, Refusal: r}
	}
	e.remember()
	return e.State, Result{Seq: e.seq}
}

// copy shares studios and games, which are copied before a change.
func (s *State) copy() *State {
	c := *s
	c.studios, c.games, c.known = maps.Clone(s.studios), maps.Clone(s.games), maps.Clone(s.known)
	c.recent = slices.Clone(s.recent)
	return &c
}

func (e *editing) remember() {
	a := applied{ID: e.op.ID, Seq: e.seq, Sum: e.op.sum()}
	e.recent = append(e.recent, a)
	e.known[a.ID] = a
	if len(e.recent) > rememberedOps {
		delete(e.known, e.recent[0].ID)
		e.recent = e.recent[1:]
	}
}

func (e *editing) apply() *Refusal {
	if r := e.op.check(); r != nil {
		return r
	}
	switch op := e.op; {
	case op.Found != nil:
		return e.found(op.Found)
	case op.AddKey != nil:
		return e.addKey(op.AddKey)
	case op.RevokeKey != nil:
		return e.revokeKey(op.RevokeKey)
	case op.Draft != nil:
		return e.draft(op.Draft)
	case op.Verdict != nil:
		return e.verdict(op.Verdict)
	default:
		return e.move(op.Move)
	}
}

// editStudio gives a copy of a studio that may be changed.
func (e *editing) editStudio(name string) *Studio {
	c := Studio{Name: name}
	if st := e.studios[name]; st != nil {
		c.Keys = slices.Clone(st.Keys)
	}
	e.studios[name] = &c
	return &c
}

// editGame gives a copy of a game that may be changed, releases included.
func (e *editing) editGame(id string) *Game {
	g := *e.games[id]
	g.Releases = slices.Clone(g.Releases)
	for i, r := range g.Releases {
		g.Releases[i] = r.clone()
	}
	e.games[id] = &g
	return &g
}

func (e *editing) found(op *Found) *Refusal {
	for i := range op.Releases {
		r := op.Releases[i].clone()
		if e.games[r.Game] != nil {
			continue
		}
		r.KeyID, r.Pusher, r.Attempt, r.ShareX10000, r.History = "", e.op.Person, e.op.ID, 0, nil
		r.Played, r.LiveSeq = true, e.seq
		e.step(r, Live)
		if e.studios[r.Studio] == nil {
			e.editStudio(r.Studio)
		}
		// What a shard was founded with is older than anything the registry
		// says: the sequence only has to be there.
		e.games[r.Game] = &Game{ID: r.Game, Studio: r.Studio, ChangedSeq: e.seq, Releases: []*Release{r}}
	}
	return nil
}

// KeyID names a public key.
func KeyID(publicKey []byte) string {
	sum := sha256.Sum256(publicKey)
	return hex.EncodeToString(sum[:8])
}

func (e *editing) addKey(op *AddKey) *Refusal {
	id := KeyID(op.PublicKey)
	if studio, k, ok := e.KeyOf(id); ok {
		if k.Revoked {
			return refuse(CodeKeyRevoked, "Make a new key pair.", "key %s of studio %s was revoked and never comes back", id, studio)
		}
		return refuse(CodeKeyExists, "It may sign already.", "key %s belongs to studio %s already", id, studio)
	}
	if st := e.studios[op.Studio]; st != nil && len(st.Keys) >= maxKeys {
		return refuse(CodeTooMany, "Found another studio, or go on with the keys there are.", "studio %s has %d keys, revoked ones included", op.Studio, maxKeys)
	}
	st := e.editStudio(op.Studio)
	st.Keys = append(st.Keys, Key{ID: id, PublicKey: op.PublicKey, AddedMS: e.atMS, AddedBy: e.op.Person, Reason: e.op.Reason})
	return nil
}

func (e *editing) revokeKey(op *RevokeKey) *Refusal {
	st := e.studios[op.Studio]
	if st == nil {
		return unknownStudio(op.Studio)
	}
	k, ok := st.Key(op.KeyID)
	switch {
	case !ok:
		return refuse(CodeUnknownKey, "List the studio's keys.", "studio %s has no key %s", op.Studio, op.KeyID)
	case k.Revoked:
		return refuse(CodeKeyRevoked, "Nothing is left to do.", "key %s was revoked before", op.KeyID)
	}
	st = e.editStudio(op.Studio)
	for i := range st.Keys {
		if k := &st.Keys[i]; k.ID == op.KeyID {
			k.Revoked, k.RevokedMS, k.RevokedBy, k.Reason = true, e.atMS, e.op.Person, e.op.Reason
		}
	}
	return nil
}

func unknownStudio(name string) *Refusal {
	return refuse(CodeUnknownStudio, "Add the studio's first key.", "there is no studio %s", name)
}

// signer refuses a key that does not sign for the studio now.
func (e *editing) signer(studio, keyID string) *Refusal {
	st := e.studios[studio]
	if st == nil {
		return unknownStudio(studio)
	}
	k, ok := st.Key(keyID)
	switch {
	case !ok:
		return refuse(CodeUnknownKey, "Sign with a key of the studio, or have this one added.", "studio %s has no key %s", studio, keyID)
	case k.Revoked:
		return refuse(CodeKeyRevoked, "Push again, signed with an active key.", "key %s of studio %s was revoked: what it signed is not taken", keyID, studio)
	}
	return nil
}

func (e *editing) step(r *Release, phase Phase) {
	r.Phase, r.Replaced = phase, false
	r.History = append(r.History, Step{Phase: phase, Person: e.op.Person, Reason: e.op.Reason, AtMS: e.atMS, ShareX10000: r.ShareX10000})
}

func (e *editing) draft(op *DraftOp) *Refusal {
	in := &op.Release
	if r := e.signer(in.Studio, in.KeyID); r != nil {
		return r
	}
	g := e.games[in.Game]
	switch {
	case g == nil && len(e.games) >= maxGames:
		return refuse(CodeTooMany, "Ask for a cluster of its own.", "the registry holds %d games", maxGames)
	case g == nil:
		e.games[in.Game] = &Game{ID: in.Game, Studio: in.Studio}
	case g.Studio != in.Studio:
		return refuse(CodeWrongStudio, "Choose a game id of your own.", "game %s belongs to studio %s", in.Game, g.Studio)
	}
	if r := e.sameReturn(in); r != nil {
		return r
	}
	if r := e.room(); r != nil {
		return r
	}
	g = e.editGame(in.Game)
	r := in.clone()
	r.Pusher, r.Attempt, r.Report, r.Played, r.LiveSeq, r.ShareX10000, r.History = e.op.Person, e.op.ID, Digest{}, false, 0, 0, nil
	old := g.Release(in.Version)
	switch {
	case old == nil && len(g.Releases) >= maxReleases:
		return refuse(CodeTooMany, "Go on under a new game id.", "game %s has %d releases", in.Game, maxReleases)
	case old == nil:
		g.Releases = append(g.Releases, r)
	case old.Phase == Draft || old.Phase == Rejected:
		// Nobody saw it: a corrected or interrupted push takes its place.
		r.History = old.History
		g.Releases[slices.Index(g.Releases, old)] = r
	default:
		return refuse(CodeVersionExists, "Raise the version in the manifest and push again.",
			"version %s of game %s exists and is %s", in.Version, in.Game, old.Phase)
	}
	if len(r.History) >= maxSteps {
		return tooManySteps(r)
	}
	e.step(r, Draft)
	return nil
}

// room refuses another draft where the registry has grown too large to be sent
// to a node in one message; what is in it can still be moved.
func (e *editing) room() *Refusal {
	b, err := e.Snapshot()
	if err != nil || len(b) > maxBytes {
		return refuse(CodeTooMany, "Ask for a cluster of its own.", "the registry holds %d bytes, at most %d", len(b), maxBytes)
	}
	return nil
}

// sameReturn refuses a change of the theoretical return under a name that
// players and reports know already.
func (e *editing) sameReturn(r *Release) *Refusal {
	for _, x := range e.Releases("") {
		if !x.Played || x.reportGame() != r.reportGame() {
			continue
		}
		if mode, was, is, changed := changedReturn(x, r); changed {
			return refuse(CodeRTPChanged, "Give it a game id or a variant of its own.",
				"mode %s of %s %s returns %s, and %s in this release: a change of theoretical return is a new game",
				mode, x.Game, x.Version, was, is)
		}
	}
	return nil
}

func (e *editing) verdict(op *Verdict) *Refusal {
	r, refusal := e.edit(op.Game, op.Version)
	if refusal != nil {
		return refusal
	}
	switch {
	case r.Attempt != op.Attempt:
		return refuse(CodeStale, "Look at the release: a later push took its place.", "the check was of another push of %s %s", op.Game, op.Version)
	case r.Phase != Draft:
		return refuse(CodeWrongState, "Nothing is left to do.", "%s %s is %s, not a draft", op.Game, op.Version, r.Phase)
	}
	phase := Rejected
	if op.Passed {
		phase = Checked
	}
	r.Report = op.Report
	e.step(r, phase)
	return nil
}

// edit gives a copy of a release that may be changed.
func (e *editing) edit(game, version string) (*Release, *Refusal) {
	if e.games[game] == nil {
		return nil, refuse(CodeUnknownGame, "List the releases.", "there is no game %s", game)
	}
	if e.games[game].Release(version) == nil {
		return nil, refuse(CodeUnknownVersion, "List the releases of the game.", "game %s has no version %s", game, version)
	}
	r := e.editGame(game).Release(version)
	if len(r.History) >= maxSteps {
		return nil, tooManySteps(r)
	}
	return r, nil
}

func tooManySteps(r *Release) *Refusal {
	return refuse(CodeTooMany, "Push another version.", "%s %s has a history of %d steps", r.Game, r.Version, maxSteps)
}
