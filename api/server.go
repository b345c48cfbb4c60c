package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// MaxRequestBytes bounds a request message, before and after decompression.
// The largest honest request is well below 1 KiB.
const MaxRequestBytes = 64 << 10

const (
	codeUnknownProcedure = "unknown_procedure"
	hintUnknownProcedure = "Call a procedure of the published schema."
)

// Handler serves the registered procedures of server over Connect, gRPC and
// gRPC-Web with strict codecs and bounded requests, and answers everything
// else with an error as well. Build the server with [Effects] as its first
// interceptor; Handler takes over its unknown handler. Later options win.
func Handler(server *connect.Server, options ...connecthttp.Option) http.Handler {
	options = append([]connecthttp.Option{
		connecthttp.WithCodecs(StrictCodecs()...),
		connecthttp.WithReadMaxBytes(MaxRequestBytes),
	}, options...)
	server.SetUnknownHandler(func(context.Context, connect.Spec, connect.ServerStream) error { return unknownProcedure() })
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server, options...)
	writer := connecthttp.NewErrorWriter(options...)
	refuse := func(w http.ResponseWriter, r *http.Request, status connect.Code, code, hint, text string) {
		// The caller is gone if this cannot be written.
		_ = writer.Write(w, r, Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, code, status, hint, "%s", text))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, connect.CodeNotFound, codeUnknownProcedure, hintUnknownProcedure, "no such service")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, r, connect.CodeInvalidArgument, "wrong_method", "Send the request with POST.", "procedures are called with POST")
		case !writer.IsSupported(r):
			refuse(w, r, connect.CodeInvalidArgument, "wrong_content_type", "Set Content-Type to application/json.", "the content type is not one of an RPC")
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// Effects gives every error its effect. A request that could not be read was
// not applied; an error a handler returned without a detail is of unknown
// effect, and its text stays on this side of the wire.
func Effects() connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			return withEffect(next(ctx, spec, readStream{stream}))
		}
	}
}

func withEffect(err error) error {
	var failure *connect.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failure) || failure.IsRemote():
		// What a peer said to us is not ours to say to the caller.
		return internal(err)
	case findDetail(err) != nil:
		return err
	case failure.Code() == connect.CodeUnimplemented:
		return unknownProcedure()
	default:
		return internal(err)
	}
}

func unknownProcedure() error {
	return Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, codeUnknownProcedure, connect.CodeUnimplemented,
		hintUnknownProcedure, "this node does not serve the procedure")
}

// readStream refuses what the transport could not read as a request.
type readStream struct{ connect.ServerStream }

func (s readStream) Receive(message any) error {
	err := s.ServerStream.Receive(message)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return unreadable(err)
}

func unreadable(err error) error {
	const effect = edgereelv1.Effect_EFFECT_NOT_APPLIED
	status := connect.CodeOf(err)
	var bad *malformed
	switch {
	case errors.As(err, &bad) && bad.code == "unknown_field":
		return Error(effect, bad.code, connect.CodeInvalidArgument,
			"Remove the field or correct its name.", "%w", bad)
	case errors.As(err, &bad):
		return Error(effect, bad.code, connect.CodeInvalidArgument,
			"Send the request message of this procedure.", "%w", bad)
	case status == connect.CodeResourceExhausted:
		return Error(effect, "request_too_large", connect.CodeResourceExhausted,
			"Send a smaller request.", "the request is larger than this node reads")
	default:
		return Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "unreadable_request", status,
			"Send the request again.", "the request did not arrive whole")
	}
}
