package node

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/transport"
)

// TestServePeer_SurvivesAPanic: a call that brings its handler down is that
// call's fault, and a node without a router panics in every forwarded one.
func TestServePeer_SurvivesAPanic(t *testing.T) {
	var log strings.Builder
	n := &Node{log: slog.New(slog.NewTextHandler(&log, nil))}
	_, err := n.servePeer(context.Background(), transport.Identity{Node: "b", Role: transport.RoleNode}, methodForward, nil)
	if err == nil || !strings.Contains(log.String(), "peer=b") {
		t.Errorf("answered %v, logged %s", err, &log)
	}
}

// TestServePeer_OnlyNodes: an operator's certificate gets past the transport,
// and must not speak for players or persons.
func TestServePeer_OnlyNodes(t *testing.T) {
	n := &Node{log: slog.New(slog.DiscardHandler)}
	for _, method := range []string{methodForward, methodClock, methodSegment, methodTallies, registry.MethodCommand, registry.MethodState} {
		_, err := n.servePeer(t.Context(), transport.Identity{Node: "ops", Role: transport.RoleOperator}, method, nil)
		var coded *transport.CodeError
		if !errors.As(err, &coded) || coded.Code != transport.CodeNoHandler {
			t.Errorf("%s answered an operator's certificate: %v", method, err)
		}
	}
}
