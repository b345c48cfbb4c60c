package seeds

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// fileVersion is the newest form of the three files this build reads.
const fileVersion = 1

// What is wrong with sealed bytes. Neither says anything of their content.
var (
	// ErrUnknownKey means the ring does not hold the key they were sealed with.
	ErrUnknownKey = errors.New("sealed with a key that is not in the ring")
	// ErrSealBroken means they were altered, or sealed for something else.
	ErrSealBroken = errors.New("the seal is broken")
)

// Key states. A decrypt_only key opens what it sealed and seals nothing new.
const (
	stateActive      = "active"
	stateDecryptOnly = "decrypt_only"
	stateVerifyOnly  = "verify_only"
)

// readSecret decodes the JSON file at path into form, and refuses a file that
// others can read.
func readSecret(path string, form any) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("open key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("key file %s has mode %04o: others can read it; run chmod 600 on it", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read key file: %w", err)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("read key file %s: not valid JSON", path)
	}
	if head.Version != fileVersion {
		return fmt.Errorf("key file %s has version %d, this build reads version %d", path, head.Version, fileVersion)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(form); err != nil {
		return fmt.Errorf("read key file %s: %w", path, err)
	}
	return nil
}

// writeSecret replaces the file at path whole or not at all.
func writeSecret(path string, form any) error {
	text, err := json.MarshalIndent(form, "", "  ")
	if err != nil {
		return fmt.Errorf("encode key file: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write key file: %w", err), os.Remove(file.Name()))
	}
	return nil
}

func orSystem(random io.Reader) io.Reader {
	if random == nil {
		return rand.Reader
	}
	return random
}

func fill(random io.Reader, into []byte) error {
	if _, err := io.ReadFull(random, into); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	return nil
}

// newKeyID names a key at random, so that two rotations never collide.
func newKeyID(random io.Reader) (string, error) {
	var id [6]byte
	if err := fill(random, id[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(id[:]), nil
}
