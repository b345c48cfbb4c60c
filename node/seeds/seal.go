package seeds

import (
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	keyBytes = chacha20poly1305.KeySize
	// sealVersion is the first byte of everything sealed: XChaCha20-Poly1305
	// with a random 24-byte nonce, which may be drawn for ever without a
	// collision, unlike the 12 bytes of AES-GCM.
	sealVersion = 1
	headerBytes = 1 + chacha20poly1305.NonceSizeX
)

// seal gives version, nonce and ciphertext.
func seal(random io.Reader, key, plain, associated []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("use key: %w", err)
	}
	sealed := make([]byte, headerBytes, headerBytes+len(plain)+aead.Overhead())
	sealed[0] = sealVersion
	if err := fill(random, sealed[1:]); err != nil {
		return nil, err
	}
	return aead.Seal(sealed, sealed[1:headerBytes], plain, associated), nil
}

func open(key, sealed, associated []byte) ([]byte, error) {
	if len(sealed) < headerBytes {
		return nil, ErrSealBroken
	}
	if sealed[0] != sealVersion {
		return nil, fmt.Errorf("sealed in form %d, this build opens form %d", sealed[0], sealVersion)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("use key: %w", err)
	}
	plain, err := aead.Open(nil, sealed[1:headerBytes], sealed[headerBytes:], associated)
	if err != nil {
		return nil, ErrSealBroken
	}
	return plain, nil
}

// fields joins parts so that no two different lists give the same bytes.
func fields(domain string, parts ...[]byte) []byte {
	b := append([]byte(domain), 0, sealVersion)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}
