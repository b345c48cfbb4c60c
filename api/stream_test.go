package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

// twoEntries streams two answers and then fails.
type twoEntries struct {
	edgereelv1connect.UnimplementedAuditServiceHandler
}

func (twoEntries) ReadJournal(_ context.Context, request *edgereelv1.ReadJournalRequest, stream edgereelv1connect.AuditServiceReadJournalServerStream) error {
	for seq := request.GetFromSeq(); seq < request.GetFromSeq()+2; seq++ {
		if err := stream.Send(&edgereelv1.ReadJournalResponse{Entries: []*edgereelv1.JournalEntry{{ShardSeq: seq}}}); err != nil {
			return err
		}
	}
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "draining", connect.CodeUnavailable, "Ask another node.", "this node stops")
}

func startAudit(t *testing.T) *httptest.Server {
	t.Helper()
	server := connect.NewServer(api.Effects())
	edgereelv1connect.RegisterAuditServiceHandler(server, twoEntries{})
	listener := httptest.NewServer(api.Handler(server))
	t.Cleanup(listener.Close)
	return listener
}

func TestHandler_StreamEndsWithItsEffect(t *testing.T) {
	server := startAudit(t)
	client := edgereelv1connect.NewAuditServiceClient(connect.NewClient(connecthttp.NewTransport(server.Client(), server.URL)))
	stream, err := client.ReadJournal(t.Context(), &edgereelv1.ReadJournalRequest{FromSeq: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var seqs []uint64
	for {
		reply, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			t.Fatal("the stream ended without its error")
		}
		if err != nil {
			if api.DetailOf(err).GetCode() != "draining" {
				t.Fatalf("error %v", err)
			}
			break
		}
		seqs = append(seqs, reply.GetEntries()[0].GetShardSeq())
	}
	if len(seqs) != 2 || seqs[0] != 7 || seqs[1] != 8 {
		t.Fatalf("sequences %v", seqs)
	}
}

func TestHandler_StreamRefusesUnknownFields(t *testing.T) {
	server := startAudit(t)
	body := `{"shard":1,"nope":1}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+edgereelv1connect.AuditServiceReadJournalProcedure,
		strings.NewReader("\x00\x00\x00\x00"+string(rune(len(body)))+body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/connect+json")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(raw), `"not_applied: unknown_field: (line 1:12): unknown field \"nope\""`) {
		t.Fatalf("body %q, error %v", raw, err)
	}
}

// A newer node may answer with more than this build knows.
func TestClient_IsLenient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"winMinor":"5","fromTheFuture":{"a":1}}`)
	}))
	t.Cleanup(server.Close)
	client := edgereelv1connect.NewPlayerServiceClient(connect.NewClient(
		connecthttp.NewTransport(server.Client(), server.URL, connecthttp.WithProtoJSON())))
	reply, err := client.Play(t.Context(), &edgereelv1.PlayRequest{})
	if err != nil || reply.GetWinMinor() != 5 {
		t.Fatalf("win %d, error %v", reply.GetWinMinor(), err)
	}
}
