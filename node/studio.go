package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/node/push"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/wallet"
)

// studioService answers StudioService on this node, whichever it is: operations
// go to the registry's leader, blobs come from whoever has them.
type studioService struct {
	n    *Node
	push *push.Service
}

var _ edgereelv1connect.StudioServiceHandler = (*studioService)(nil)

const (
	// blobPiece is what one answer carries of a document.
	blobPiece = 512 << 10
	// talliesTimeout bounds asking the other nodes for what their shards count.
	talliesTimeout = 3 * time.Second
)

func (n *Node) newStudioService() (*studioService, error) {
	gate := n.opts.Gate
	if gate == nil {
		gate = &push.Child{}
	}
	p, err := push.New(push.Config{
		Blobs: n.blobs, Registry: n.registry, Gate: gate, FloorRTP: n.cfg.Limits.FloorRTP, Rand: n.opts.Rand, Now: n.now, Logger: n.log,
	})
	if err != nil {
		return nil, err
	}
	return &studioService{n: n, push: p}, nil
}

// UploadChunk and Push take modules in.
func (s *studioService) UploadChunk(ctx context.Context, req *edgereelv1.UploadChunkRequest) (*edgereelv1.UploadChunkResponse, error) {
	return s.push.UploadChunk(ctx, req)
}

func (s *studioService) Push(ctx context.Context, req *edgereelv1.PushRequest, stream edgereelv1connect.StudioServicePushServerStream) error {
	return s.push.Push(ctx, req, stream)
}

// submit has the registry decide and gives its answer the form of the API.
func (s *studioService) submit(ctx context.Context, op registry.Op) error {
	_, err := s.n.registry.Submit(ctx, op)
	var refusal *registry.Refusal
	var undecided *registry.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		status := connect.CodeFailedPrecondition
		if refusal.Code == registry.CodeInvalid {
			status = connect.CodeInvalidArgument
		}
		return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, string(refusal.Code), status, refusal.Hint, "%s", refusal.Text)
	case errors.As(err, &undecided) && undecided.Effect == wallet.NotAppliedRetryable:
		s.n.log.WarnContext(ctx, "registry operation not decided", "error", err)
		return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "registry_unavailable", connect.CodeUnavailable,
			"Repeat the request once a majority of the registry's voters is up.", "the registry has no leader that this node can reach")
	}
	s.n.log.WarnContext(ctx, "registry operation undecided", "error", err)
	return api.Error(edgereelv1.Effect_EFFECT_UNKNOWN, "registry_undecided", connect.CodeUnavailable,
		"Look at the release or the studio before you repeat the request.", "the registry did not say what became of the request")
}

func (s *studioService) AddStudioKey(ctx context.Context, req *edgereelv1.AddStudioKeyRequest) (*edgereelv1.AddStudioKeyResponse, error) {
	err := s.submit(ctx, registry.Op{
		Person: req.GetPerson(), Reason: req.GetReason(), AddKey: &registry.AddKey{Studio: req.GetStudio(), PublicKey: req.GetPublicKey()},
	})
	if err != nil {
		return nil, err
	}
	return &edgereelv1.AddStudioKeyResponse{Studio: studioMessage(s.n.registry.State().Studio(req.GetStudio()))}, nil
}

func (s *studioService) RevokeStudioKey(ctx context.Context, req *edgereelv1.RevokeStudioKeyRequest) (*edgereelv1.RevokeStudioKeyResponse, error) {
	err := s.submit(ctx, registry.Op{
		Person: req.GetPerson(), Reason: req.GetReason(), RevokeKey: &registry.RevokeKey{Studio: req.GetStudio(), KeyID: req.GetKeyId()},
	})
	if err != nil {
		return nil, err
	}
	return &edgereelv1.RevokeStudioKeyResponse{Studio: studioMessage(s.n.registry.State().Studio(req.GetStudio()))}, nil
}

func (s *studioService) ListStudios(context.Context, *edgereelv1.ListStudiosRequest) (*edgereelv1.ListStudiosResponse, error) {
	res := &edgereelv1.ListStudiosResponse{}
	for _, st := range s.n.registry.State().Studios() {
		res.Studios = append(res.Studios, studioMessage(st))
	}
	return res, nil
}

func studioMessage(st *registry.Studio) *edgereelv1.Studio {
	if st == nil {
		return nil
	}
	m := &edgereelv1.Studio{Studio: st.Name}
	for _, k := range st.Keys {
		state := "active"
		if k.Revoked {
			state = "revoked"
		}
		m.Keys = append(m.Keys, &edgereelv1.StudioKey{
			KeyId: k.ID, PublicKey: k.PublicKey, State: state, Reason: k.Reason, AddedAtMs: k.AddedMS, RevokedAtMs: k.RevokedMS,
		})
	}
	return m
}

func (s *studioService) ListReleases(_ context.Context, req *edgereelv1.ListReleasesRequest) (*edgereelv1.ListReleasesResponse, error) {
	state := s.n.registry.State()
	res := &edgereelv1.ListReleasesResponse{RegistrySeq: state.Seq()}
	if game := req.GetGame(); game != "" && state.Game(game) == nil {
		return nil, unknownRelease(game, "")
	}
	for _, r := range state.Releases(req.GetGame()) {
		res.Releases = append(res.Releases, push.Message(r, state.Seq()))
	}
	return res, nil
}

func unknownRelease(game, version string) error {
	code, what := registry.CodeUnknownGame, fmt.Sprintf("there is no release of a game %q", game)
	if version != "" {
		code, what = registry.CodeUnknownVersion, fmt.Sprintf("there is no release %q of a game %q", version, game)
	}
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, string(code), connect.CodeNotFound, "List the releases.", "%s", what)
}

