package plain

import (
	"errors"
	"strings"
	"testing"
)

func TestImage(t *testing.T) {
	good := encodeImage("words", []byte("state"))
	if got, err := decodeImage("words", good); err != nil || string(got) != "state" {
		t.Fatal(string(got), err)
	}
	if _, err := decodeImage("other", good); err == nil || !strings.Contains(err.Error(), `"words"`) {
		t.Errorf("another group's snapshot: %v", err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		if _, err := decodeImage("words", bad); err == nil {
			t.Errorf("byte %d changed and nothing noticed", i)
		}
		if _, err := decodeImage("words", good[:i]); err == nil {
			t.Errorf("cut at %d and nothing noticed", i)
		}
	}
	if _, err := decodeImage("words", good[:30]); !errors.Is(err, errImage) {
		t.Errorf("a cut one: %v", err)
	}
}
