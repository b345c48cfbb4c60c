// Harbor Lines: five reels, three rows, ten plain lines; one step is a round.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, byte, closeRound, headerOk, manifest, mode, stakeMinor, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";
import { amount, pay, present, spin } from "../../../sdk/assemblyscript/assembly/lines";
import { BASE_STOPS, BASE_STRIPS, LINES, MANIFEST, NAMES, PAYS, ROWS } from "./maths";

export { edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const SPIN: u32 = 1;

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  const stake = stakeMinor();
  if (!headerOk(length) || mode() != 0 || stake <= 0 || stake % LINES != 0) return BAD_INPUT;
  if (action() != SPIN) return UNKNOWN_ACTION;
  if (stateLength() != 0) return BAD_STATE;
  const bet = stake / LINES;
  spin(BASE_STOPS, BASE_STRIPS);
  const win = pay(LINES, ROWS, PAYS, -1) * bet;
  const end = amount(present(stateOut(), NAMES, bet), ',"win":', win);
  return closeRound(win, byte(end, 0x7d));
}
