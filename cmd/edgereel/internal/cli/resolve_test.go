package cli

import (
	"errors"
	"testing"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

func resolveOutputs() map[string]any {
	r := &roundResolve{Round: exampleWallet + "-41", As: "refund", Person: "ben", Reason: "ticket 7"}
	return map[string]any{"round-resolve": r.report(&edgereelv1.ResolveRoundResponse{
		Resolved: true, BalanceMinor: 104410, Position: &edgereelv1.Position{Shard: 1, ShardSeq: 221},
	})}
}

func TestRoundResolve_Request(t *testing.T) {
	good := roundResolve{Round: exampleWallet + "-41", As: "pay-win-so-far", Person: "ann", Reason: "ticket 7"}
	req, err := good.request()
	if err != nil || req.GetWallet() != exampleWallet || req.GetRound() != good.Round || req.GetApprover() != "ann" || req.GetReason() != "ticket 7" ||
		req.GetResolution() != edgereelv1.Resolution_RESOLUTION_PAY_WIN_SO_FAR {
		t.Errorf("request %v, %v", req, err)
	}
	good.As = "refund"
	if req, _ := good.request(); req.GetResolution() != edgereelv1.Resolution_RESOLUTION_REFUND {
		t.Errorf("a refund asks for %v", req.GetResolution())
	}
	for name, spoil := range map[string]func(*roundResolve){
		"no number": func(r *roundResolve) { r.Round = exampleWallet }, "no wallet": func(r *roundResolve) { r.Round = "-41" },
		"nobody": func(r *roundResolve) { r.Person = " " }, "no reason": func(r *roundResolve) { r.Reason = "" },
	} {
		bad := good
		spoil(&bad)
		var failed *failure
		if _, err := bad.request(); !errors.As(err, &failed) || failed.code != ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
