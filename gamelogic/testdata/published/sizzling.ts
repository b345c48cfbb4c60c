// The Sizzling type: five reels, five lines, no wild, a scatter that pays.
// Strips, lines and pays: github.com/slotopol/server at f9550406 (MIT),
// game/slot/novomatic/sizzlinghot. Published return 95.655629 %.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, closeRound, headerOk, manifest, mode, stakeMinor, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";
import { count, payPlain, spin } from "./reels";

export { edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const MANIFEST: string = '{"manifest":1,"id":"published-five-lines","version":"1.0.0","name":"Published Five Lines","max_draws":5,"max_state":0,"stake_multiple_minor":5,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.956556288","hit_frequency":"0.1248854","max_win_x":1000}],"actions":[{"id":1,"name":"spin"}]}';

const LINES: i32 = 5;
const SCATTER: i32 = 8;
const SPIN: u32 = 1;
// row of each line on each reel
const ROWS: usize = memory.data<u8>([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 0, 1, 2, 1, 0, 2, 1, 0, 1, 2]);
// per symbol: pay of a run of 0 to 5, in line bets
const PAYS: usize = memory.data<u32>([0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1000, 5000, 0, 0, 0, 50, 200, 500, 0, 0, 0, 50, 200, 500, 0, 0, 0, 20, 50, 200, 0, 0, 0, 20, 50, 200, 0, 0, 0, 20, 50, 200, 0, 0, 5, 20, 50, 200, 0, 0, 0, 0, 0, 0]);
// lengths of the reels: the bounds of a spin
const BASE_STOPS: usize = memory.data<u32>([25, 25, 25, 25, 25]);
// symbols, 40 bytes per reel
const BASE_STRIPS: usize = memory.data<u8>([1, 4, 4, 4, 3, 1, 3, 3, 8, 6, 6, 6, 7, 7, 7, 6, 6, 2, 2, 5, 2, 5, 5, 5, 4, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 6, 6, 2, 2, 1, 2, 7, 7, 7, 7, 8, 4, 4, 4, 4, 5, 5, 5, 3, 5, 3, 3, 6, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 7, 7, 7, 8, 5, 5, 5, 1, 5, 2, 2, 4, 2, 4, 4, 4, 3, 3, 7, 3, 6, 6, 6, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5, 5, 5, 5, 1, 5, 4, 4, 4, 8, 3, 3, 6, 6, 6, 7, 6, 7, 7, 7, 4, 4, 2, 2, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 4, 6, 6, 6, 2, 2, 5, 8, 5, 5, 5, 8, 5, 4, 4, 4, 6, 1, 7, 7, 7, 3, 3, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
// pay of 0 to 15 scatters, in stakes
const SCATTERS: usize = memory.data<u32>([0, 0, 0, 2, 10, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50]);

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  const stake = stakeMinor();
  if (!headerOk(length) || mode() != 0 || stake <= 0 || stake % LINES != 0) return BAD_INPUT;
  if (action() != SPIN) return UNKNOWN_ACTION;
  if (stateLength() != 0) return BAD_STATE;
  spin(BASE_STOPS, BASE_STRIPS);
  const scatters = <i64>load<u32>(SCATTERS + (<usize>count(SCATTER) << 2));
  return closeRound(payPlain(LINES, ROWS, PAYS) * (stake / LINES) + scatters * stake, stateOut());
}
