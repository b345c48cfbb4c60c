package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

const (
	// studioCall is what an attempt at a call to the registry may take: longer
	// than the registry needs for an election, because a repeat of a step that
	// was taken is refused.
	studioCall = 10 * time.Second
	// pieceBytes of an upload stay below what a node reads in one request.
	pieceBytes = 48 << 10
	// maxBlobBytes bounds a document that is read whole.
	maxBlobBytes = 64 << 20
	// streamStall is how long a push may be silent; a node tells of it every
	// two seconds.
	streamStall = 15 * time.Second
)

// Codes of nodes a push acts upon.
const (
	codeGateBusy    = "gate_busy"
	codeBlobMissing = "blob_missing"
)

// Studio makes the calls of a studio and of those who release its games. It
// belongs to one goroutine.
type Studio struct{ handle }

// Studio speaks for the holder of a token with the role studio, admin or
// auditor.
func (c *Client) Studio(token string) *Studio { return &Studio{handle{c: c, token: token}} }

// ask runs a call of the registry; read calls may be repeated at will.
func (s *Studio) ask(ctx context.Context, kind string, read bool, request proto.Message,
	send func(context.Context, *node) (proto.Message, error),
) (proto.Message, error) {
	return s.run(ctx, operation{kind: kind, request: request, read: read, timeout: studioCall, send: send})
}

// AddKey lets a studio sign with a key. The same key twice is refused with
// key_exists.
func (s *Studio) AddKey(ctx context.Context, request *edgereelv1.AddStudioKeyRequest) (*edgereelv1.Studio, error) {
	response, err := s.ask(ctx, "add_studio_key", false, request, func(ctx context.Context, n *node) (proto.Message, error) {
		return n.studio.AddStudioKey(ctx, request)
	})
	found, err := answer[*edgereelv1.AddStudioKeyResponse](response, err)
	return found.GetStudio(), err
}

// RevokeKey ends a key for good.
func (s *Studio) RevokeKey(ctx context.Context, request *edgereelv1.RevokeStudioKeyRequest) (*edgereelv1.Studio, error) {
	response, err := s.ask(ctx, "revoke_studio_key", false, request, func(ctx context.Context, n *node) (proto.Message, error) {
		return n.studio.RevokeStudioKey(ctx, request)
	})
	found, err := answer[*edgereelv1.RevokeStudioKeyResponse](response, err)
	return found.GetStudio(), err
}

// Studios lists all studios with their keys.
func (s *Studio) Studios(ctx context.Context) ([]*edgereelv1.Studio, error) {
	request := &edgereelv1.ListStudiosRequest{}
	response, err := s.ask(ctx, "list_studios", true, request, func(ctx context.Context, n *node) (proto.Message, error) {
		return n.studio.ListStudios(ctx, request)
	})
	found, err := answer[*edgereelv1.ListStudiosResponse](response, err)
	return found.GetStudios(), err
}

// Releases lists the releases of a game, of all games for "".
func (s *Studio) Releases(ctx context.Context, game string) (*edgereelv1.ListReleasesResponse, error) {
	request := &edgereelv1.ListReleasesRequest{Game: game}
	response, err := s.ask(ctx, "list_releases", true, request, func(ctx context.Context, n *node) (proto.Message, error) {
		return n.studio.ListReleases(ctx, request)
	})
	return answer[*edgereelv1.ListReleasesResponse](response, err)
}

// Release reads one release and how far each shard has come with its game.
func (s *Studio) Release(ctx context.Context, game, version string) (*edgereelv1.GetReleaseResponse, error) {
	request := &edgereelv1.GetReleaseRequest{Game: game, Version: version}
	response, err := s.ask(ctx, "get_release", true, request, func(ctx context.Context, n *node) (proto.Message, error) {
		return n.studio.GetRelease(ctx, request)
	})
	return answer[*edgereelv1.GetReleaseResponse](response, err)
}

// Move takes a release one step on, or back. Where the effect is unknown,
// Release tells.
func (s *Studio) Move(ctx context.Context, request *edgereelv1.MoveReleaseRequest) (*edgereelv1.Release, error) {
	response, err := s.ask(ctx, "move_release", false, request, func(ctx context.Context, n *node) (proto.Message, error) {
		return n.studio.MoveRelease(ctx, request)
	})
	found, err := answer[*edgereelv1.MoveReleaseResponse](response, err)
	return found.GetRelease(), err
}

// Blob reads a stored document whole and verifies it against its digest.
func (s *Studio) Blob(ctx context.Context, digest string) ([]byte, error) {
	var all []byte
	for size := uint64(1); uint64(len(all)) < size; {
		request := &edgereelv1.GetBlobRequest{Digest: digest, Offset: uint64(len(all))}
		response, err := s.ask(ctx, "get_blob", true, request, func(ctx context.Context, n *node) (proto.Message, error) {
			return n.studio.GetBlob(ctx, request)
		})
		piece, err := answer[*edgereelv1.GetBlobResponse](response, err)
		if err != nil {
			return nil, err
		}
		if size = piece.GetSize(); size > maxBlobBytes || len(piece.GetData()) == 0 && uint64(len(all)) < size {
			return nil, fmt.Errorf("read blob %s: a node says that it has %d bytes and gives %d at %d", digest, size, len(piece.GetData()), len(all))
		}
		all = append(all, piece.GetData()...)
	}
	if sum := sha256.Sum256(all); hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("read blob %s: the node sent other bytes", digest)
	}
	return all, nil
}

