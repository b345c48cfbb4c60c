// A 5x3 screen with paying lines, wilds on reels 2 to 5 and scatters. Pays are
// in line bets; the screen is 15 bytes, reel by reel from the top.

import { ascii, byte, decimal, drawMany, name } from "./edgereel";

const REELS: i32 = 5;
const ROWS: i32 = 3;
const STRIDE: usize = 32; // bytes of a strip in its table

const VALUES: usize = memory.data(20, 16);
const SCREEN: usize = memory.data(16, 16);
const WINS: usize = memory.data(1024, 16); // per paying line: line, symbol, count, pay (u32 each)

/** Draws a stop per reel and shows the windows of the strips. */
export function spin(stops: usize, strips: usize): void {
  drawMany(stops, VALUES, REELS);
  for (let r = 0; r < REELS; r++) show(r, strips, load<u32>(VALUES + (<usize>r << 2)));
}

/** Draws a stop per reel among listed ones. */
export function spinAmong(bounds: usize, windows: usize, strips: usize): void {
  drawMany(bounds, VALUES, REELS);
  for (let r = 0; r < REELS; r++) {
    const pick = load<u32>(VALUES + (<usize>r << 2));
    show(r, strips, load<u8>(windows + <usize>r * STRIDE + pick));
  }
}

// @ts-ignore: decorator
@inline function show(reel: i32, strips: usize, stop: u32): void {
  const from = strips + <usize>reel * STRIDE + stop;
  const to = SCREEN + <usize>(reel * ROWS);
  store<u16>(to, load<u16>(from));
  store<u8>(to, load<u8>(from, 2), 2);
}

/** Counts a symbol on the screen. */
export function count(symbol: i32): i32 {
  let n = 0;
  for (let i: usize = 0; i < 15; i++) n += i32(load<u8>(SCREEN + i) == <u8>symbol);
  return n;
}

/**
 * Pays the lines in line bets and notes the winning ones. The first reel has no
 * wild, so its symbol is the line's; wild -1 means that there is none.
 */
export function pay(lines: i32, rows: usize, pays: usize, wild: i32): i64 {
  let total: i64 = 0;
  let won: u32 = 0;
  for (let l = 0; l < lines; l++) {
    const path = rows + <usize>(l * REELS);
    const symbol = <i32>load<u8>(SCREEN + load<u8>(path));
    let run = 1;
    while (run < REELS) {
      const x = <i32>load<u8>(SCREEN + <usize>(run * ROWS) + load<u8>(path + run));
      if (x != symbol && x != wild) break;
      run++;
    }
    const bets = load<u32>(pays + <usize>((symbol * 6 + run) << 2));
    if (bets == 0) continue;
    const at = WINS + 16 + (<usize>won << 4);
    store<u32>(at, l + 1);
    store<u32>(at, symbol, 4);
    store<u32>(at, run, 8);
    store<u32>(at, bets, 12);
    won++;
    total += bets;
  }
  store<u32>(WINS, won);
  return total;
}

/** Writes "v", "grid" and "lines" of a presentation; betMinor is what a line bet of pay is worth. */
export function present(p: usize, names: usize, betMinor: i64): usize {
  p = ascii(p, '{"v":1,"grid":[');
  for (let r = 0; r < REELS; r++) {
    p = byte(p, r == 0 ? 0x5b : 0x2c);
    if (r > 0) p = byte(p, 0x5b);
    for (let row = 0; row < ROWS; row++) {
      if (row > 0) p = byte(p, 0x2c);
      p = quoted(p, names, load<u8>(SCREEN + <usize>(r * ROWS + row)));
    }
    p = byte(p, 0x5d);
  }
  p = ascii(p, '],"lines":[');
  const won = load<u32>(WINS);
  for (let i: u32 = 0; i < won; i++) {
    const at = WINS + 16 + (<usize>i << 4);
    if (i > 0) p = byte(p, 0x2c);
    p = decimal(ascii(p, '{"line":'), load<u32>(at));
    p = quoted(ascii(p, ',"symbol":'), names, load<u32>(at, 4));
    p = decimal(ascii(p, ',"count":'), load<u32>(at, 8));
    p = decimal(ascii(p, ',"win":"'), <u64>(<i64>load<u32>(at, 12) * betMinor));
    p = ascii(p, '"}');
  }
  return byte(p, 0x5d);
}

// @ts-ignore: decorator
@inline function quoted(p: usize, names: usize, symbol: u32): usize {
  return byte(name(byte(p, 0x22), names + <usize>symbol * 24), 0x22);
}

/** Writes an amount as a string of minor units under a key given with its quotes and colon. */
export function amount(p: usize, key: string, minor: i64): usize {
  return byte(decimal(byte(ascii(p, key), 0x22), <u64>minor), 0x22);
}
