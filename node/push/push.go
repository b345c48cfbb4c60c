package push

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	"github.com/edgereel/edgereel/api/dsse"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic/table"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
)

const (
	// maxSheetBytes bounds a PAR sheet.
	maxSheetBytes = 4 << 20
	// tableHead is enough of a file to tell a table from a module.
	tableHead = 64
	// catchUp is how long a record may take from the registry's leader to here.
	catchUp = 3 * time.Second
	// keyTries and keyPause are how long a key is waited for.
	keyTries = 10
	keyPause = 100 * time.Millisecond
)

// Sender takes the messages of a push, one call at a time.
type Sender interface {
	Send(*edgereelv1.PushResponse) error
}

// pushed is one push on its way.
type pushed struct {
	s    *Service
	req  *edgereelv1.PushRequest
	send Sender

	module, envelope, sheet blobs.Digest
	path                    string
	size                    int64
	par                     []byte
	verified                *dsse.Verified
	admission               *Admission
	rejected                bool
}

// Push checks uploaded blobs and records the release. It sends progress and
// ends with the release as it stands; after an error nothing of the push is
// stored, unless the error says that a repeat may succeed.
func (s *Service) Push(ctx context.Context, req *edgereelv1.PushRequest, send Sender) error {
	p := &pushed{s: s, req: req, send: send}
	if err := p.parse(); err != nil {
		return err
	}
	documents := []blobs.Digest{p.module, p.envelope, p.sheet}
	done := s.keep.use(documents...)
	defer done()
	err := p.run(ctx)
	d := api.DetailOf(err)
	switch {
	case err == nil && !p.rejected:
		return nil
	case err == nil:
	case d.GetEffect() == edgereelv1.Effect_EFFECT_NOT_APPLIED:
		s.cfg.Logger.Info("a push was refused", "code", d.GetCode(), "module", req.GetModule(), "person", req.GetPerson())
	default:
		s.cfg.Logger.Warn("a push did not end", "code", d.GetCode(), "module", req.GetModule(), "error", err, "cause", errors.Unwrap(err))
		return err
	}
	// Refused or rejected: what nobody may play is not kept. Deleting does not
	// depend on whether the caller still listens.
	done()
	if err := s.keep.discard(documents...); err != nil {
		s.cfg.Logger.Warn("a refused blob is still stored", "error", err)
	}
	return err
}

func (p *pushed) run(ctx context.Context) error {
	if err := p.verify(ctx); err != nil {
		return err
	}
	if known, err := p.known(); known != nil || err != nil {
		if err != nil {
			return err
		}
		return p.finish(known, nil)
	}
	select {
	case p.s.running <- struct{}{}:
		defer func() { <-p.s.running }()
	default:
		return busy("gate_busy", retryAfterMS, "this node checks another module")
	}
	seed, err := p.seed()
	if err != nil {
		return err
	}
	job := Job{Module: p.path, Digest: p.module, PAR: p.par, Rounds: p.rounds(), Seed: seed, FloorRTP: p.s.cfg.FloorRTP}
	if err := p.admit(ctx, job); err != nil {
		return err
	}
	attempt, err := p.draft(ctx)
	if api.DetailOf(err).GetCode() == string(registry.CodeVersionExists) {
		// Another node may have taken the same module in, which is not seen here
		// yet.
		if known := p.awaitKnown(ctx); known != nil {
			return p.finish(known, nil)
		}
	}
	if err != nil {
		return err
	}
	report, err := p.prove(ctx, job)
	if err != nil {
		return err
	}
	return p.record(ctx, attempt, report)
}

// parse holds the request to its form.
func (p *pushed) parse() error {
	for _, d := range []struct {
		into *blobs.Digest
		name string
		text string
	}{{&p.module, "module", p.req.GetModule()}, {&p.envelope, "envelope", p.req.GetEnvelope()}, {&p.sheet, "par_sheet", p.req.GetParSheet()}} {
		var err error
		if *d.into, err = blobs.ParseDigest(d.text); err != nil {
			return invalid("%s: %s", d.name, err)
		}
	}
	if strings.TrimSpace(p.req.GetPerson()) == "" {
		return invalid("person is missing: a release says who pushed it")
	}
	if p.req.GetRounds() > p.s.cfg.MaxRounds {
		return invalid("%d rounds are asked for, this cluster checks at most %d", p.req.GetRounds(), p.s.cfg.MaxRounds)
	}
	return nil
}

