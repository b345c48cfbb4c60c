package node

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/push"
	"github.com/edgereel/edgereel/node/telemetry"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/transport"
)

// Version is the version of this program.
const Version = "0.1.0"

// Sockets are what a node listens on. New takes them over and closes them.
type Sockets struct {
	// Mesh carries the protocols between nodes; Public players and operators.
	// Public is nil where both share one socket.
	Mesh   net.PacketConn
	Public net.PacketConn
	// PublicTCP serves HTTPS/2 and may be nil; Admin serves metrics and health
	// and may be nil.
	PublicTCP net.Listener
	Admin     net.Listener
}

// OpenSockets listens on the configured addresses. An address in use is named.
func OpenSockets(cfg config.Config) (Sockets, error) {
	var s Sockets
	var err error
	if s.Mesh, err = transport.ListenUDP(cfg.Addresses.Mesh); err != nil {
		return s, inUse("mesh", cfg.Addresses.Mesh, err)
	}
	if !cfg.SharesPort() {
		if s.Public, err = transport.ListenUDP(cfg.Addresses.Public); err != nil {
			return s, errors.Join(inUse("public", cfg.Addresses.Public, err), s.close())
		}
	}
	listen := func(network, addr string) (net.Listener, error) { return net.Listen(network, addr) } //nolint:noctx // binding a local address does not wait
	if s.PublicTCP, err = listen("tcp", cfg.Addresses.Public); err != nil {
		return s, errors.Join(inUse("public", cfg.Addresses.Public, err), s.close())
	}
	if s.Admin, err = listen("tcp", cfg.Addresses.Admin); err != nil {
		return s, errors.Join(inUse("admin", cfg.Addresses.Admin, err), s.close())
	}
	return s, nil
}

func inUse(key, addr string, err error) error {
	return fmt.Errorf("listen on addresses.%s %s (stop the program that uses it, or choose another port): %w", key, addr, err)
}

func (s *Sockets) close() error {
	var all []io.Closer
	if s.Mesh != nil {
		all = append(all, s.Mesh)
	}
	if s.Public != nil {
		all = append(all, s.Public)
	}
	if s.PublicTCP != nil {
		all = append(all, s.PublicTCP)
	}
	if s.Admin != nil {
		all = append(all, s.Admin)
	}
	var err error
	for _, c := range all {
		err = errors.Join(err, c.Close())
	}
	return err
}

// Options are everything a node takes from outside.
type Options struct {
	Config    config.Config
	Telemetry *telemetry.Telemetry
	Sockets   Sockets
	// Now is the wall clock; nil is the system's. Rand gives salts, seeds and
	// wallet ids; nil is the operating system's entropy.
	Now  func() time.Time
	Rand io.Reader
	// SegmentRecords of a journal segment; 0 is storage's default. It must be
	// the same on all nodes, for ever.
	SegmentRecords uint32
	// Gate checks pushed modules; nil checks each in a process of its own, this
	// program with the verb gate-child.
	Gate push.Gate
	// OnStore hands the opened stores to a simulation that has to crash them.
	OnStore func(*storage.Store, map[uint32]*storage.Journal)
}
