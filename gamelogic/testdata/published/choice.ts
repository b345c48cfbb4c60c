// A small game whose figures are known from a few lines of arithmetic. Half of
// the rounds end at once with nothing. The others offer
//   take: pays 1 stake                                            worth 1
//   dive: one of 3 draws nothing, one returns here, one pays 3    worth 3/2
//   toss: one of 2 pays nothing; the other draws one of 5 and
//         pays 2 stakes for one of them                           worth 1/5
// so that a round returns 1/2 by the first action, 3/4 at best, 1/10 at worst.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, closeRound, draw, headerOk, keepOpen, manifest, mode, stakeMinor, stateIn, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";

export { edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const MANIFEST: string = '{"manifest":1,"id":"choice","version":"1.0.0","name":"Choice","max_draws":2,"max_state":1,"stake_multiple_minor":1,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.5","hit_frequency":"0.5","max_win_x":3}],"actions":[{"id":1,"name":"spin"},{"id":2,"name":"take"},{"id":3,"name":"dive"},{"id":4,"name":"toss"}]}';
const OFFER: u32 = 4 + 8 + 16;

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  if (!headerOk(length) || mode() != 0) return BAD_INPUT;
  const opening = stateLength() == 0;
  if (opening != (action() == 1)) return UNKNOWN_ACTION;
  if (!opening && load<u8>(stateIn()) != 7) return BAD_STATE;
  const stake = stakeMinor();
  switch (action()) {
    case 1: return draw(2) == 0 ? end(0) : stay();
    case 2: return end(stake);
    case 3: {
      const x = draw(3);
      return x == 0 ? end(0) : x == 1 ? stay() : end(3 * stake);
    }
    case 4: return draw(2) == 0 ? end(0) : end(draw(5) == 4 ? 2 * stake : 0);
  }
  return UNKNOWN_ACTION;
}

function end(win: i64): i32 {
  return closeRound(win, stateOut());
}

function stay(): i32 {
  store<u8>(stateOut(), 7);
  return keepOpen(0, OFFER, 1, stateOut() + 1);
}