// verify reads the documents and who signed them.
func (p *pushed) verify(ctx context.Context) error {
	f, err := p.s.cfg.Blobs.Open(p.module)
	if err != nil {
		return blobError("module", err)
	}
	p.path = f.Name()
	head := make([]byte, tableHead)
	n, readErr := f.ReadAt(head, 0)
	if errors.Is(readErr, io.EOF) {
		readErr = nil
	}
	info, err := f.Stat()
	if err := errors.Join(readErr, err, f.Close()); err != nil {
		return fault("storage_failed", err)
	}
	most := int64(MaxModuleBytes)
	if table.Is(head[:n]) {
		most = MaxTableBytes
	}
	if p.size = info.Size(); p.size > most {
		return refuse("module_too_large", "Make the module smaller.", "the module has %d bytes, at most %d", p.size, most)
	}
	envelope, err := p.read("envelope", p.envelope, dsse.MaxBytes)
	if err != nil {
		return err
	}
	if p.par, err = p.read("PAR sheet", p.sheet, maxSheetBytes); err != nil {
		return err
	}
	// A key that was added at another node a moment ago may be on its way here.
	for try := 0; ; try++ {
		p.verified, err = p.signed(envelope)
		if !errors.Is(err, dsse.ErrUnknownKey) || try == keyTries || !pause(ctx, keyPause) {
			break
		}
	}
	if err != nil {
		return envelopeError(err)
	}
	return nil
}

func (p *pushed) signed(envelope []byte) (*dsse.Verified, error) {
	state := p.s.cfg.Registry.State()
	return dsse.Verify(envelope, dsse.Subject{Module: p.module, ParSheet: p.sheet}, func(id string) (dsse.Key, bool) {
		studio, k, ok := state.KeyOf(id)
		return dsse.Key{Studio: studio, Public: k.PublicKey, Revoked: k.Revoked}, ok
	})
}

// pause waits for d or the end of ctx; false at its end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *pushed) read(what string, d blobs.Digest, most int64) ([]byte, error) {
	size, err := p.s.cfg.Blobs.Stat(d)
	if err != nil {
		return nil, blobError(what, err)
	}
	if size > most {
		return nil, refuse("blob_too_large", "Push another file.", "the %s has %d bytes, at most %d", what, size, most)
	}
	b, err := p.s.cfg.Blobs.Read(d)
	if err != nil {
		return nil, blobError(what, err)
	}
	return b, nil
}

func blobError(what string, err error) error {
	if errors.Is(err, blobs.ErrNotFound) {
		return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "blob_missing", connect.CodeFailedPrecondition,
			"Upload it to the node that is asked to check it.", "the %s is not stored at this node", what)
	}
	return fault("storage_failed", err)
}

// awaitKnown waits a little for a record of the same module that the registry's
// leader has and this node has not; nil when none comes.
func (p *pushed) awaitKnown(ctx context.Context) *registry.Release {
	for began := time.Now(); time.Since(began) < catchUp; {
		if known, err := p.known(); known != nil || err != nil {
			return known
		}
		if !pause(ctx, keyPause/2) {
			return nil
		}
	}
	return nil
}

// known answers a push of what is recorded already, and refuses early what the
// registry would refuse after a long check.
func (p *pushed) known() (*registry.Release, error) {
	st := p.verified.Statement.Predicate
	state := p.s.cfg.Registry.State()
	g := state.Game(st.Game)
	if g == nil {
		return nil, nil
	}
	if g.Studio != st.Studio {
		return nil, refuse(string(registry.CodeWrongStudio), "Choose a game id of your own.", "game %s belongs to studio %s", st.Game, g.Studio)
	}
	r := g.Release(st.Version)
	switch {
	case r == nil || r.Phase == registry.Draft || r.Phase == registry.Rejected:
		return nil, nil
	case blobs.Digest(r.Module) == p.module && blobs.Digest(r.ParSheet) == p.sheet:
		return r, nil
	}
	return nil, refuse(string(registry.CodeVersionExists), "Raise the version in the manifest, sign and push again.",
		"version %s of game %s exists, is %s and has other bytes", st.Version, st.Game, r.Phase)
}
