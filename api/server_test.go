package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

// beyondFloat is the first integer a float64 cannot hold.
const beyondFloat = 9007199254740993

// echoPlayer answers Play with the stake it read, or with an error.
type echoPlayer struct {
	edgereelv1connect.UnimplementedPlayerServiceHandler

	err error
}

func (p echoPlayer) Play(_ context.Context, request *edgereelv1.PlayRequest) (*edgereelv1.PlayResponse, error) {
	if p.err != nil {
		return nil, p.err
	}
	return &edgereelv1.PlayResponse{BalanceMinor: request.GetStakeMinor(), Step: request.GetStep()}, nil
}

func startServer(t *testing.T, player echoPlayer) *httptest.Server {
	t.Helper()
	server := connect.NewServer(api.Effects())
	edgereelv1connect.RegisterPlayerServiceHandler(server, player)
	listener := httptest.NewServer(api.Handler(server))
	t.Cleanup(listener.Close)
	return listener
}

type answer struct {
	status int
	body   map[string]any
}

func (a answer) text(key string) string {
	text, _ := a.body[key].(string)
	return text
}

func post(t *testing.T, server *httptest.Server, path, contentType, body string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	return send(t, server, request)
}

func send(t *testing.T, server *httptest.Server, request *http.Request) answer {
	t.Helper()
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	reply := answer{status: response.StatusCode}
	if err := json.Unmarshal(raw, &reply.body); err != nil {
		t.Fatalf("status %d, body %q: %v", response.StatusCode, raw, err)
	}
	return reply
}

const playPath = edgereelv1connect.PlayerServicePlayProcedure

func TestHandler_AmountIsExact(t *testing.T) {
	server := startServer(t, echoPlayer{})
	for _, body := range []string{
		`{"wallet":"w","stakeMinor":"9007199254740993","step":"1"}`,
		`{"wallet":"w","stake_minor":9007199254740993,"step":1}`,
	} {
		reply := post(t, server, playPath, "application/json", body)
		if reply.status != http.StatusOK || reply.text("balanceMinor") != "9007199254740993" {
			t.Errorf("%s: status %d, body %v", body, reply.status, reply.body)
		}
		if reply.text("winMinor") != "0" {
			t.Errorf("a win of nothing must be there as \"0\": %v", reply.body)
		}
	}
}

func TestHandler_RefusesBadRequests(t *testing.T) {
	server := startServer(t, echoPlayer{})
	const jsonType = "application/json"
	tests := map[string]struct {
		path, contentType, body string
		status                  int
		begins, names           string
	}{
		"unknown field":      {playPath, jsonType, `{"wallet":"w","nope":1}`, 400, "not_applied: unknown_field: ", `"nope"`},
		"not JSON":           {playPath, jsonType, `stake=5`, 400, "not_applied: malformed_request: ", "stake"},
		"empty body":         {playPath, jsonType, ``, 400, "not_applied: malformed_request: ", ""},
		"cut JSON":           {playPath, jsonType, `{"wallet":"w"`, 400, "not_applied: malformed_request: ", ""},
		"two values":         {playPath, jsonType, `{} {}`, 400, "not_applied: malformed_request: ", ""},
		"field twice":        {playPath, jsonType, `{"wallet":"a","wallet":"b"}`, 400, "not_applied: malformed_request: ", "wallet"},
		"fraction of a cent": {playPath, jsonType, `{"stakeMinor":"1.5"}`, 400, "not_applied: malformed_request: ", "stakeMinor"},
		"beyond int64":       {playPath, jsonType, `{"stakeMinor":"9223372036854775808"}`, 400, "not_applied: malformed_request: ", "stakeMinor"},
		"body too large":     {playPath, jsonType, `{"mode":"` + strings.Repeat("a", api.MaxRequestBytes) + `"}`, 429, "not_applied: request_too_large: ", ""},
		"binary, not proto":  {playPath, "application/proto", "\xff\xff", 400, "not_applied: malformed_request: ", ""},
		"other content":      {playPath, "text/plain", `{}`, 400, "not_applied: wrong_content_type: ", ""},
		"unknown procedure":  {"/edgereel.v1.PlayerService/Steal", jsonType, `{}`, 501, "not_applied: unknown_procedure: ", ""},
		"unknown service":    {"/casino.v1.Other/Call", jsonType, `{}`, 404, "not_applied: unknown_procedure: ", ""},
		"not implemented":    {edgereelv1connect.PlayerServiceCloseSessionProcedure, jsonType, `{}`, 501, "not_applied: unknown_procedure: ", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reply := post(t, server, test.path, test.contentType, test.body)
			message := reply.text("message")
			if reply.status != test.status || !strings.HasPrefix(message, test.begins) || !strings.Contains(message, test.names) {
				t.Fatalf("status %d, body %v", reply.status, reply.body)
			}
			if details, _ := reply.body["details"].([]any); len(details) != 1 {
				t.Fatalf("details %v, want one", reply.body["details"])
			}
		})
	}
}

