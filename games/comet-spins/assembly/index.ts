// Comet Spins: five reels, three rows, ten lines, wilds, and free spins that
// the player plays one step at a time. Mode 0 opens with a base spin, mode 1
// (the purchase) with a screen that starts the free spins.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, ascii, byte, closeRound, decimal, headerOk, keepOpen, manifest, mode, stakeMinor, stateIn, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";
import { amount, count, pay, present, spin, spinAmong } from "../../../sdk/assemblyscript/assembly/lines";
import { BASE_STOPS, BASE_STRIPS, BUY_BOUNDS, BUY_WINDOWS, FREE_STOPS, FREE_STRIPS, LINES, MANIFEST, MAX_SPINS, MAX_WIN_X, MULTIPLIER, NAMES, PAYS, RETRIGGER, ROWS, SCATTER, SCATTER_PAY_X, SCATTERS, SPINS, WILD } from "./maths";

export { edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const SPIN: u32 = 1;
const BUY: u32 = 1; // mode

// Round state, version 1, little-endian: version u8, mode u8, spins left u16,
// spins awarded u16, reserved u16, stake i64, won so far i64 in line bets.
const STATE: u32 = 24;
const VERSION: u8 = 1;

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  const stake = stakeMinor();
  if (!headerOk(length) || mode() > BUY || stake <= 0 || stake % LINES != 0) return BAD_INPUT;
  if (action() != SPIN) return UNKNOWN_ACTION;
  if (stateLength() == 0) return opening(stake);
  if (!stateOk(stake)) return BAD_STATE;
  return freeSpin(stake);
}

function opening(stake: i64): i32 {
  const bet = stake / LINES;
  if (mode() == BUY) spinAmong(BUY_BOUNDS, BUY_WINDOWS, BASE_STRIPS);
  else spin(BASE_STOPS, BASE_STRIPS);
  let bets = pay(LINES, ROWS, PAYS, WILD);
  const scatters = count(SCATTER);
  const started = scatters >= SCATTERS;
  if (started) bets += SCATTER_PAY_X * LINES;
  const left = started ? SPINS : 0;
  return finish(bet, bets, 0, bet, scatters, left, left, started ? SCATTER_PAY_X * stake : 0);
}

function freeSpin(stake: i64): i32 {
  const bet = stake / LINES;
  const s = stateIn();
  let left = <i32>load<u16>(s, 2) - 1;
  let awarded = <i32>load<u16>(s, 4);
  spin(FREE_STOPS, FREE_STRIPS);
  const bets = pay(LINES, ROWS, PAYS, WILD) * MULTIPLIER;
  const scatters = count(SCATTER);
  if (scatters >= SCATTERS) {
    const more = min(RETRIGGER, MAX_SPINS - awarded);
    left += more;
    awarded += more;
  }
  return finish(bet, bets, load<i64>(s, 16), bet * MULTIPLIER, scatters, left, awarded, 0);
}

// finish holds the round to its limit, writes state and presentation, and
// closes the round when no spin is left or the limit is reached.
function finish(bet: i64, bets: i64, before: i64, lineMinor: i64, scatters: i32, left: i32, awarded: i32, scatterMinor: i64): i32 {
  const limit = MAX_WIN_X * LINES;
  const limited = before + bets >= limit;
  if (limited) {
    bets = limit - before;
    left = 0;
  }
  const stateBytes: u32 = left > 0 ? STATE : 0;
  // Written before the output, which begins elsewhere: the input stays whole.
  if (left > 0) writeState(left, awarded, before + bets);
  let p = present(stateOut() + stateBytes, NAMES, lineMinor);
  p = decimal(ascii(p, ',"scatters":'), scatters);
  p = amount(p, ',"scatter_win":', scatterMinor);
  p = decimal(ascii(p, ',"multiplier":'), <u64>(lineMinor / bet));
  p = decimal(ascii(p, ',"free_spins_left":'), left);
  p = decimal(ascii(p, ',"free_spins_awarded":'), awarded);
  p = ascii(p, limited ? ',"limit_reached":true' : ',"limit_reached":false');
  p = amount(p, ',"win":', bets * bet);
  p = byte(amount(p, ',"round_win":', (before + bets) * bet), 0x7d);
  return left > 0 ? keepOpen(bets * bet, 1 << SPIN, STATE, p) : closeRound(bets * bet, p);
}

function writeState(left: i32, awarded: i32, won: i64): void {
  const s = stateOut();
  store<u8>(s, VERSION);
  store<u8>(s, <u8>mode(), 1);
  store<u16>(s, <u16>left, 2);
  store<u16>(s, <u16>awarded, 4);
  store<u16>(s, 0, 6);
  store<i64>(s, stakeMinor(), 8);
  store<i64>(s, won, 16);
}

// stateOk accepts only what writeState can have written for this round.
function stateOk(stake: i64): bool {
  const s = stateIn();
  if (stateLength() != STATE || load<u8>(s) != VERSION || load<u16>(s, 6) != 0) return false;
  const left = <i32>load<u16>(s, 2);
  const awarded = <i32>load<u16>(s, 4);
  const won = load<i64>(s, 16);
  return <u32>load<u8>(s, 1) == mode() && load<i64>(s, 8) == stake
    && left > 0 && left <= awarded && awarded >= SPINS && awarded <= MAX_SPINS
    && (awarded - SPINS) % RETRIGGER == 0
    && won >= SCATTER_PAY_X * LINES && won < MAX_WIN_X * LINES;
}
