package dsse

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// KeyID names a public key: the first 16 hexadecimal digits of the SHA-256 of
// its 32 bytes.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:])[:keyIDLength]
}

const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
	// maxKeyFile is what is read of a key file at most.
	maxKeyFile = 64 << 10
)

// ErrKeyFile says that a file is no key file of this form.
var ErrKeyFile = errors.New("no Ed25519 key file")

// WritePrivate makes a new file that its owner alone can read: PEM with PKCS #8.
// A file that is there already is left as it is.
func WritePrivate(path string, key ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write private key: %w", err)
	}
	return writeNew(path, 0o600, &pem.Block{Type: privateBlock, Bytes: der})
}

// WritePublic makes a new file for everybody to read: PEM with PKIX.
func WritePublic(path string, key ed25519.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return fmt.Errorf("write public key: %w", err)
	}
	return writeNew(path, 0o644, &pem.Block{Type: publicBlock, Bytes: der})
}

func writeNew(path string, mode fs.FileMode, block *pem.Block) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	err = pem.Encode(f, block)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write key file: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// ReadPrivate reads what WritePrivate wrote, and refuses a file that others
// can read.
func ReadPrivate(path string) (ed25519.PrivateKey, error) {
	der, mode, err := readBlock(path, privateBlock)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read private key %s: others can read it (mode %#o): run chmod 600 on it, and revoke the key if somebody may have", path, mode.Perm())
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeyFile, path, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: %s holds a key of another algorithm", ErrKeyFile, path)
	}
	return private, nil
}

// ReadPublic reads what WritePublic wrote.
func ReadPublic(path string) (ed25519.PublicKey, error) {
	der, _, err := readBlock(path, publicBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeyFile, path, err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: %s holds a key of another algorithm", ErrKeyFile, path)
	}
	return public, nil
}

func readBlock(path, want string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read key file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("read key file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, 0, fmt.Errorf("read key file: %w", err)
	}
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return nil, 0, fmt.Errorf("%w: %s is not PEM", ErrKeyFile, path)
	case block.Type != want:
		return nil, 0, fmt.Errorf("%w: %s holds a %q, want a %q", ErrKeyFile, path, block.Type, want)
	}
	return block.Bytes, info.Mode(), nil
}
