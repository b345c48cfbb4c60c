package api_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// Whatever a strict codec accepts, it understood: written again and read
// again it is the same message, and nothing in it is unknown.
func FuzzStrictCodecs(f *testing.F) {
	binary, err := proto.Marshal(&edgereelv1.OpenWalletResponse{Wallet: &edgereelv1.Wallet{Sessions: []*edgereelv1.Session{{Game: "g"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(binary)
	f.Add([]byte(`{"wallet":{"balanceMinor":"9007199254740993","sessions":[{"openRound":{"frozen":true}}]}}`))
	f.Add([]byte(`{"wallet":{"nope":1}}`))
	f.Add([]byte{0x0a, 0x03, 0xf8, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, codec := range api.StrictCodecs() {
			var first, second edgereelv1.OpenWalletResponse
			if err := codec.UnmarshalRead(t.Context(), bytes.NewReader(data), &first); err != nil {
				continue
			}
			var written bytes.Buffer
			if err := codec.MarshalWrite(t.Context(), &written, &first); err != nil {
				t.Fatalf("%s: write again: %v", codec.Name(), err)
			}
			if err := codec.UnmarshalRead(t.Context(), &written, &second); err != nil {
				t.Fatalf("%s: read again: %v", codec.Name(), err)
			}
			if !proto.Equal(&first, &second) {
				t.Fatalf("%s: %v became %v", codec.Name(), &first, &second)
			}
			if sessions := first.GetWallet().GetSessions(); len(sessions) > 0 && len(sessions[0].ProtoReflect().GetUnknown()) > 0 {
				t.Fatalf("%s: an unknown field was accepted", codec.Name())
			}
		}
	})
}
