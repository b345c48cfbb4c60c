// Quarry Falls: five reels, four rows, symbols that pay anywhere. What paid is
// removed, the rest falls, the strips fill the gaps, and every tumble pays more
// than the one before. One step is a round: the stops decide all its tumbles.

import { BAD_INPUT, BAD_STATE, INTERNAL, UNKNOWN_ACTION, action, ascii, byte, closeRound, decimal, headerOk, manifest, mode, stakeMinor, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";
import { REELS, SCREEN, VALUES, amount, grid, quoted, spin } from "../../kit/screen";
import { BANDS, COUNTS, LADDERS, MANIFEST, MODES, NAMES, PAYS, STOPS, STRIPS, SYMBOLS, TUMBLES, UNITS } from "./maths";

export { edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const SPIN: u32 = 1;
const ROWS: i32 = 4;
const CELLS: usize = 20;

const ABOVE: usize = memory.data(20, 16); // per reel: stop over the top cell, u32
const COUNT: usize = memory.data(64, 16); // per symbol, u8
const WINS: usize = memory.data(4096, 16); // tumble, symbol, count, pay in units (u32 each)

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  const stake = stakeMinor();
  if (!headerOk(length) || mode() >= MODES || stake <= 0 || stake % UNITS != 0) return BAD_INPUT;
  if (action() != SPIN) return UNKNOWN_ACTION;
  if (stateLength() != 0) return BAD_STATE;
  const unit = stake / UNITS;
  const ladder = LADDERS + <usize>mode() * <usize>(TUMBLES << 2);
  spin(ROWS, STOPS, STRIPS);
  for (let r: usize = 0; r < <usize>REELS; r++) {
    const stop = load<u32>(VALUES + (r << 2));
    store<u32>(ABOVE + (r << 2), (stop == 0 ? load<u32>(STOPS + (r << 2)) : stop) - 1);
  }
  let p = grid(ascii(stateOut(), '{"v":1,'), REELS, ROWS, NAMES);
  p = ascii(p, ',"falls":[');
  let units: i64 = 0;
  let won: u32 = 0;
  let tumble = 0;
  while (true) {
    const before = won;
    const paying = pay(tumble, load<u32>(ladder + (<usize>tumble << 2)), won);
    won += popcnt<u32>(paying);
    if (paying == 0) break;
    for (let i = before; i < won; i++) units += load<u32>(WINS + (<usize>i << 4), 12);
    // The designs have no screen that tumbles on and on; the walk proves it.
    if (++tumble == TUMBLES) return INTERNAL;
    fall(paying);
    if (tumble > 1) p = byte(p, 0x2c);
    p = byte(grid(byte(p, 0x7b), REELS, ROWS, NAMES), 0x7d);
  }
  p = ascii(p, tumble > 1 ? '],"feature":"cascade","wins":[' : '],"wins":[');
  for (let i: u32 = 0; i < won; i++) {
    const at = WINS + (<usize>i << 4);
    if (i > 0) p = byte(p, 0x2c);
    p = decimal(ascii(p, '{"tumble":'), load<u32>(at) + 1);
    p = quoted(ascii(p, ',"symbol":'), NAMES, load<u32>(at, 4));
    p = decimal(ascii(p, ',"count":'), load<u32>(at, 8));
    p = decimal(ascii(p, ',"multiplier":'), load<u32>(ladder + (<usize>load<u32>(at) << 2)));
    p = byte(amount(p, ',"win":', <i64>load<u32>(at, 12) * unit), 0x7d);
  }
  p = decimal(ascii(p, '],"tumbles":'), tumble);
  const win = units * unit;
  return closeRound(win, byte(amount(p, ',"win":', win), 0x7d));
}

// pay notes what pays on the screen as wins from the index on and returns which
// symbols do.
function pay(tumble: u32, multiplier: u32, index: u32): u32 {
  for (let x: usize = 0; x < <usize>SYMBOLS; x++) store<u8>(COUNT + x, 0);
  for (let i: usize = 0; i < CELLS; i++) {
    const at = COUNT + load<u8>(SCREEN + i);
    store<u8>(at, load<u8>(at) + 1);
  }
  let paying: u32 = 0;
  for (let x = 0; x < SYMBOLS; x++) {
    const n = <u32>load<u8>(COUNT + x);
    let band = BANDS;
    while (band > 0 && n < load<u32>(COUNTS + (<usize>(band - 1) << 2))) band--;
    if (band == 0) continue;
    paying |= 1 << x;
    const at = WINS + (<usize>index << 4);
    index++;
    store<u32>(at, tumble);
    store<u32>(at, x, 4);
    store<u32>(at, n, 8);
    store<u32>(at, load<u32>(PAYS + (<usize>(x * BANDS + band - 1) << 2)) * multiplier, 12);
  }
  return paying;
}

// fall removes the paying symbols; every strip moves on to fill its gaps.
function fall(paying: u32): void {
  for (let r: usize = 0; r < <usize>REELS; r++) {
    const reel = SCREEN + r * <usize>ROWS;
    let to = ROWS - 1;
    for (let row = ROWS - 1; row >= 0; row--) {
      const x = load<u8>(reel + row);
      if ((paying >> x & 1) != 0) continue;
      store<u8>(reel + to, x);
      to--;
    }
    let above = load<u32>(ABOVE + (r << 2));
    for (; to >= 0; to--) {
      store<u8>(reel + to, load<u8>(STRIPS + (r << 5) + above));
      above = (above == 0 ? load<u32>(STOPS + (r << 2)) : above) - 1;
    }
    store<u32>(ABOVE + (r << 2), above);
  }
}
