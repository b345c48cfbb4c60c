// The Atkins type: five reels, twenty lines, wilds, a scatter that pays, and
// free spins at three times the pays on the same strips, with further spins.
// Strips, lines and pays: Michael Shackleford, wizardofodds.com (2008); rules
// as in github.com/ishmulyan/slotssvc. Return by full cycle 97.04576902 %.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, closeRound, headerOk, keepOpen, manifest, mode, stakeMinor, stateIn, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";
import { count, payWild, spin } from "./reels";

export { edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const MANIFEST: string = '{"manifest":1,"id":"published-twenty-lines","version":"1.0.0","name":"Published Twenty Lines","max_draws":5,"max_state":4,"stake_multiple_minor":20,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.9704576902","hit_frequency":"0.46306458","max_win_x":1000000}],"actions":[{"id":1,"name":"spin"}]}';

const LINES: i32 = 20;
const WILD: i32 = 1;
const SCATTER: i32 = 11;
const MULTIPLIER: i64 = 3; // of free spins, scatter pays too
const SPIN: u32 = 1;
const AWARD: i32 = 10; // free spins for three scatters
// Free spins that can be outstanding at once. The published figure knows no
// limit; this one moves it by less than 1e-10.
const MOST: i32 = 80;
// Round state: version u16, free spins left u16.
const STATE: u32 = 4;
const VERSION: u16 = 1;
// row of each line on each reel
const ROWS: usize = memory.data<u8>([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 0, 1, 2, 1, 0, 2, 1, 0, 1, 2, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 0, 0, 1, 2, 2, 2, 2, 1, 0, 0, 1, 0, 1, 2, 1, 1, 2, 1, 0, 1, 0, 1, 1, 1, 0, 2, 1, 1, 1, 2, 0, 1, 0, 1, 0, 2, 1, 2, 1, 2, 1, 1, 0, 1, 1, 1, 1, 2, 1, 1, 0, 0, 2, 0, 0, 2, 2, 0, 2, 2, 0, 2, 2, 2, 0]);
// per symbol: pay of a run of 0 to 5, in line bets
const PAYS: usize = memory.data<u32>([0, 0, 0, 0, 0, 0, 0, 0, 5, 50, 500, 5000, 0, 0, 3, 40, 200, 1000, 0, 0, 2, 30, 150, 500, 0, 0, 2, 25, 100, 300, 0, 0, 0, 20, 75, 200, 0, 0, 0, 20, 75, 200, 0, 0, 0, 15, 50, 100, 0, 0, 0, 15, 50, 100, 0, 0, 0, 10, 25, 50, 0, 0, 0, 10, 25, 50, 0, 0, 0, 0, 0, 0]);
// lengths of the reels: the bounds of a spin
const BASE_STOPS: usize = memory.data<u32>([32, 32, 32, 32, 32]);
// symbols, 40 bytes per reel
const BASE_STRIPS: usize = memory.data<u8>([11, 10, 3, 5, 9, 6, 8, 10, 5, 7, 4, 9, 6, 10, 2, 4, 7, 8, 6, 1, 9, 10, 3, 8, 6, 11, 7, 9, 5, 4, 2, 7, 11, 10, 0, 0, 0, 0, 0, 0, 10, 4, 2, 5, 8, 10, 3, 7, 9, 2, 5, 10, 3, 1, 7, 6, 8, 9, 5, 4, 11, 10, 7, 8, 9, 6, 4, 10, 2, 3, 8, 9, 10, 4, 0, 0, 0, 0, 0, 0, 3, 7, 6, 11, 8, 10, 7, 3, 5, 9, 2, 4, 7, 10, 8, 5, 6, 9, 10, 4, 3, 5, 9, 8, 6, 1, 4, 9, 7, 8, 10, 2, 3, 7, 0, 0, 0, 0, 0, 0, 3, 8, 1, 11, 7, 9, 8, 5, 2, 6, 9, 10, 5, 8, 7, 3, 10, 9, 4, 5, 8, 6, 7, 4, 9, 10, 6, 3, 5, 2, 10, 9, 3, 8, 0, 0, 0, 0, 0, 0, 9, 11, 2, 3, 8, 5, 7, 9, 4, 8, 5, 3, 7, 2, 10, 6, 5, 3, 1, 7, 4, 10, 6, 3, 9, 7, 2, 10, 5, 6, 8, 4, 9, 11, 0, 0, 0, 0, 0, 0]);
// pay of 0 to 15 scatters, in stakes
const SCATTERS: usize = memory.data<u32>([0, 0, 0, 5, 25, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100]);

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
  spin(BASE_STOPS, BASE_STRIPS);
  const scatters = count(SCATTER);
  let win = payWild(LINES, ROWS, PAYS, WILD, SCATTER, WILD) * (stake / LINES) + <i64>load<u32>(SCATTERS + (<usize>scatters << 2)) * stake;
  if (!opening) win *= MULTIPLIER;
  if (scatters >= 3) left = min(left + AWARD, MOST);
  if (left == 0) return closeRound(win, stateOut());
  store<u16>(stateOut(), VERSION);
  store<u16>(stateOut(), <u16>left, 2);
  return keepOpen(win, 1 << SPIN, STATE, stateOut() + STATE);
}
