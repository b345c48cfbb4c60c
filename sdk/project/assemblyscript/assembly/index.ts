// My Game: three shells with six sides. Two alike pay the stake, three alike
// pay 12 stakes, three pearls pay 50.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, ascii, byte, choice, closeRound, decimal, drawMany, headerOk, manifest, mode, stakeMinor, stateLength, stateOut } from "../edgereel/edgereel";

export { edgereel_abi_1, edgereel_io } from "../edgereel/edgereel";

const MANIFEST: string = '{"manifest":1,"id":"my-game","version":"0.1.0","name":"My Game","max_draws":3,"max_state":0,"stake_multiple_minor":1,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.925925925926","hit_frequency":"0.444444444444","max_win_x":50}],"actions":[{"id":1,"name":"spin"}]}';

const SPIN: u32 = 1; // the action
const SHELLS: u32 = 3;
const PEARL: u32 = 5; // the side that pays most

// What changes lies in memory, not in variables: three u32.
const THROWN: usize = memory.data(12, 16);
const SIDES: usize = memory.data<u32>([6, 6, 6]);

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  // Refuse before the first draw, never after.
  const stake = stakeMinor();
  if (!headerOk(length) || mode() != 0 || choice() != 0 || stake <= 0) return BAD_INPUT;
  if (action() != SPIN) return UNKNOWN_ACTION;
  if (stateLength() != 0) return BAD_STATE;

  drawMany(SIDES, THROWN, SHELLS);
  const win = stake * pays(side(0), side(1), side(2));

  let p = ascii(stateOut(), '{"v":1,"shells":[');
  for (let i: u32 = 0; i < SHELLS; i++) {
    if (i > 0) p = byte(p, 0x2c); // a comma
    p = decimal(p, side(i));
  }
  p = decimal(ascii(p, '],"win":"'), <u64>win);
  return closeRound(win, ascii(p, '"}'));
}

function side(shell: u32): u32 {
  return load<u32>(THROWN + (<usize>shell << 2));
}

// pays says what a throw pays, in stakes.
function pays(a: u32, b: u32, c: u32): i64 {
  if (a == b && b == c) return a == PEARL ? 50 : 12;
  return a == b || b == c || a == c ? 1 : 0;
}
