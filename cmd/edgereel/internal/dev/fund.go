package dev

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgereel/edgereel/api/dsse"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
	"github.com/edgereel/edgereel/node/gateway"
	"github.com/edgereel/edgereel/node/seeds"
)

const (
	// fundingMinor is what each demo player starts with: 1,000.00 EUR.
	fundingMinor = 100_000
	// tokenLife outlasts any run; every start issues new ones.
	tokenLife = 7 * 24 * time.Hour
	// codeKeyExpired refuses a transaction id that is months old. The player
	// was funded with it then.
	codeKeyExpired = "key_expired"
	// codeKeyExists and codeKeyRevoked answer a studio's key that an earlier
	// run added.
	codeKeyExists  = "key_exists"
	codeKeyRevoked = "key_revoked"
)

// fund opens the players' wallets and pays in. The transaction ids are fixed,
// so that a restart finds the wallets as they were left.
func (c *cluster) fund(ctx context.Context) error {
	tokens, err := seeds.LoadTokens(c.l.key("tokens"))
	if err != nil {
		return err
	}
	issuer, err := tokens.Issuer(c.l.state.Cluster, nil)
	if err != nil {
		return err
	}
	if c.file.OperatorToken, err = issuer.Operator(operatorID, gateway.AllRoles(), tokenLife); err != nil {
		return fmt.Errorf("issue operator token: %w", err)
	}
	if err := c.openClient(ctx); err != nil {
		return err
	}
	c.file.Players = make([]clusterfile.Player, len(sites))
	failures := make([]error, len(sites))
	var work sync.WaitGroup
	for i, s := range sites {
		work.Go(func() {
			wallet, err := fundOne(ctx, c.client.Operator(c.file.OperatorToken), s)
			if err != nil {
				failures[i] = fmt.Errorf("fund %s: %w", s.player, err)
				return
			}
			token, err := issuer.Player(operatorID, s.player, wallet, tokenLife)
			if err != nil {
				failures[i] = fmt.Errorf("issue token of %s: %w", s.player, err)
				return
			}
			c.file.Players[i] = clusterfile.Player{Player: s.player, Wallet: wallet, Token: token}
		})
	}
	work.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if err := c.openStudio(ctx); err != nil {
		return err
	}
	c.findGames(ctx)
	return nil
}

// openStudio lets the studio of the program's games sign with the key of this
// folder. A restart finds the key added.
func (c *cluster) openStudio(ctx context.Context) error {
	private, err := dsse.ReadPrivate(c.l.studioKey())
	if err != nil {
		return err
	}
	public, _ := private.Public().(ed25519.PublicKey)
	_, err = c.client.Studio(c.file.OperatorToken).AddKey(ctx, &edgereelv1.AddStudioKeyRequest{
		Studio: studioID, PublicKey: public, Person: "dev", Reason: "key of this folder",
	})
	// A revoked key is somebody's experiment, not a reason not to start.
	if code := client.CodeOf(err); err != nil && code != codeKeyExists && code != codeKeyRevoked {
		return fmt.Errorf("add the studio's key: %w", err)
	}
	c.file.Studio, c.file.StudioKey = studioID, c.l.studioKey()
	return c.awaitReleases(ctx)
}

// awaitReleases waits until the registry has recorded the games of the program,
// which its first leader does, and every node has heard of it.
func (c *cluster) awaitReleases(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.lookForReleases(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

func (c *cluster) lookForReleases(ctx context.Context) error {
	found, err := c.client.Studio(c.file.OperatorToken).Releases(ctx, "")
	if err != nil {
		return err
	}
	if len(found.GetReleases()) == 0 {
		return errors.New("the registry knows no games")
	}
	for _, s := range sites {
		node, err := c.client.Node(s.node, c.file.OperatorToken)
		if err != nil {
			return err
		}
		status, err := node.Status(ctx)
		if err != nil {
			return err
		}
		if at := status.GetRegistry().GetRegistrySeq(); at < found.GetRegistrySeq() {
			return fmt.Errorf("%s has heard of %d of %d steps of the registry", s.node, at, found.GetRegistrySeq())
		}
	}
	return nil
}

func (c *cluster) openClient(ctx context.Context) error {
	var nodes []client.Node
	for i, s := range sites {
		nodes = append(nodes, client.Node{Name: s.node, Region: s.region, Address: c.l.public(i)})
	}
	roots, err := (&clusterfile.File{CA: c.l.caFile(), Path: c.l.clusterFile()}).Roots()
	if err != nil {
		return err
	}
	c.client, err = client.New(ctx, client.Config{Nodes: nodes, CA: roots})
	if err != nil {
		return fmt.Errorf("reach the nodes: %w", err)
	}
	return nil
}

func fundOne(ctx context.Context, operator *client.Operator, s site) (wallet string, err error) {
	opened, err := operator.OpenWallet(ctx, &edgereelv1.OpenWalletRequest{
		Player: s.player, Currency: currency, HomeRegion: s.region,
	})
	if err != nil {
		return "", err
	}
	wallet = opened.GetWallet().GetWallet()
	_, err = operator.Deposit(ctx, &edgereelv1.DepositRequest{
		Wallet: wallet, TransactionId: "dev-funding-" + s.player,
		AmountMinor: fundingMinor, Currency: currency, Reason: "demo funds",
	})
	if err != nil && client.CodeOf(err) != codeKeyExpired {
		return "", err
	}
	return wallet, nil
}

// findGames learns what to suggest; without an answer the guide leaves it open.
func (c *cluster) findGames(ctx context.Context) {
	first := c.file.Players[0]
	list, err := c.client.Player(first.Token, first.Wallet).ListGames(ctx)
	if err != nil {
		return
	}
	for _, g := range list.GetGames() {
		if g.GetEnabled() {
			c.games = append(c.games, g.GetId())
		}
	}
}
