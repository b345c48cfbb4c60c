package node

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/transport"
)

// TestServePeer_SurvivesAPanic: a call that brings its handler down is that
// call's fault, and a node without a router panics in every forwarded one.
func TestServePeer_SurvivesAPanic(t *testing.T) {
	var log strings.Builder
	n := &Node{log: slog.New(slog.NewTextHandler(&log, nil))}
	_, err := n.servePeer(context.Background(), transport.Identity{Node: "b"}, methodForward, nil)
	if err == nil || !strings.Contains(log.String(), "peer=b") {
		t.Errorf("answered %v, logged %s", err, &log)
	}
}
