// The Columbus type: five reels, ten lines, wilds, and free spins on strips of
// their own, where the scatter is wild too and adds further spins.
// Strips, lines and pays: github.com/slotopol/server at f9550406 (MIT),
// game/slot/novomatic/columbus. Published return 95.022795 %.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, closeRound, headerOk, keepOpen, manifest, mode, stakeMinor, stateIn, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";
import { count, payWild, spin } from "./reels";

export { edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const MANIFEST: string = '{"manifest":1,"id":"published-ten-lines","version":"1.0.0","name":"Published Ten Lines","max_draws":5,"max_state":4,"stake_multiple_minor":10,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.9502279473","hit_frequency":"0.37276786","max_win_x":1000000}],"actions":[{"id":1,"name":"spin"}]}';

const LINES: i32 = 10;
const WILD: i32 = 1;
const SCATTER: i32 = 10;
const SPIN: u32 = 1;
const AWARD: i32 = 10; // free spins for three scatters
// Free spins that can be outstanding at once. The published figure knows no
// limit; this one moves it by less than 1e-10.
const MOST: i32 = 100;
// Round state: version u16, free spins left u16.
const STATE: u32 = 4;
const VERSION: u16 = 1;
// row of each line on each reel
const ROWS: usize = memory.data<u8>([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 0, 1, 2, 1, 0, 2, 1, 0, 1, 2, 1, 2, 2, 2, 1, 1, 0, 0, 0, 1, 2, 2, 1, 0, 0, 0, 0, 1, 2, 2, 2, 1, 1, 1, 0]);
// per symbol: pay of a run of 0 to 5, in line bets
const PAYS: usize = memory.data<u32>([0, 0, 0, 0, 0, 0, 0, 0, 10, 100, 1000, 5000, 0, 0, 5, 50, 200, 1000, 0, 0, 5, 25, 100, 500, 0, 0, 5, 15, 75, 250, 0, 0, 0, 10, 40, 150, 0, 0, 0, 10, 40, 150, 0, 0, 0, 10, 40, 150, 0, 0, 0, 5, 20, 100, 0, 0, 0, 5, 20, 100, 0, 0, 0, 0, 0, 0]);
// lengths of the reels: the bounds of a spin
const BASE_STOPS: usize = memory.data<u32>([32, 28, 32, 28, 32]);
// symbols, 40 bytes per reel
const BASE_STRIPS: usize = memory.data<u8>([1, 5, 7, 9, 8, 2, 10, 6, 4, 10, 6, 3, 4, 8, 9, 10, 7, 8, 9, 7, 8, 9, 3, 8, 9, 7, 5, 9, 7, 2, 5, 9, 1, 5, 0, 0, 0, 0, 0, 0, 1, 7, 6, 3, 7, 4, 6, 9, 3, 8, 5, 6, 2, 9, 6, 8, 5, 2, 8, 5, 8, 6, 9, 8, 4, 5, 8, 6, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 8, 4, 7, 5, 9, 6, 7, 9, 5, 6, 8, 7, 5, 3, 9, 6, 8, 7, 6, 9, 7, 5, 8, 4, 10, 7, 9, 2, 10, 9, 1, 6, 0, 0, 0, 0, 0, 0, 1, 6, 4, 8, 1, 7, 9, 4, 6, 8, 9, 3, 5, 2, 6, 3, 9, 5, 7, 1, 8, 9, 2, 5, 7, 4, 5, 8, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 6, 8, 9, 6, 10, 5, 6, 4, 1, 8, 7, 1, 8, 9, 3, 7, 2, 6, 8, 9, 4, 7, 9, 3, 7, 5, 3, 9, 4, 7, 5, 10, 6, 0, 0, 0, 0, 0, 0]);
// lengths of the reels: the bounds of a spin
const FREE_STOPS: usize = memory.data<u32>([25, 25, 24, 25, 24]);
// symbols, 40 bytes per reel
const FREE_STRIPS: usize = memory.data<u8>([5, 1, 9, 8, 2, 10, 6, 5, 10, 8, 3, 4, 8, 5, 10, 7, 8, 5, 9, 8, 5, 3, 6, 5, 8, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 9, 3, 7, 4, 6, 9, 7, 8, 9, 7, 8, 9, 7, 8, 5, 2, 8, 5, 4, 9, 6, 7, 9, 1, 7, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 8, 4, 7, 5, 9, 6, 2, 9, 5, 6, 8, 10, 6, 3, 9, 6, 8, 7, 5, 10, 6, 8, 1, 6, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 9, 1, 6, 7, 9, 4, 2, 8, 9, 3, 8, 7, 3, 4, 9, 5, 4, 6, 3, 5, 8, 3, 9, 1, 6, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 4, 9, 6, 10, 9, 6, 4, 9, 8, 7, 1, 8, 9, 3, 7, 2, 9, 3, 8, 10, 4, 5, 2, 7, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  const stake = stakeMinor();
  if (!headerOk(length) || mode() != 0 || stake <= 0 || stake % LINES != 0) return BAD_INPUT;
  if (action() != SPIN) return UNKNOWN_ACTION;
  const opening = stateLength() == 0;
  let left = 0;
  if (!opening) {
    left = <i32>load<u16>(stateIn(), 2);
    if (stateLength() != STATE || load<u16>(stateIn()) != VERSION || left < 1 || left > MOST) return BAD_STATE;
    left--;
  }
  if (opening) spin(BASE_STOPS, BASE_STRIPS);
  else spin(FREE_STOPS, FREE_STRIPS);
  const win = payWild(LINES, ROWS, PAYS, WILD, SCATTER, opening ? WILD : SCATTER) * (stake / LINES);
  const scatters = count(SCATTER);
  if (scatters >= 3) left = min(left + AWARD, MOST);
  if (left == 0) return closeRound(win, stateOut());
  store<u16>(stateOut(), VERSION);
  store<u16>(stateOut(), <u16>left, 2);
  return keepOpen(win, 1 << SPIN, STATE, stateOut() + STATE);
}
