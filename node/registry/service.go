package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/wallet"
)

// Methods of the calls between nodes.
const (
	MethodCommand = "registry-command"
	MethodState   = "registry-state"
)

// messageVersion numbers the messages between nodes.
const messageVersion = 1

// Times of the service.
const (
	submitTimeout = 15 * time.Second // where the caller's context has no end
	tryTimeout    = 3 * time.Second  // one attempt at one node
	retryPause    = 100 * time.Millisecond
	learnEvery    = time.Second
	learnTimeout  = 5 * time.Second
	// catchUp is how long an answered operation waits to be seen here too.
	catchUp = 3 * time.Second
)

// Group commits operations; [plain.Group] does. Its errors are
// *consensus.Error.
type Group interface {
	Submit(ctx context.Context, command []byte) ([]byte, error)
	Leads() bool
	Leader() string
}

// Caller calls other nodes; [transport.RPC] does.
type Caller interface {
	Call(ctx context.Context, node, method string, body []byte) ([]byte, error)
}

// Config is what a node's part of the registry is made of.
type Config struct {
	Node string
	// Voters keep the registry.
	Voters []string
	// Group is nil on a node without a vote; it then learns from the voters.
	Group   Group
	Machine *Machine
	Mesh    Caller
	// Now is the wall clock that the leader stamps operations with.
	Now func() time.Time
	// Rand draws the ids of operations.
	Rand   io.Reader
	Logger *slog.Logger
}

// Service is a node's part of the registry. mu guards hint; a learner goroutine
// runs on a node without a vote.
type Service struct {
	cfg    Config
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu sync.Mutex
	// hint is the node that was leader last.
	hint string
}

