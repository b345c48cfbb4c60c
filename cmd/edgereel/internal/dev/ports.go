package dev

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are drawn below the range systems use for outgoing connections.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// portsFrom gives each node two ports in a row.
func portsFrom(base int) []ports {
	all := make([]ports, len(sites))
	for i := range all {
		all[i] = ports{Public: base + 2*i, Admin: base + 2*i + 1}
	}
	return all
}

// freePorts draws a base at random, so that two clusters that start at the
// same time do not choose the same.
func freePorts() ([]ports, error) {
	var taken error
	for range 50 {
		all := portsFrom(lowestPort + rand.IntN(highestPort-lowestPort)) //nolint:gosec // no secret
		if taken = checkPorts(all); taken == nil {
			return all, nil
		}
	}
	return nil, fmt.Errorf("find free ports: %w; choose some with --base-port", taken)
}

// checkPorts says which port is in use, and by which node it is needed.
func checkPorts(all []ports) error {
	var inUse []error
	for i, p := range all {
		for _, need := range []struct {
			network, what string
			port          int
		}{{"udp", "public", p.Public}, {"tcp", "public", p.Public}, {"tcp", "admin", p.Admin}} {
			if err := tryListen(need.network, need.port); err != nil {
				inUse = append(inUse, fmt.Errorf("port %d/%s, the %s address of %s, cannot be used: %w",
					need.port, need.network, need.what, sites[i].node, err))
			}
		}
	}
	return errors.Join(inUse...)
}

func tryListen(network string, port int) error {
	if port < 1 || port > 65535 {
		return errors.New("not between 1 and 65535")
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	if network == "udp" {
		conn, err := net.ListenPacket(network, addr) //nolint:noctx // binding a local address does not wait
		if err != nil {
			return cause(err)
		}
		return conn.Close()
	}
	listener, err := net.Listen(network, addr) //nolint:noctx // binding a local address does not wait
	if err != nil {
		return cause(err)
	}
	return listener.Close()
}

// cause drops the address that the caller has named already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
