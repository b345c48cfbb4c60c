package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/client"
)

// mill is one node's StudioService. Its tests run in one bubble, call by call.
type mill struct {
	edgereelv1connect.UnimplementedStudioServiceHandler
	name    string
	blobs   map[string][]byte
	partial map[string][]byte
	pieces  int
	// busy is how many pushes are asked to come back; refusal ends them all.
	busy    int
	refusal error
	pushes  int
	seen    *[]string // names of the nodes that were asked to push
	answer  []byte    // what GetBlob gives
}

func (m *mill) UploadChunk(_ context.Context, req *edgereelv1.UploadChunkRequest) (*edgereelv1.UploadChunkResponse, error) {
	m.pieces++
	d := req.GetDigest()
	if m.blobs[d] != nil {
		return &edgereelv1.UploadChunkResponse{NextOffset: req.GetSize(), Stored: true}, nil
	}
	if int(req.GetOffset()) != len(m.partial[d]) {
		return &edgereelv1.UploadChunkResponse{NextOffset: uint64(len(m.partial[d]))}, nil
	}
	m.partial[d] = append(m.partial[d], req.GetData()...)
	stored := len(m.partial[d]) == int(req.GetSize())
	if stored {
		m.blobs[d] = m.partial[d]
	}
	return &edgereelv1.UploadChunkResponse{NextOffset: uint64(len(m.partial[d])), Stored: stored}, nil
}

func (m *mill) Push(_ context.Context, req *edgereelv1.PushRequest, stream edgereelv1connect.StudioServicePushServerStream) error {
	m.pushes++
	*m.seen = append(*m.seen, m.name)
	if m.refusal != nil {
		return m.refusal
	}
	if m.busy > 0 {
		m.busy--
		return api.DetailedError(&edgereelv1.ErrorDetail{
			Effect: edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, Code: "gate_busy", RetryAfterMs: 5000, Hint: "Come back.",
		}, connect.CodeResourceExhausted, "busy")
	}
	if err := stream.Send(&edgereelv1.PushResponse{Stage: "simulate", Done: 1, Total: 2}); err != nil {
		return err
	}
	return stream.Send(&edgereelv1.PushResponse{Stage: "recorded", Passed: true, Release: &edgereelv1.Release{Module: req.GetModule(), Report: m.name}})
}

func (m *mill) GetBlob(_ context.Context, req *edgereelv1.GetBlobRequest) (*edgereelv1.GetBlobResponse, error) {
	rest := m.answer[req.GetOffset():]
	return &edgereelv1.GetBlobResponse{Data: rest[:min(len(rest), 7)], Size: uint64(len(m.answer))}, nil
}

// inMill runs a test against three nodes in virtual time; eu is the nearest,
// then us.
func inMill(t *testing.T, test func(t *testing.T, c *client.Client, mills map[string]*mill, w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{
			handlers: map[string]http.Handler{}, down: map[string]bool{},
			rtt: map[string]time.Duration{"eu:1": 5 * time.Millisecond, "us:1": 40 * time.Millisecond, "ap:1": 90 * time.Millisecond},
		}
		mills, asked := map[string]*mill{}, []string{}
		for _, n := range regions {
			m := &mill{name: n.Name, blobs: map[string][]byte{}, partial: map[string][]byte{}, seen: &asked}
			server := connect.NewServer(api.Effects())
			edgereelv1connect.RegisterStudioServiceHandler(server, m)
			mills[n.Name], w.handlers[n.Address] = m, api.Handler(server)
		}
		c, err := client.New(t.Context(), client.Config{Nodes: regions, HTTP: w})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		test(t, c, mills, w)
	})
}

