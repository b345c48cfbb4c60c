package wallet_test

import (
	"strconv"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

// BenchmarkShard_Apply settles spins of 256 wallets in entries of 1 and of 256
// operations; the figure is for one operation.
func BenchmarkShard_Apply(b *testing.B) {
	for _, size := range []int{1, 256} {
		b.Run("play/batch="+strconv.Itoa(size), func(b *testing.B) {
			w := newWorld(b)
			steps := make([]uint64, 256)
			for n := range steps {
				id := w.open(byte(n), 1<<40)
				w.session(id, "k", "lines")
			}
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += size {
				b.StopTimer()
				ops := make([]wallet.Op, size)
				for i := range ops {
					n := (done + i) % len(steps)
					steps[n]++
					number := (steps[n]-1)/9000 + 1
					if (steps[n]-1)%9000 == 0 && number > 1 {
						w.must(closing(walletID(byte(n)), number-1))
						w.session(walletID(byte(n)), "k"+strconv.FormatUint(number, 10), "lines")
					}
					ops[i] = w.play(spin(walletID(byte(n)), number, (steps[n]-1)%9000+1, 10), outcome{win: 10})
				}
				data := w.entry(ops...).Encode()
				b.StartTimer()
				if _, err := w.s.Apply(data); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				w.seq, w.chain = w.s.Head().Seq, w.s.Head().Hash
				b.StartTimer()
			}
		})
	}
	b.Run("canary choice", func(b *testing.B) {
		b.ReportAllocs()
		in := 0
		for i := range b.N {
			if wallet.InCanary(wallet.ID{byte(i)}, "lines", canaryDigest, 500) {
				in++
			}
		}
	})
	b.Run("tally", func(b *testing.B) {
		s := releasedWorld(b).s
		b.ReportAllocs()
		for i := range int64(b.N) {
			s.CountRound(gameDigest, "base", i&1023, 100)
		}
	})
	b.Run("deposit/batch=256", func(b *testing.B) {
		w := newWorld(b)
		id := w.open(1, 1)
		b.ReportAllocs()
		for done := 0; done < b.N; done += 256 {
			b.StopTimer()
			ops := make([]wallet.Op, 256)
			for i := range ops {
				ops[i] = deposit(id, strconv.Itoa(done+i), 1)
			}
			data := w.entry(ops...).Encode()
			b.StartTimer()
			if _, err := w.s.Apply(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkShard_Snapshot(b *testing.B) {
	w := newWorld(b)
	for n := range 256 {
		id := w.open(byte(n), 1000)
		ses := w.session(id, "k", "lines")
		for step := uint64(1); step <= 4; step++ {
			w.must(w.play(spin(id, ses, step, 10), outcome{}))
		}
	}
	b.ReportAllocs()
	b.ReportMetric(float64(len(w.s.Snapshot()))/256, "B/wallet")
	for b.Loop() {
		w.s.Snapshot()
	}
}