// GetRelease tells of one release, and what each shard runs of its game.
func (s *studioService) GetRelease(ctx context.Context, req *edgereelv1.GetReleaseRequest) (*edgereelv1.GetReleaseResponse, error) {
	state := s.n.registry.State()
	r := state.Release(req.GetGame(), req.GetVersion())
	if r == nil {
		return nil, unknownRelease(req.GetGame(), req.GetVersion())
	}
	return &edgereelv1.GetReleaseResponse{Release: push.Message(r, state.Seq()), Shards: s.n.shardReleases(ctx, req.GetGame())}, nil
}

// shardReleases asks all voters of shards what their shards run of a game. A
// shard whose leader does not answer is left out.
func (n *Node) shardReleases(ctx context.Context, game string) []*edgereelv1.ShardRelease {
	newest := map[uint32]*edgereelv1.ShardTallies{}
	for _, reply := range n.askTallies(ctx, game) {
		for _, t := range reply.GetShards() {
			// A leader of the past may answer too.
			if old := newest[t.GetShard()]; old == nil || t.GetShardSeq() > old.GetShardSeq() {
				newest[t.GetShard()] = t
			}
		}
	}
	var list []*edgereelv1.ShardRelease
	for _, t := range newest {
		list = append(list, t.GetRelease())
	}
	slices.SortFunc(list, func(a, b *edgereelv1.ShardRelease) int { return int(a.GetShard()) - int(b.GetShard()) })
	return list
}

// askTallies collects the answers of this node and of all others that are
// alive, as far as they come in time.
func (n *Node) askTallies(ctx context.Context, game string) []*edgereelv1.TalliesReply {
	ctx, cancel := context.WithTimeout(ctx, talliesTimeout)
	defer cancel()
	replies := []*edgereelv1.TalliesReply{n.tallies(game, nil)}
	peers := n.alivePeers()
	answers := make(chan *edgereelv1.TalliesReply, len(peers))
	var calls sync.WaitGroup
	for _, node := range peers {
		calls.Go(func() {
			reply := &edgereelv1.TalliesReply{}
			if err := n.peers.call(ctx, node, methodTallies, &edgereelv1.TalliesRequest{Version: peerVersion, Game: game}, reply); err != nil {
				n.log.DebugContext(ctx, "tallies not told", "peer", node, "error", err)
				return
			}
			answers <- reply
		})
	}
	calls.Wait()
	close(answers)
	for reply := range answers {
		replies = append(replies, reply)
	}
	return replies
}

// GetBlob reads a document of a recorded release. Modules are their studios'
// own and are not given out.
func (s *studioService) GetBlob(ctx context.Context, req *edgereelv1.GetBlobRequest) (*edgereelv1.GetBlobResponse, error) {
	digest, err := blobs.ParseDigest(req.GetDigest())
	if err != nil {
		return nil, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "invalid", connect.CodeInvalidArgument, "Correct the request.", "%s", err.Error())
	}
	if !isDocument(s.n.registry.State(), registry.Digest(digest)) {
		return nil, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "unknown_blob", connect.CodeNotFound,
			"Name the envelope, the sheet or the report of a release.", "no release has a document %s", digest)
	}
	if err := s.n.releases.Ensure(ctx, digest); err != nil {
		s.n.log.WarnContext(ctx, "a document is not here", "digest", digest.String(), "error", err)
		return nil, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "blob_unavailable", connect.CodeUnavailable,
			"Repeat the request once the node that has it is up.", "no node that is up has the document %s", digest)
	}
	data, size, err := readPiece(s.n.blobs, digest, req.GetOffset())
	if err != nil {
		return nil, err
	}
	return &edgereelv1.GetBlobResponse{Data: data, Size: uint64(size)}, nil
}

func readPiece(store *blobs.Store, digest blobs.Digest, offset uint64) (data []byte, size int64, err error) {
	f, err := store.Open(digest)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("read a document: %w", err)
	}
	size = info.Size()
	if offset > uint64(size) {
		return nil, 0, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "invalid", connect.CodeInvalidArgument, "Begin at 0.",
			"offset %d lies behind the %d bytes of the document", offset, size)
	}
	data, err = io.ReadAll(io.NewSectionReader(f, int64(offset), blobPiece))
	if err != nil {
		return nil, 0, fmt.Errorf("read a document: %w", err)
	}
	return data, size, nil
}

func isDocument(state *registry.State, d registry.Digest) bool {
	return slices.ContainsFunc(state.Releases(""), func(r *registry.Release) bool {
		return d == r.Envelope || d == r.ParSheet || d == r.Report
	})
}

// MoveRelease takes a release one step on, or back.
func (s *studioService) MoveRelease(ctx context.Context, req *edgereelv1.MoveReleaseRequest) (*edgereelv1.MoveReleaseResponse, error) {
	err := s.submit(ctx, registry.Op{
		Person: req.GetPerson(), Reason: req.GetReason(),
		Move: &registry.Move{Game: req.GetGame(), Version: req.GetVersion(), To: registry.Phase(req.GetTo()), ShareX10000: req.GetShareX10000()},
	})
	if err != nil {
		return nil, err
	}
	state := s.n.registry.State()
	r := state.Release(req.GetGame(), req.GetVersion())
	if r == nil {
		return nil, unknownRelease(req.GetGame(), req.GetVersion())
	}
	return &edgereelv1.MoveReleaseResponse{Release: push.Message(r, state.Seq())}, nil
}
