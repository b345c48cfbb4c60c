package gate

import (
	"math"
	"math/big"
	"strconv"

	"github.com/edgereel/edgereel/gamelogic/table"
)

// maxTablePrizes bounds the prizes a sheet lists one by one.
const maxTablePrizes = 4096

// TablePAR is the sheet that follows from a table's weights: what a studio whose
// content came as tables declares about it.
func TablePAR(g *table.Game) (*PAR, error) {
	m := g.Manifest()
	p := &PAR{
		Version: PARVersion, ID: m.ID, Release: m.Release, Name: m.Name, Family: m.Family, Variant: m.Variant,
		Method: "sums over the weights of the published table (" + g.Source() + ")", StakeMultipleMinor: m.StakeMultipleMinor,
	}
	for _, x := range m.Modes {
		sum, err := g.Exact(x.Name)
		if err != nil {
			return nil, err
		}
		top := sum.Prizes[len(sum.Prizes)-1]
		f := PARMode{
			ID: x.ID, Name: x.Name, CostX100: x.CostX100, RTP: x.RTP, RTPFraction: sum.RTP.String(),
			HitFrequency: x.HitFrequency, HitFraction: sum.HitFrequency.String(),
			SD: strconv.FormatFloat(math.Sqrt(float(sum.Variance)), 'f', 9, 64), MaxWinX: x.MaxWinX, TopWinX: stakes(top.PayoutX100),
			TopWinOneIn: new(big.Rat).SetFrac(new(big.Int).SetUint64(sum.TotalWeight), new(big.Int).SetUint64(top.Weight)).FloatString(3),
		}
		if len(sum.Prizes) <= maxTablePrizes {
			f.DistributionTotal = strconv.FormatUint(sum.TotalWeight, 10)
			for _, prize := range sum.Prizes {
				f.Distribution = append(f.Distribution, PARPrize{WinX: stakes(prize.PayoutX100), Weight: strconv.FormatUint(prize.Weight, 10)})
			}
		}
		p.Modes = append(p.Modes, f)
	}
	return p, nil
}

// stakes writes hundredths of the stake as a decimal.
func stakes(payoutX100 uint64) string {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(payoutX100), big.NewInt(100)).FloatString(2)
}