func parcel() client.Pushed {
	return client.Pushed{Module: bytes.Repeat([]byte("module "), 20_000), Envelope: []byte("envelope"), ParSheet: []byte("sheet"), Person: "ann"}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// told keeps the stages of a push.
type told []string

func (s *told) tell(m *edgereelv1.PushResponse) {
	if len(*s) == 0 || (*s)[len(*s)-1] != m.GetStage() {
		*s = append(*s, m.GetStage())
	}
}

// TestPush_Whole: everything arrives at one node, in pieces that it takes, and
// its last message is the answer.
func TestPush_Whole(t *testing.T) {
	inMill(t, func(t *testing.T, c *client.Client, mills map[string]*mill, _ *wire) {
		p, stages := parcel(), told{}
		last, err := c.Studio("token").Push(t.Context(), p, stages.tell)
		if err != nil || last.GetRelease().GetReport() != "eu" || last.GetRelease().GetModule() != digestOf(p.Module) || !last.GetPassed() {
			t.Fatalf("%v, %v", err, last)
		}
		eu := mills["eu"]
		for _, b := range [][]byte{p.Module, p.Envelope, p.ParSheet} {
			if !bytes.Equal(eu.blobs[digestOf(b)], b) {
				t.Error("a blob did not arrive whole")
			}
		}
		if eu.pieces != 5 || !slices.Equal(stages, told{"upload", "simulate"}) {
			t.Errorf("%d pieces, stages %v", eu.pieces, stages)
		}
	})
}

// TestPush_GoesOn: what an earlier attempt brought is not sent again.
func TestPush_GoesOn(t *testing.T) {
	inMill(t, func(t *testing.T, c *client.Client, mills map[string]*mill, _ *wire) {
		p := parcel()
		eu := mills["eu"]
		eu.partial[digestOf(p.Module)] = slices.Clone(p.Module[:100_000])
		eu.blobs[digestOf(p.ParSheet)] = p.ParSheet
		if _, err := c.Studio("token").Push(t.Context(), p, func(*edgereelv1.PushResponse) {}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(eu.blobs[digestOf(p.Module)], p.Module) {
			t.Error("the module did not arrive whole")
		}
		// One is answered with the offset, one is the rest; envelope and sheet.
		if eu.pieces != 4 {
			t.Errorf("%d pieces", eu.pieces)
		}
	})
}

// TestPush_NodeDies: another node takes everything from the beginning.
func TestPush_NodeDies(t *testing.T) {
	inMill(t, func(t *testing.T, c *client.Client, mills map[string]*mill, w *wire) {
		w.kill("eu:1")
		last, err := c.Studio("token").Push(t.Context(), parcel(), func(*edgereelv1.PushResponse) {})
		if err != nil || last.GetRelease().GetReport() != "us" {
			t.Errorf("%v, %v", err, last)
		}
		w.kill("us:1")
		w.kill("ap:1")
		if _, err := c.Studio("token").Push(t.Context(), parcel(), func(*edgereelv1.PushResponse) {}); client.CodeOf(err) != client.CodeNoAnswer {
			t.Errorf("nobody is there: %v", err)
		}
	})
}

// TestPush_Busy tries the other nodes, then waits as it is told.
func TestPush_Busy(t *testing.T) {
	inMill(t, func(t *testing.T, c *client.Client, mills map[string]*mill, _ *wire) {
		mills["eu"].busy, mills["us"].busy, mills["ap"].busy = 1, 2, 2
		stages, began := told{}, time.Now()
		last, err := c.Studio("token").Push(t.Context(), parcel(), stages.tell)
		if err != nil || last.GetRelease().GetReport() != "eu" || !slices.Contains(stages, "waiting") {
			t.Errorf("%v, %v, stages %v", err, last, stages)
		}
		if waited := time.Since(began); waited < 5*time.Second || waited > time.Minute {
			t.Errorf("waited %v", waited)
		}
	})
}

// TestPush_Refused ends the push: no other node is asked.
func TestPush_Refused(t *testing.T) {
	inMill(t, func(t *testing.T, c *client.Client, mills map[string]*mill, _ *wire) {
		eu := mills["eu"]
		eu.refusal = refusal(edgereelv1.Effect_EFFECT_NOT_APPLIED, "key_revoked")
		_, err := c.Studio("token").Push(t.Context(), parcel(), func(*edgereelv1.PushResponse) {})
		if client.CodeOf(err) != "key_revoked" || client.EffectOf(err) != client.NotApplied || !slices.Equal(*eu.seen, []string{"eu"}) {
			t.Errorf("%v, asked %v", err, *eu.seen)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Studio("token").Push(ctx, parcel(), func(*edgereelv1.PushResponse) {}); err == nil {
			t.Error("a push that was given up answers")
		}
	})
}

// TestBlob reads a document piece by piece, and not one with other bytes.
func TestBlob(t *testing.T) {
	inMill(t, func(t *testing.T, c *client.Client, mills map[string]*mill, _ *wire) {
		b := []byte("a document of several pieces")
		mills["eu"].answer = b
		got, err := c.Studio("token").Blob(t.Context(), digestOf(b))
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%v, %q", err, got)
		}
		if _, err := c.Studio("token").Blob(t.Context(), digestOf([]byte("other"))); err == nil {
			t.Error("other bytes are taken")
		}
	})
}