// Pushed are the documents of a push.
type Pushed struct {
	Module, Envelope, ParSheet []byte
	// Rounds are simulated in each mode; 0 leaves it to the cluster.
	Rounds uint64
	Person string
}

// Push uploads the documents to one node and has it check them. tell hears of
// the upload (stage "upload", in bytes), of the check, and of waiting (stage
// "waiting") while every node checks something else. The answer is the stream's
// last message. A node that fails is replaced by another one, where everything
// begins anew: pushing is harmless to repeat.
func (s *Studio) Push(ctx context.Context, p Pushed, tell func(*edgereelv1.PushResponse)) (*edgereelv1.PushResponse, error) {
	s.settle(operation{})
	state := &progress{visited: map[*node]bool{}}
	for silences := 0; ; {
		state.attempts++
		last, err := s.pushHere(ctx, p, tell)
		if err == nil {
			return last, nil
		}
		state.last = classify(err)
		code := state.last.detail.GetCode()
		switch {
		case ctx.Err() != nil || state.last.effect == NotApplied:
			return nil, state.fail(state.last.effect)
		case code == codeGateBusy:
			tell(&edgereelv1.PushResponse{Stage: "waiting"})
		case state.last.silent:
			s.c.suspect(s.at)
			silences++
		default:
			silences++
		}
		if silences >= 2*len(s.c.nodes) {
			return nil, state.fail(state.last.effect)
		}
		// After one round of the nodes a pause, whatever they said.
		all := len(state.visited) >= len(s.c.nodes)-1
		if code != codeBlobMissing {
			s.move(operation{}, state)
		}
		if all && !pauseFor(ctx, max(state.last.detail.GetRetryAfterMs(), 500)) {
			return nil, state.fail(state.last.effect)
		}
	}
}

func pauseFor(ctx context.Context, ms int64) bool {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pushHere makes one attempt at the present node.
func (s *Studio) pushHere(ctx context.Context, p Pushed, tell func(*edgereelv1.PushResponse)) (*edgereelv1.PushResponse, error) {
	request := &edgereelv1.PushRequest{Rounds: p.Rounds, Person: p.Person}
	total := uint64(len(p.Module) + len(p.Envelope) + len(p.ParSheet))
	var done uint64
	for _, b := range []struct {
		bytes  []byte
		digest *string
	}{{p.Module, &request.Module}, {p.Envelope, &request.Envelope}, {p.ParSheet, &request.ParSheet}} {
		var err error
		*b.digest, err = s.upload(ctx, b.bytes, func(n uint64) {
			tell(&edgereelv1.PushResponse{Stage: "upload", Done: done + n, Total: total})
		})
		if err != nil {
			return nil, err
		}
		done += uint64(len(b.bytes))
	}
	return s.pushStream(ctx, request, tell)
}

// upload brings one blob to the present node, from where an earlier attempt
// ended.
func (s *Studio) upload(ctx context.Context, b []byte, tell func(uint64)) (string, error) {
	sum := sha256.Sum256(b)
	request := &edgereelv1.UploadChunkRequest{Digest: hex.EncodeToString(sum[:]), Size: uint64(len(b))}
	for turns := 0; ; {
		end := min(request.GetOffset()+pieceBytes, request.GetSize())
		request.Data = b[request.GetOffset():end]
		response, failed := s.attempt(ctx, func(ctx context.Context, n *node) (proto.Message, error) {
			return n.studio.UploadChunk(ctx, request)
		}, studioCall)
		if failed != nil {
			turns++
			if ms := failed.detail.GetRetryAfterMs(); ms == 0 || turns > 20 || !pauseFor(ctx, ms) {
				return "", failed.err
			}
			continue
		}
		piece, _ := response.(*edgereelv1.UploadChunkResponse)
		if piece.GetStored() {
			tell(request.GetSize())
			return request.GetDigest(), nil
		}
		// A node may ask for any offset; one that asks for none of use is left.
		if next := piece.GetNextOffset(); next > request.GetSize() || next <= request.GetOffset() {
			if turns++; turns > 20 || next > request.GetSize() {
				return "", fmt.Errorf("the node wants offset %d of a blob of %d bytes", next, request.GetSize())
			}
		}
		request.Offset = piece.GetNextOffset()
		tell(request.GetOffset())
	}
}

// pushStream starts the check and listens to its end.
func (s *Studio) pushStream(ctx context.Context, request *edgereelv1.PushRequest, tell func(*edgereelv1.PushResponse)) (*edgereelv1.PushResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Authorization", "Bearer "+s.token)
	stall := time.AfterFunc(streamStall, cancel)
	defer stall.Stop()
	stream, err := s.at.studio.Push(ctx, request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }() // abandoned or at its end already
	for {
		message, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the check ended without a verdict")
		}
		if err != nil {
			return nil, err
		}
		stall.Reset(streamStall)
		if message.GetRelease() != nil {
			return message, nil
		}
		tell(message)
	}
}
