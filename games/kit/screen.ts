// A screen of five reels, shown as JSON, on the guest kit. Games say how many
// rows there are; a cell is one byte, reel by reel from the top.

import { ascii, byte, decimal, drawMany, name } from "../../sdk/assemblyscript/assembly/edgereel";

export const REELS: i32 = 5;
const STRIDE: usize = 32; // bytes of a strip in its table

/** The cells, ROWS of them a reel. */
export const SCREEN: usize = memory.data(64, 16);
/** The stop of each reel, u32. */
export const VALUES: usize = memory.data(20, 16);

/** Draws a stop per reel and shows so many rows of the strips. */
export function spin(rows: i32, stops: usize, strips: usize): void {
  drawMany(stops, VALUES, REELS);
  for (let r = 0; r < REELS; r++) {
    const from = strips + <usize>r * STRIDE + load<u32>(VALUES + (<usize>r << 2));
    for (let row = 0; row < rows; row++) store<u8>(SCREEN + <usize>(r * rows + row), load<u8>(from + row));
  }
}

/** Writes "grid" without a comma before or after it. */
export function grid(p: usize, reels: i32, rows: i32, names: usize): usize {
  p = ascii(p, '"grid":[');
  for (let r = 0; r < reels; r++) {
    if (r > 0) p = byte(p, 0x2c);
    p = byte(p, 0x5b);
    for (let row = 0; row < rows; row++) {
      if (row > 0) p = byte(p, 0x2c);
      p = quoted(p, names, load<u8>(SCREEN + <usize>(r * rows + row)));
    }
    p = byte(p, 0x5d);
  }
  return byte(p, 0x5d);
}

/** Writes a symbol's name as a JSON string. */
export function quoted(p: usize, names: usize, symbol: u32): usize {
  return byte(name(byte(p, 0x22), names + <usize>symbol * 24), 0x22);
}

/** Writes an amount as a string of minor units under a key given with its quotes and colon. */
export function amount(p: usize, key: string, minor: i64): usize {
  return byte(decimal(byte(ascii(p, key), 0x22), <u64>minor), 0x22);
}
