package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// StrictCodecs are the codecs of a server: a request with a field this build
// does not know is refused. A client that believes it set a limit or a mode
// must never have it ignored in silence. Responses hold every scalar field,
// zero or not, so that a win of nothing reads "0" and not absent.
//
// Clients use Connect's own codecs, which are lenient: a newer node may answer
// with more than they know.
func StrictCodecs() []connect.Codec {
	json := connectproto.NewJSONCodec()
	json.UnmarshalOptions.DiscardUnknown = false
	json.MarshalOptions.EmitDefaultValues = true
	return []connect.Codec{
		strictBinary{connectproto.NewBinaryCodec()},
		strictJSON{json},
	}
}

// malformed is what is wrong with the bytes of a request.
type malformed struct {
	code string
	text string
}

func (m *malformed) Error() string { return m.text }

type strictJSON struct{ *connectproto.JSONCodec }

// UnmarshalRead names what it refuses: the unknown field, or where the text
// stops being JSON for this message.
func (c strictJSON) UnmarshalRead(ctx context.Context, src io.Reader, message any) error {
	reads := &readErrors{Reader: src}
	err := c.JSONCodec.UnmarshalRead(ctx, reads, message)
	if err == nil || reads.err != nil {
		return err
	}
	// protojson begins with "proto:" and a space that varies by build, so
	// that nobody depends on it.
	text := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
	if strings.Contains(text, "unknown field") {
		return &malformed{code: "unknown_field", text: text}
	}
	return &malformed{code: "malformed_request", text: text}
}

type strictBinary struct{ *connectproto.BinaryCodec }

func (c strictBinary) UnmarshalRead(ctx context.Context, src io.Reader, message any) error {
	reads := &readErrors{Reader: src}
	if err := c.BinaryCodec.UnmarshalRead(ctx, reads, message); err != nil {
		if reads.err != nil {
			return err
		}
		return &malformed{code: "malformed_request", text: "not a protobuf message of this type"}
	}
	if message, ok := message.(proto.Message); ok {
		return refuseUnknown(message.ProtoReflect())
	}
	return nil
}

// refuseUnknown looks for fields this build does not know, at any depth. No
// message of the schema has map fields.
func refuseUnknown(message protoreflect.Message) error {
	if len(message.GetUnknown()) > 0 {
		return &malformed{
			code: "unknown_field",
			text: fmt.Sprintf("%s has a field this node does not know", message.Descriptor().FullName()),
		}
	}
	var err error
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := 0; err == nil && i < value.List().Len(); i++ {
				err = refuseUnknown(value.List().Get(i).Message())
			}
		default:
			err = refuseUnknown(value.Message())
		}
		return err == nil
	})
	return err
}

// readErrors remembers that the transport failed, so that its error is not
// taken for a malformed message.
type readErrors struct {
	io.Reader

	err error
}

func (r *readErrors) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
