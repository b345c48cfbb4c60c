package node

import (
	"context"
	"errors"
	"fmt"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

var _ edgereelv1connect.ClusterServiceHandler = (*Node)(nil)

// Status tells what this node knows of the cluster.
func (n *Node) Status(context.Context, *edgereelv1.StatusRequest) (*edgereelv1.StatusResponse, error) {
	res := &edgereelv1.StatusResponse{Cluster: n.cfg.Cluster, Node: n.cfg.Node, Region: n.cfg.Region, Version: Version}
	for _, m := range n.members.Members() {
		res.Members = append(res.Members, &edgereelv1.Member{
			Node: m.Node, Region: m.Region, Roles: m.Roles, State: string(m.State), ApiAddress: m.Public, MeshAddress: m.Mesh,
			Leads: m.Leads, LoadPercent: m.LoadPercent,
		})
	}
	for _, s := range n.cfg.Votes() {
		st := n.replicas[s.ID].group.Status()
		res.Shards = append(res.Shards, &edgereelv1.ShardStatus{
			Shard: st.Shard, HomeRegion: s.Home, Leader: st.Leader, Term: st.Term, AppliedIndex: st.AppliedIndex,
			LastIndex: st.LastIndex, ShardSeq: st.Head.Seq, Lag: st.CommitIndex - min(st.AppliedIndex, st.CommitIndex), Voters: st.Voters,
		})
	}
	for _, m := range n.releases.Status() {
		status := &edgereelv1.ModuleStatus{Digest: m.Digest.String(), Loaded: m.Loaded, Trouble: m.Trouble}
		if !m.Verified.IsZero() {
			status.VerifiedAtMs = m.Verified.UnixMilli()
		}
		res.Modules = append(res.Modules, status)
	}
	res.Registry = &edgereelv1.RegistryStatus{
		Voters: n.cfg.Registry.Voters, Leader: n.registry.Leader(), RegistrySeq: n.registry.State().Seq(),
	}
	return res, nil
}

// watchHealth says when this node can serve: every shard it votes in has a
// leader and this replica has caught up with what it knows to be committed.
// Being alive never depends on a quorum.
func (n *Node) watchHealth() {
	for _, s := range n.cfg.Votes() {
		r := n.replicas[s.ID]
		n.tel.Health.Ready.Check(fmt.Sprintf("shard %d", s.ID), func() error {
			st := r.group.Status()
			switch {
			case st.Leader == "":
				return errors.New("no leader is known")
			case st.Head.Epoch == 0:
				return errors.New("the shard is not founded yet")
			case st.CommitIndex > st.AppliedIndex+maxReadyLag:
				return fmt.Errorf("%d entries behind", st.CommitIndex-st.AppliedIndex)
			}
			return nil
		})
	}
	n.tel.Health.Started()
}

// maxReadyLag is how many entries a ready replica may be behind.
const maxReadyLag = 1000