func TestHandler_RefusesGet(t *testing.T) {
	server := startServer(t, echoPlayer{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+playPath+"?connect=v1&encoding=json&message=%7B%7D", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if reply := send(t, server, request); !strings.HasPrefix(reply.text("message"), "not_applied: wrong_method: ") {
		t.Fatalf("status %d, body %v", reply.status, reply.body)
	}
}

func TestHandler_RefusesDecompressionBomb(t *testing.T) {
	server := startServer(t, echoPlayer{})
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	fmt.Fprintf(writer, `{"mode":"%s"}`, strings.Repeat("a", 100*api.MaxRequestBytes))
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() > api.MaxRequestBytes {
		t.Fatal("the packed body must itself be within the limit")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+playPath, &packed)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Content-Encoding", "gzip")
	if reply := send(t, server, request); !strings.HasPrefix(reply.text("message"), "not_applied: request_too_large: ") {
		t.Fatalf("status %d, body %v", reply.status, reply.body)
	}
}

func TestHandler_RefusesUnknownBinaryFields(t *testing.T) {
	server := startServer(t, echoPlayer{})
	body := protowire.AppendTag(nil, 15000, protowire.VarintType)
	body = protowire.AppendVarint(body, 1)
	reply := post(t, server, playPath, "application/proto", string(body))
	if !strings.HasPrefix(reply.text("message"), "not_applied: unknown_field: edgereel.v1.PlayRequest") {
		t.Fatalf("status %d, body %v", reply.status, reply.body)
	}
}

func playerClients(server *httptest.Server) map[string]edgereelv1connect.PlayerServiceClient {
	clients := map[string]edgereelv1connect.PlayerServiceClient{}
	for name, option := range map[string]connecthttp.Option{
		"binary": connecthttp.WithSendCodec(connect.CodecNameProto),
		"json":   connecthttp.WithProtoJSON(),
		"web":    connecthttp.WithGRPCWeb(),
	} {
		transport := connecthttp.NewTransport(server.Client(), server.URL, option)
		clients[name] = edgereelv1connect.NewPlayerServiceClient(connect.NewClient(transport))
	}
	return clients
}

func TestHandler_Clients(t *testing.T) {
	for name, client := range playerClients(startServer(t, echoPlayer{})) {
		t.Run(name, func(t *testing.T) {
			reply, err := client.Play(t.Context(), &edgereelv1.PlayRequest{StakeMinor: beyondFloat})
			if err != nil || reply.GetBalanceMinor() != beyondFloat {
				t.Fatalf("balance %d, error %v", reply.GetBalanceMinor(), err)
			}
		})
	}
}

func TestHandler_DetailReachesClients(t *testing.T) {
	refusal := api.DetailedError(&edgereelv1.ErrorDetail{
		Effect: edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, Code: "overloaded", Hint: "Wait.", RetryAfterMs: 250,
	}, connect.CodeUnavailable, "queue of %d is full", 7)
	for name, client := range playerClients(startServer(t, echoPlayer{err: fmt.Errorf("play: %w", refusal)})) {
		t.Run(name, func(t *testing.T) {
			_, err := client.Play(t.Context(), &edgereelv1.PlayRequest{})
			detail := api.DetailOf(err)
			if detail.GetEffect() != edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE || detail.GetCode() != "overloaded" ||
				detail.GetHint() != "Wait." || detail.GetRetryAfterMs() != 250 {
				t.Fatalf("detail %v of %v", detail, err)
			}
			if !strings.Contains(err.Error(), "not_applied_retryable: overloaded: queue of 7 is full") {
				t.Fatalf("error %v", err)
			}
		})
	}
}

func TestHandler_HidesInternalErrors(t *testing.T) {
	const secret = "seed 0badc0de"
	for name, handlerErr := range map[string]error{
		"plain error":     errors.New(secret),
		"error of a peer": connect.NewError(connect.CodeInternal, secret).WithRemote(),
		"no detail":       connect.NewError(connect.CodeFailedPrecondition, secret),
	} {
		t.Run(name, func(t *testing.T) {
			reply := post(t, startServer(t, echoPlayer{err: handlerErr}), playPath, "application/json", `{}`)
			if !strings.HasPrefix(reply.text("message"), "unknown: internal: ") || strings.Contains(fmt.Sprint(reply.body), secret) {
				t.Fatalf("status %d, body %v", reply.status, reply.body)
			}
		})
	}
}
