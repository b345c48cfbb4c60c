// Lantern Ways: five reels, three rows, 243 ways. A beacon stands for any
// symbol but the moth; in mode ante a beacon turns the middle reel into beacons
// altogether. One step is a round. VARIANT, a constant of the build, picks the
// strips.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, ascii, byte, closeRound, decimal, headerOk, manifest, mode, stakeMinor, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";
import { REELS, SCREEN, amount, grid, quoted, spin } from "../../kit/screen";
import { EXPAND, MANIFEST, NAMES, PAYS, SCATTER, SCATTER_PAYS_X, STOPS, STRIPS, SYMBOLS, UNITS, WILD } from "./maths";

export { edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const SPIN: u32 = 1;
const ANTE: u32 = 1; // mode
const ROWS: i32 = 3;

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  const stake = stakeMinor();
  if (!headerOk(length) || mode() > ANTE || stake <= 0 || stake % UNITS != 0) return BAD_INPUT;
  if (action() != SPIN) return UNKNOWN_ACTION;
  if (stateLength() != 0) return BAD_STATE;
  const unit = stake / UNITS;
  spin(ROWS, STOPS, STRIPS);
  let p = byte(grid(ascii(stateOut(), '{"v":1,'), REELS, ROWS, NAMES), 0x2c); // as it fell, before a reel expands
  const expanded = mode() == ANTE && expand();
  p = ascii(p, expanded ? '"feature":"expanded","wins":[' : '"wins":[');
  let win: i64 = 0;
  let won = 0;
  let scatters: i32 = 0;
  for (let i: usize = 0; i < 15; i++) scatters += i32(load<u8>(SCREEN + i) == <u8>SCATTER);
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    if (symbol == WILD || symbol == SCATTER) continue;
    let ways: u32 = 1;
    let run = 0;
    for (; run < REELS; run++) {
      const n = count(run, symbol);
      if (n == 0) break;
      ways *= n;
    }
    const pay = load<u32>(PAYS + (<usize>(symbol * 6 + run) << 2));
    if (pay == 0) continue;
    const w = <i64>(pay * ways) * unit;
    win += w;
    if (won++ > 0) p = byte(p, 0x2c);
    p = quoted(ascii(p, '{"symbol":'), NAMES, symbol);
    p = decimal(ascii(p, ',"count":'), run);
    p = decimal(ascii(p, ',"ways":'), ways);
    p = byte(amount(p, ',"win":', w), 0x7d);
  }
  const scatterWin = <i64>load<u32>(SCATTER_PAYS_X + (<usize>scatters << 2)) * stake;
  win += scatterWin;
  p = decimal(ascii(p, '],"scatters":'), scatters);
  p = amount(p, ',"scatter_win":', scatterWin);
  p = byte(amount(p, ',"win":', win), 0x7d);
  return closeRound(win, p);
}

// expand tells whether the middle reel turns wild. A scatter on it counts all
// the same.
function expand(): bool {
  const reel = SCREEN + <usize>(EXPAND * ROWS);
  let wild = false;
  for (let row: usize = 0; row < 3; row++) wild = wild || load<u8>(reel + row) == <u8>WILD;
  return wild;
}

function count(reel: i32, symbol: i32): u32 {
  let n: u32 = 0;
  let wild = false;
  const from = SCREEN + <usize>(reel * ROWS);
  for (let row: usize = 0; row < 3; row++) {
    const x = <i32>load<u8>(from + row);
    wild = wild || x == WILD;
    n += u32(x == symbol || x == WILD);
  }
  return wild && reel == EXPAND && mode() == ANTE ? 3 : n;
}
