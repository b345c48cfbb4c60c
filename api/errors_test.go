package api_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

func TestError(t *testing.T) {
	err := api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "insufficient_funds", connect.CodeFailedPrecondition,
		"Deposit first.", "stake %d exceeds balance %d", 500, 120)
	if want := "failed_precondition: not_applied: insufficient_funds: stake 500 exceeds balance 120"; err.Error() != want {
		t.Fatalf("error %q, want %q", err, want)
	}
	want := &edgereelv1.ErrorDetail{Effect: edgereelv1.Effect_EFFECT_NOT_APPLIED, Code: "insufficient_funds", Hint: "Deposit first."}
	if diff := cmp.Diff(want, api.DetailOf(err), protocmp.Transform()); diff != "" {
		t.Fatal(diff)
	}
}

func TestError_KeepsItsCause(t *testing.T) {
	err := api.Error(edgereelv1.Effect_EFFECT_UNKNOWN, "leader_lost", connect.CodeUnavailable, "", "propose: %w", io.ErrClosedPipe)
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("%v does not wrap its cause", err)
	}
}

func TestDetailOf_WithoutDetailIsUnknown(t *testing.T) {
	future := proto.Clone(&edgereelv1.ErrorDetail{Effect: 77, Code: "later"}).(*edgereelv1.ErrorDetail)
	for name, err := range map[string]error{
		"nil":               nil,
		"connection":        io.ErrUnexpectedEOF,
		"deadline":          context.DeadlineExceeded,
		"without detail":    connect.NewError(connect.CodeInvalidArgument, "no"),
		"unspecified":       api.Error(edgereelv1.Effect_EFFECT_UNSPECIFIED, "x", connect.CodeInternal, "", "x"),
		"effect of a newer": api.DetailedError(future, connect.CodeInternal, "x"),
	} {
		t.Run(name, func(t *testing.T) {
			if effect := api.DetailOf(err).GetEffect(); effect != edgereelv1.Effect_EFFECT_UNKNOWN {
				t.Fatalf("effect %v", effect)
			}
		})
	}
}

func TestForwarded(t *testing.T) {
	original := api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "stale_step", connect.CodeAborted, "Look it up.", "step 3 is decided")
	packed := api.ToForwarded(original, "node-2")
	if packed.GetLeader() != "node-2" {
		t.Fatalf("leader %q", packed.GetLeader())
	}
	received := api.FromForwarded(packed)
	if received.Error() != original.Error() || connect.CodeOf(received) != connect.CodeAborted {
		t.Fatalf("error %q, want %q", received, original)
	}
	if diff := cmp.Diff(api.DetailOf(original), api.DetailOf(received), protocmp.Transform()); diff != "" {
		t.Fatal(diff)
	}
}

func TestForwarded_UnknownStaysUnknown(t *testing.T) {
	for name, received := range map[string]error{
		"plain error": api.FromForwarded(api.ToForwarded(errors.New("disk on fire"), "")),
		"empty":       api.FromForwarded(&edgereelv1.ForwardedError{}),
		"nil":         api.FromForwarded(nil),
	} {
		t.Run(name, func(t *testing.T) {
			if effect := api.DetailOf(received).GetEffect(); effect != edgereelv1.Effect_EFFECT_UNKNOWN {
				t.Fatalf("effect %v of %v", effect, received)
			}
		})
	}
}
