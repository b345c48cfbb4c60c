package plain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/wallet"
)

// machine adapts a Machine to raft's FSM. Raft calls Apply, Snapshot and
// Restore from one goroutine, which owns cfg.Machine. err is set before blown
// is closed.
type machine struct {
	cfg   *Config
	once  sync.Once
	blown chan struct{}
	err   error
	// began is set by the first call of raft after its start: until then a
	// snapshot that cannot be read makes raft try the one before it.
	began bool
}

var _ raft.FSM = (*machine)(nil)

// failure is why this replica may not go on, nil while it may.
func (m *machine) failure() error {
	select {
	case <-m.blown:
		return m.err
	default:
		return nil
	}
}

// die stops this replica; the first reason counts.
func (m *machine) die(err error) error {
	m.once.Do(func() {
		m.err = err
		close(m.blown)
		m.cfg.Logger.Error("replica stops", "group", m.cfg.Name, "error", err)
		m.cfg.OnFatal(err)
	})
	return m.err
}

// Apply applies one committed entry.
func (m *machine) Apply(l *raft.Log) any {
	m.began = true
	err := m.failure()
	if err == nil {
		var data []byte
		if data, err = m.cfg.Machine.Apply(l.Data); err == nil {
			return &answer{data: data}
		}
		err = m.die(fmt.Errorf("apply entry %d of %s: %w", l.Index, m.cfg.Name, err))
	}
	// It is committed: whoever goes on from the log will apply it.
	return &answer{err: &consensus.Error{Effect: wallet.Unknown, Code: consensus.CodeUnresolved, Err: err}}
}

// Snapshot copies the state; it is written beside new entries.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.began = true
	if err := m.failure(); err != nil {
		return nil, err
	}
	state, err := m.cfg.Machine.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", m.cfg.Name, err)
	}
	return image(encodeImage(m.cfg.Name, state)), nil
}

// Restore replaces the state. One that the leader sent and that cannot be read
// would be sent again for ever, so this replica stops.
func (m *machine) Restore(rc io.ReadCloser) error {
	defer func() { _ = rc.Close() }()
	data, err := io.ReadAll(rc)
	var state []byte
	if err == nil {
		state, err = decodeImage(m.cfg.Name, data)
	}
	if err == nil {
		err = m.cfg.Machine.Restore(state)
	}
	if err == nil {
		m.began = true
		return nil
	}
	err = fmt.Errorf("restore %s: %w", m.cfg.Name, err)
	if m.began {
		return m.die(err)
	}
	return err
}

// Layout of a snapshot: magic, version byte, length and name of the group,
// length (uint64) and bytes of the state, CRC-32C of all before it; integers
// are big-endian.
const (
	imageMagic   = "ERPLAIN"
	imageVersion = 1
)

var errImage = errors.New("snapshot is damaged")

func encodeImage(name string, state []byte) []byte {
	b := make([]byte, 0, len(imageMagic)+len(name)+len(state)+16)
	b = append(b, imageMagic...)
	b = append(b, imageVersion, byte(len(name)))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(state)))
	b = append(b, state...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func decodeImage(name string, b []byte) ([]byte, error) {
	head := len(imageMagic) + 2
	if len(b) < head+12 || !bytes.HasPrefix(b, []byte(imageMagic)) {
		return nil, fmt.Errorf("no header: %w", errImage)
	}
	if v := b[len(imageMagic)]; v != imageVersion {
		return nil, fmt.Errorf("snapshot of version %d needs a newer build", v)
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return nil, fmt.Errorf("checksum differs: %w", errImage)
	}
	n := int(body[head-1])
	body = body[head:]
	if len(body) < n+8 {
		return nil, fmt.Errorf("truncated: %w", errImage)
	}
	if got := string(body[:n]); got != name {
		return nil, fmt.Errorf("the snapshot is of %q", got)
	}
	size, body := binary.BigEndian.Uint64(body[n:]), body[n+8:]
	if size != uint64(len(body)) {
		return nil, fmt.Errorf("%d bytes of state instead of %d: %w", len(body), size, errImage)
	}
	return body, nil
}

// image is an encoded snapshot.
type image []byte

// Persist writes it.
func (i image) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(i); err != nil {
		return errors.Join(fmt.Errorf("write snapshot: %w", err), sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("finish snapshot: %w", err)
	}
	return nil
}

// Release has nothing to give back: a snapshot is a copy.
func (image) Release() {}
