package gateway

import (
	"context"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

// auditors lets auditors' tokens reach this node's AuditService.
type auditors struct {
	*Gateway
	next edgereelv1connect.AuditServiceHandler
}

func (g *Gateway) admitAuditor(ctx context.Context) error {
	a, err := g.admit(ctx, RoleAuditor)
	if err != nil {
		return err
	}
	return a.unkeyed()
}

func (u *auditors) GetShards(ctx context.Context, req *edgereelv1.GetShardsRequest) (*edgereelv1.GetShardsResponse, error) {
	if err := u.admitAuditor(ctx); err != nil {
		return nil, err
	}
	return u.next.GetShards(ctx, req)
}

func (u *auditors) HashAt(ctx context.Context, req *edgereelv1.HashAtRequest) (*edgereelv1.HashAtResponse, error) {
	if err := u.admitAuditor(ctx); err != nil {
		return nil, err
	}
	return u.next.HashAt(ctx, req)
}

func (u *auditors) ReadJournal(ctx context.Context, req *edgereelv1.ReadJournalRequest, stream edgereelv1connect.AuditServiceReadJournalServerStream) error {
	if err := u.admitAuditor(ctx); err != nil {
		return err
	}
	return u.next.ReadJournal(ctx, req, stream)
}

func (u *auditors) Replay(ctx context.Context, req *edgereelv1.ReplayRequest) (*edgereelv1.ReplayResponse, error) {
	if err := u.admitAuditor(ctx); err != nil {
		return nil, err
	}
	return u.next.Replay(ctx, req)
}

// watchers lets auditors' tokens reach this node's ClusterService.
type watchers struct {
	*Gateway
	next edgereelv1connect.ClusterServiceHandler
}

func (w *watchers) Status(ctx context.Context, req *edgereelv1.StatusRequest) (*edgereelv1.StatusResponse, error) {
	if err := w.admitAuditor(ctx); err != nil {
		return nil, err
	}
	return w.next.Status(ctx, req)
}
