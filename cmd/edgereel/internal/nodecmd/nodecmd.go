// Package nodecmd is the verb that runs one regional node:
// edgereel node --config FILE.
//
// It promises that the admin address answers from before the log is replayed
// until after the planned stop, that SIGTERM and SIGINT stop the node as
// planned (players drained, leadership handed over), that a second signal ends
// it at once, and that the exit code tells why it ended. What a node is, it
// does not know; that is package node.
package nodecmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	gometrics "github.com/hashicorp/go-metrics"

	"github.com/edgereel/edgereel/node"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/telemetry"
)

// Exit codes of the verb.
const (
	ExitOK = 0
	// ExitFailed: the node could not start, or had to stop.
	ExitFailed = 1
	// ExitUsage: the configuration cannot be used. Starting again is useless.
	ExitUsage = 2
)

// ExitCode is the exit code for what Run returned.
func ExitCode(err error) int {
	var bad *config.Error
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &bad):
		return ExitUsage
	default:
		return ExitFailed
	}
}

// Node is an opened node.
type Node interface {
	// Run serves until ctx ends, then stops as planned and returns nil. An
	// error means that it had to stop.
	Run(ctx context.Context) error
	// Close frees everything; it is called after Run.
	Close() error
}

// Open makes a node and takes over its sockets. There is no admin socket among
// them: it is served already.
type Open func(ctx context.Context, options node.Options) (Node, error)

func openNode(ctx context.Context, options node.Options) (Node, error) {
	n, err := node.New(ctx, options)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Options are the flags of the verb.
type Options struct {
	Config string `help:"Configuration of the node." required:"" placeholder:"FILE" type:"path"`
}

// flushTime bounds what the end of a process waits for its last traces.
const flushTime = 2 * time.Second

// Run runs a node until ctx ends or a signal asks for its planned stop.
func Run(ctx context.Context, o Options) error { return RunWith(ctx, o, openNode) }

// RunWith is Run with another kind of node.
func RunWith(ctx context.Context, o Options, open Open) error {
	cfg, err := config.Load(o.Config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// From the first signal on, a second one has its usual effect.
	defer context.AfterFunc(ctx, stop)()

	tel, err := telemetry.New(telemetry.Config{
		Cluster: cfg.Cluster, Node: cfg.Node, Region: cfg.Region, Build: node.Version,
		LogLevel: cfg.Telemetry.LogLevel, OTLPEndpoint: cfg.Telemetry.OTLPEndpoint, TraceRatio: cfg.Telemetry.TraceRatio,
	})
	if err != nil {
		return fmt.Errorf("start telemetry: %w", err)
	}
	err = runWith(ctx, cfg, tel, open)
	if err != nil {
		tel.Log.Error("the node ends", "error", err)
	} else {
		tel.Log.Info("the node has stopped as planned")
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	if lost := tel.Close(flush); lost != nil {
		tel.Log.Warn("traces are lost", "error", lost)
	}
	return err
}

func runWith(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry, open Open) (err error) {
	sockets, err := node.OpenSockets(cfg)
	if err != nil {
		return err
	}
	admin := serveAdmin(sockets.Admin, tel)
	sockets.Admin = nil
	defer func() { err = errors.Join(err, admin.close()) }()
	if err := installGoMetrics(tel); err != nil {
		return err
	}
	tel.Log.Info("the node starts", "build", node.Version, "public", cfg.Addresses.Public, "mesh", cfg.Addresses.Mesh,
		"admin", cfg.Addresses.Admin, "data", cfg.Data, "pid", os.Getpid())
	n, err := open(ctx, node.Options{Config: cfg, Telemetry: tel, Sockets: sockets})
	if err != nil {
		return fmt.Errorf("open node: %w", err)
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	// Only now: a second process on the same folder fails before this.
	removePID, err := writePID(cfg.Data)
	if err != nil {
		return err
	}
	defer removePID()
	if err := n.Run(ctx); err != nil {
		return fmt.Errorf("run node: %w", err)
	}
	return nil
}

// installGoMetrics is here and not in a package of the node because hashicorp's
// libraries know one sink per process.
func installGoMetrics(tel *telemetry.Telemetry) error {
	sink, err := tel.GoMetricsSink()
	if err != nil {
		return err
	}
	cfg := gometrics.DefaultConfig("")
	cfg.EnableHostname = false
	cfg.EnableRuntimeMetrics = false
	if _, err := gometrics.NewGlobal(cfg, sink); err != nil {
		return fmt.Errorf("install metrics sink: %w", err)
	}
	return nil
}

// admin is the admin HTTP server.
type admin struct {
	server *http.Server
	done   chan error
}

func serveAdmin(listener net.Listener, tel *telemetry.Telemetry) *admin {
	a := &admin{
		server: &http.Server{
			Handler: tel.AdminMux(), ReadHeaderTimeout: 5 * time.Second,
			ErrorLog: telemetry.StdLog(tel.Log, "admin"),
		},
		done: make(chan error, 1),
	}
	go func() { a.done <- a.server.Serve(listener) }()
	return a
}

func (a *admin) close() error {
	err := a.server.Close()
	if served := <-a.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("close admin address: %w", err)
	}
	return nil
}

// PIDFile is the name, in the data folder, of the file that tells a supervisor
// which process runs the node. It is there while the node runs, and after a
// kill until the next start.
const PIDFile = "node.pid"

func writePID(data string) (remove func(), err error) {
	path := filepath.Join(data, PIDFile)
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write process id: %w", err)
	}
	return func() { _ = os.Remove(path) }, nil
}
