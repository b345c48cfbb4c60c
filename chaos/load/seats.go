package load

import (
	"context"
	"fmt"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
)

// OpenConfig says what new players get.
type OpenConfig struct {
	Currency    string
	HomeRegions []string
	AmountMinor int64
	TTLSeconds  int64
}

// OpenSeats opens and funds wallets for players load-1 to load-count, spread
// over the regions. The wallets of an earlier load are used again.
func OpenSeats(ctx context.Context, c *client.Client, operatorToken string, count int, cfg OpenConfig) ([]Seat, error) {
	operator := c.Operator(operatorToken)
	var seats []Seat
	for i := range count {
		seat := Seat{Player: fmt.Sprintf("load-%d", i+1)}
		opened, err := operator.OpenWallet(ctx, &edgereelv1.OpenWalletRequest{
			Player: seat.Player, Currency: cfg.Currency, HomeRegion: cfg.HomeRegions[i%len(cfg.HomeRegions)],
		})
		if err != nil {
			return nil, fmt.Errorf("open a wallet for %s: %w", seat.Player, err)
		}
		seat.Wallet = opened.GetWallet().GetWallet()
		key, err := c.NewKey()
		if err != nil {
			return nil, err
		}
		if err := Deposit(ctx, operator, seat.Wallet, key, cfg.Currency, cfg.AmountMinor); err != nil {
			return nil, fmt.Errorf("fund the wallet of %s: %w", seat.Player, err)
		}
		issued, err := operator.IssuePlayerToken(ctx, &edgereelv1.IssuePlayerTokenRequest{
			Player: seat.Player, Wallet: seat.Wallet, TtlSeconds: cfg.TTLSeconds,
		})
		if err != nil {
			return nil, fmt.Errorf("issue a token for %s: %w", seat.Player, err)
		}
		seat.Token = issued.GetToken()
		seats = append(seats, seat)
	}
	return seats, nil
}

// Deposit pays into a wallet under a key.
func Deposit(ctx context.Context, operator *client.Operator, wallet, key, currency string, amountMinor int64) error {
	_, err := operator.Deposit(ctx, &edgereelv1.DepositRequest{
		Wallet: wallet, TransactionId: key, AmountMinor: amountMinor, Currency: currency, Reason: "load",
	})
	return err
}
