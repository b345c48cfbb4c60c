package gateway

import (
	"context"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

// studios lets the tokens of studios, and of those who release their games,
// reach this node's StudioService: each call with the role it needs.
type studios struct {
	*Gateway
	next edgereelv1connect.StudioServiceHandler
}

var _ edgereelv1connect.StudioServiceHandler = (*studios)(nil)

// admitAny admits a token that has one of the roles; a refusal speaks of the
// first one.
func (g *Gateway) admitAny(ctx context.Context, roles ...string) error {
	role := roles[0]
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		for _, r := range roles {
			if c.claims.HasRole(r) {
				role = r
				break
			}
		}
	}
	a, err := g.admit(ctx, role)
	if err != nil {
		return err
	}
	return a.unkeyed()
}

func (s *studios) AddStudioKey(ctx context.Context, req *edgereelv1.AddStudioKeyRequest) (*edgereelv1.AddStudioKeyResponse, error) {
	if err := s.admitAny(ctx, RoleAdmin); err != nil {
		return nil, err
	}
	return s.next.AddStudioKey(ctx, req)
}

func (s *studios) RevokeStudioKey(ctx context.Context, req *edgereelv1.RevokeStudioKeyRequest) (*edgereelv1.RevokeStudioKeyResponse, error) {
	if err := s.admitAny(ctx, RoleAdmin); err != nil {
		return nil, err
	}
	return s.next.RevokeStudioKey(ctx, req)
}

func (s *studios) ListStudios(ctx context.Context, req *edgereelv1.ListStudiosRequest) (*edgereelv1.ListStudiosResponse, error) {
	if err := s.admitAny(ctx, RoleStudio, RoleAdmin, RoleAuditor); err != nil {
		return nil, err
	}
	return s.next.ListStudios(ctx, req)
}

func (s *studios) UploadChunk(ctx context.Context, req *edgereelv1.UploadChunkRequest) (*edgereelv1.UploadChunkResponse, error) {
	if err := s.admitAny(ctx, RoleStudio, RoleAdmin); err != nil {
		return nil, err
	}
	return s.next.UploadChunk(ctx, req)
}

func (s *studios) Push(ctx context.Context, req *edgereelv1.PushRequest, stream edgereelv1connect.StudioServicePushServerStream) error {
	if err := s.admitAny(ctx, RoleStudio, RoleAdmin); err != nil {
		return err
	}
	return s.next.Push(ctx, req, stream)
}

func (s *studios) ListReleases(ctx context.Context, req *edgereelv1.ListReleasesRequest) (*edgereelv1.ListReleasesResponse, error) {
	if err := s.admitAny(ctx, RoleStudio, RoleAdmin, RoleAuditor); err != nil {
		return nil, err
	}
	return s.next.ListReleases(ctx, req)
}

func (s *studios) GetRelease(ctx context.Context, req *edgereelv1.GetReleaseRequest) (*edgereelv1.GetReleaseResponse, error) {
	if err := s.admitAny(ctx, RoleStudio, RoleAdmin, RoleAuditor); err != nil {
		return nil, err
	}
	return s.next.GetRelease(ctx, req)
}

func (s *studios) GetBlob(ctx context.Context, req *edgereelv1.GetBlobRequest) (*edgereelv1.GetBlobResponse, error) {
	if err := s.admitAny(ctx, RoleStudio, RoleAdmin, RoleAuditor); err != nil {
		return nil, err
	}
	return s.next.GetBlob(ctx, req)
}

func (s *studios) MoveRelease(ctx context.Context, req *edgereelv1.MoveReleaseRequest) (*edgereelv1.MoveReleaseResponse, error) {
	if err := s.admitAny(ctx, RoleAdmin); err != nil {
		return nil, err
	}
	return s.next.MoveRelease(ctx, req)
}