// Error is why an operation was not decided.
type Error struct {
	// Effect says whether it may still take effect.
	Effect wallet.Effect
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("registry: %s: %v", e.Effect, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// New starts a node's part of the registry. The group is the caller's.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Node == "" || len(cfg.Voters) == 0 || cfg.Machine == nil || cfg.Mesh == nil:
		return nil, errors.New("open registry: Node, Voters, Machine and Mesh must be set")
	case cfg.Now == nil || cfg.Rand == nil || cfg.Logger == nil:
		return nil, errors.New("open registry: a clock, randomness and a logger must be set")
	case (cfg.Group != nil) != slices.Contains(cfg.Voters, cfg.Node):
		return nil, fmt.Errorf("open registry: node %s has a group without being a voter of %v, or is one without a group", cfg.Node, cfg.Voters)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{cfg: cfg, cancel: cancel}
	if cfg.Group == nil {
		s.wg.Go(func() { s.learn(ctx) })
	}
	return s, nil
}

// Close ends the learner and waits for it.
func (s *Service) Close() error {
	s.cancel()
	s.wg.Wait()
	return nil
}

// State is the registry as this node knows it.
func (s *Service) State() *State { return s.cfg.Machine.State() }

// Changed gives the present state and a channel that is closed once there is
// another one.
func (s *Service) Changed() (*State, <-chan struct{}) { return s.cfg.Machine.Changed() }

// Leads reports whether this node believes that it leads the registry.
func (s *Service) Leads() bool { return s.cfg.Group != nil && s.cfg.Group.Leads() }

// Leader gives the node that leads, as far as this one knows, "" for none.
func (s *Service) Leader() string {
	if s.cfg.Group != nil {
		return s.cfg.Group.Leader()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hint
}

// NewID draws an id for an operation.
func (s *Service) NewID() (string, error) {
	var id [16]byte
	if _, err := io.ReadFull(s.cfg.Rand, id[:]); err != nil {
		return "", fmt.Errorf("draw an operation's id: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}

// Submit has an operation decided: by this node where it leads, else by the
// leader. An operation without an id gets one, so that repeats of this call are
// applied once; a caller who wants to repeat after an error sets its own. The
// error is a *Refusal or an *Error. After an answer this node's State holds the
// operation too, unless ctx ended first.
func (s *Service) Submit(ctx context.Context, op Op) (Result, error) {
	if op.ID == "" {
		id, err := s.NewID()
		if err != nil {
			return Result{}, &Error{Effect: wallet.NotAppliedRetryable, Err: err}
		}
		op.ID = id
	}
	if r := op.check(); r != nil {
		return Result{}, r
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, submitTimeout)
		defer cancel()
	}
	res, err := s.decide(ctx, &op)
	if err != nil {
		return Result{}, err
	}
	if res.Refusal != nil {
		return res, res.Refusal
	}
	s.await(ctx, res.Seq)
	return res, nil
}

// decide asks until some leader answers. A repeat is safe whatever became of
// the attempt before: the state knows the operation by its id.
func (s *Service) decide(ctx context.Context, op *Op) (Result, error) {
	effect := wallet.NotAppliedRetryable
	for try := 0; ; try++ {
		node := s.target(try)
		res, leader, err := s.ask(ctx, node, op)
		if err == nil {
			s.setHint(node)
			return res, nil
		}
		if unknown(err) {
			effect = wallet.Unknown
		}
		s.setHint(leader)
		s.cfg.Logger.Debug("registry operation not decided yet", "asked", node, "leader", leader, "error", err)
		if !pause(ctx, retryPause) {
			return Result{}, &Error{Effect: effect, Err: errors.Join(ctx.Err(), err)}
		}
	}
}

// unknown tells whether a failed attempt may still take effect.
func unknown(err error) bool {
	var own *consensus.Error
	var call *transport.CallError
	switch {
	case errors.As(err, &own):
		return own.Effect == wallet.Unknown
	case errors.As(err, &call):
		return call.Sent && !call.Refused
	}
	return true
}

// target is whom to ask: who leads, as far as this node knows, then each voter
// in turn.
func (s *Service) target(try int) string {
	if s.Leads() {
		return s.cfg.Node
	}
	if leader := s.Leader(); leader != "" && try%2 == 0 {
		return leader
	}
	return s.cfg.Voters[(try/2)%len(s.cfg.Voters)]
}

func (s *Service) setHint(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hint = node
}

// ask makes one attempt at one node.
func (s *Service) ask(ctx context.Context, node string, op *Op) (Result, string, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	if node == s.cfg.Node {
		return s.lead(ctx, op)
	}
	encoded, err := op.Encode()
	if err != nil {
		return Result{}, "", err
	}
	var reply edgereelv1.RegistryReply
	if err := s.call(ctx, node, MethodCommand, &edgereelv1.RegistryCommand{Version: messageVersion, Op: encoded}, &reply); err != nil {
		return Result{}, "", err
	}
	if len(reply.GetResult()) == 0 {
		effect := wallet.Unknown
		if reply.GetRefusal().GetEffect() != edgereelv1.Effect_EFFECT_UNKNOWN {
			effect = wallet.NotAppliedRetryable
		}
		return Result{}, reply.GetLeader(), &consensus.Error{Effect: effect, Code: wallet.Code(reply.GetRefusal().GetCode()), Err: errors.New(reply.GetMessage())}
	}
	res, err := DecodeResult(reply.GetResult())
	return res, "", err
}

func (s *Service) call(ctx context.Context, node, method string, req, reply proto.Message) error {
	body, err := proto.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	raw, err := s.cfg.Mesh.Call(ctx, node, method, body)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(raw, reply); err != nil {
		return fmt.Errorf("read the answer to %s: %w", method, err)
	}
	return nil
}

// lead stamps the operation and commits it.
func (s *Service) lead(ctx context.Context, op *Op) (Result, string, error) {
	if s.cfg.Group == nil {
		return Result{}, "", &consensus.Error{Effect: wallet.NotAppliedRetryable, Code: consensus.CodeNotLeader, Err: errors.New("this node has no vote in the registry")}
	}
	stamped := *op
	stamped.AtMS = s.cfg.Now().UnixMilli()
	command, err := stamped.Encode()
	if err != nil {
		return Result{}, "", err
	}
	answer, err := s.cfg.Group.Submit(ctx, command)
	if err != nil {
		var own *consensus.Error
		leader := ""
		if errors.As(err, &own) {
			leader = own.Leader
		}
		return Result{}, leader, err
	}
	res, err := DecodeResult(answer)
	return res, "", err
}

// await returns when this node knows the sequence, or stopped waiting for it:
// the operation is committed either way.
func (s *Service) await(ctx context.Context, seq uint64) {
	limit := time.NewTimer(catchUp)
	defer limit.Stop()
	for {
		state, changed := s.Changed()
		if state.Seq() >= seq {
			return
		}
		if s.cfg.Group == nil {
			s.learnOnce(ctx)
			if s.State().Seq() >= seq {
				return
			}
		}
		again := time.NewTimer(retryPause)
		select {
		case <-changed:
		case <-again.C:
		case <-limit.C:
			again.Stop()
			return
		case <-ctx.Done():
			again.Stop()
			return
		}
		again.Stop()
	}
}

// ServeCommand answers [MethodCommand] of another node.
func (s *Service) ServeCommand(ctx context.Context, body []byte) ([]byte, error) {
	var req edgereelv1.RegistryCommand
	if err := proto.Unmarshal(body, &req); err != nil {
		return nil, fmt.Errorf("read registry command: %w", err)
	}
	op, err := DecodeOp(req.GetOp())
	if err != nil {
		return nil, err
	}
	reply := &edgereelv1.RegistryReply{Version: messageVersion}
	res, leader, err := s.lead(ctx, op)
	if err == nil {
		reply.Result, err = res.Encode()
	}
	if err != nil {
		effect := edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE
		if unknown(err) {
			effect = edgereelv1.Effect_EFFECT_UNKNOWN
		}
		code := string(consensus.CodeInternal)
		var own *consensus.Error
		if errors.As(err, &own) {
			code = string(own.Code)
		}
		reply.Leader, reply.Message, reply.Refusal = leader, err.Error(), &edgereelv1.ErrorDetail{Effect: effect, Code: code}
	}
	reply.RegistrySeq = s.State().Seq()
	return proto.Marshal(reply) //nolint:wrapcheck // a message of this program
}

// ServeState answers [MethodState] of another node.
func (s *Service) ServeState(body []byte) ([]byte, error) {
	var req edgereelv1.RegistryStateRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return nil, fmt.Errorf("read registry state request: %w", err)
	}
	state := s.State()
	reply := &edgereelv1.RegistryStateReply{Version: messageVersion, RegistrySeq: state.Seq()}
	if state.Seq() > req.GetRegistrySeq() {
		var err error
		if reply.State, err = state.Snapshot(); err != nil {
			return nil, err
		}
	}
	return proto.Marshal(reply) //nolint:wrapcheck // a message of this program
}

// learn keeps a node without a vote up to date.
func (s *Service) learn(ctx context.Context) {
	for {
		s.learnOnce(ctx)
		if !pause(ctx, learnEvery) {
			return
		}
	}
}

// learnOnce asks voters until one answers, another one first each time.
func (s *Service) learnOnce(ctx context.Context) {
	first := int(s.cfg.Now().Unix()) % len(s.cfg.Voters)
	for i := range s.cfg.Voters {
		voter := s.cfg.Voters[(first+i)%len(s.cfg.Voters)]
		err := s.learnFrom(ctx, voter)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.cfg.Logger.Debug("registry not learned", "from", voter, "error", err)
	}
}

func (s *Service) learnFrom(ctx context.Context, voter string) error {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	var reply edgereelv1.RegistryStateReply
	err := s.call(ctx, voter, MethodState, &edgereelv1.RegistryStateRequest{Version: messageVersion, RegistrySeq: s.State().Seq()}, &reply)
	if err != nil || len(reply.GetState()) == 0 {
		return err
	}
	return s.cfg.Machine.learn(reply.GetState())
}

// pause waits for d or the end of ctx; false at its end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
