// Five reels of three rows with plain paying lines, shared by the published
// games. Pays are in line bets. A strip's row of the table holds its first two
// symbols again behind its end, so that a window is read without wrapping.

import { drawMany } from "../../../sdk/assemblyscript/assembly/edgereel";

const REELS: i32 = 5;
const STRIDE: usize = 40; // bytes of a strip in its table
const NONE: i32 = 255;

const VALUES: usize = memory.data(20, 16);
const WINDOWS: usize = memory.data(20, 16); // address of each reel's window

/** Draws a stop per reel; stops holds the reels' lengths. */
export function spin(stops: usize, strips: usize): void {
  drawMany(stops, VALUES, REELS);
  for (let r: usize = 0; r < 5; r++) {
    store<usize>(WINDOWS + (r << 2), strips + r * STRIDE + load<u32>(VALUES + (r << 2)));
  }
}

/** Counts a symbol on the screen. */
export function count(symbol: i32): i32 {
  let n = 0;
  for (let r: usize = 0; r < 5; r++) {
    const w = load<usize>(WINDOWS + (r << 2));
    n += i32(<i32>load<u8>(w) == symbol) + i32(<i32>load<u8>(w, 1) == symbol) + i32(<i32>load<u8>(w, 2) == symbol);
  }
  return n;
}

/** Pays lines without wilds. */
export function payPlain(lines: i32, rows: usize, pays: usize): i64 {
  const w0 = load<usize>(WINDOWS);
  const w1 = load<usize>(WINDOWS, 4);
  const w2 = load<usize>(WINDOWS, 8);
  const w3 = load<usize>(WINDOWS, 12);
  const w4 = load<usize>(WINDOWS, 16);
  let total: i64 = 0;
  const end = rows + <usize>(lines * REELS);
  for (let path = rows; path < end; path += REELS) {
    const symbol = load<u8>(w0 + load<u8>(path));
    if (load<u8>(w1 + load<u8>(path, 1)) != symbol) continue;
    let run: usize = 2;
    if (load<u8>(w2 + load<u8>(path, 2)) == symbol) {
      run = 3;
      if (load<u8>(w3 + load<u8>(path, 3)) == symbol) {
        run = load<u8>(w4 + load<u8>(path, 4)) == symbol ? 5 : 4;
      }
    }
    total += load<u32>(pays + ((<usize>symbol * 6 + run) << 2));
  }
  return total;
}

/**
 * Pays lines with wilds: the better of the run of wilds alone, paid as wild,
 * and the run of the first other symbol with wilds in its place. The scatter
 * ends a run, unless it is also wild.
 */
export function payWild(lines: i32, rows: usize, pays: usize, wild: i32, scatter: i32, also: i32): i64 {
  let total: i64 = 0;
  for (let l = 0; l < lines; l++) {
    const path = rows + <usize>(l * REELS);
    let symbol = NONE;
    let wilds = 0;
    let run = 0;
    for (; run < REELS; run++) {
      const x = <i32>load<u8>(load<usize>(WINDOWS + (<usize>run << 2)) + load<u8>(path + run));
      if (x == wild || x == also) {
        if (symbol == NONE) wilds++;
      } else if (symbol == NONE && x != scatter) {
        symbol = x;
      } else if (x != symbol) {
        break;
      }
    }
    const own = load<u32>(pays + (<usize>(wild * 6 + wilds) << 2));
    const other = symbol == NONE ? 0 : load<u32>(pays + (<usize>(symbol * 6 + run) << 2));
    total += max(own, other);
  }
  return total;
}
