package gamelogic

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/edgereel/edgereel/gamelogic/meter"
)

// meteredCache keeps rewritten modules beside the machine code that the engine
// keeps of them, in a directory that is as private as the program. So a module
// that was checked once by this version of the rewriting is not checked and
// rewritten again at the next start.
type meteredCache struct {
	dir string // empty: nothing is kept
}

// kept is one file: SHA-256 of what follows, a line of JSON, the code.
type kept struct {
	Version int // of the rewriting; a new one means other fuel
	Report  meter.Report
}

func (c meteredCache) path(digest [32]byte) string {
	return filepath.Join(c.dir, fmt.Sprintf("edgereel-metered-%d-%x", meter.Version, digest))
}

// get finds a rewritten module. A file that is damaged is as good as none.
func (c meteredCache) get(digest [32]byte) (code []byte, report meter.Report, ok bool) {
	if c.dir == "" {
		return nil, meter.Report{}, false
	}
	file, err := os.ReadFile(c.path(digest))
	if err != nil || len(file) < sha256.Size || sha256.Sum256(file[sha256.Size:]) != [32]byte(file[:sha256.Size]) {
		return nil, meter.Report{}, false
	}
	head, code, found := bytes.Cut(file[sha256.Size:], []byte("\n"))
	var k kept
	if !found || json.Unmarshal(head, &k) != nil || k.Version != meter.Version {
		return nil, meter.Report{}, false
	}
	return code, k.Report, true
}

// put keeps a rewritten module. It is a cache: where it cannot, it does not.
func (c meteredCache) put(digest [32]byte, code []byte, report meter.Report) {
	if c.dir == "" {
		return
	}
	head, err := json.Marshal(kept{meter.Version, report})
	if err != nil {
		return
	}
	body := append(append(head, '\n'), code...)
	sum := sha256.Sum256(body)
	f, err := os.CreateTemp(c.dir, "edgereel-*")
	if err != nil {
		return
	}
	_, err = f.Write(append(sum[:], body...))
	if closed := f.Close(); err != nil || closed != nil || os.Rename(f.Name(), c.path(digest)) != nil {
		_ = os.Remove(f.Name())
	}
}
