// Ember Vault: three reels, five lines, and a vault of nine cells. Embers on
// all reels open it: the player takes a plan, then every respin may lock one
// more ember until the respins run out or the vault is full. Mode 1 (the
// purchase) begins with an open vault.
//
// What an ember is worth is paid when it locks, so a round's state is only what
// decides its future, and the game can be computed exactly.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, advice, ascii, byte, choice, closeRound, decimal, draw, drawMany, headerOk, keepOpen, manifest, mode, stakeMinor, stateIn, stateLength, stateOut } from "../../../sdk/assemblyscript/assembly/edgereel";
import { SCREEN, VALUES as STOPS, amount, grid, quoted } from "../../kit/screen";
import { BASE_STOPS, BASE_STRIPS, DECLARED, EMPTY, LINES, LOCK_PAYS_X, MANIFEST, NAMES, PAYS, PLAN, PLANS, PLAN_NAMES, ROWS_OF_LINES, UNITS, VALUES } from "./maths";

export { edgereel_abi_1_1 as edgereel_abi_1, edgereel_io } from "../../../sdk/assemblyscript/assembly/edgereel";

const SPIN: u32 = 1; // actions
const CHOOSE: u32 = 2;
const RESPIN: u32 = 3;
const BUY: u32 = 1; // mode
const EMBER: u8 = 0;
const SIDE: i32 = 3;
const CELLS: i32 = 9;
const FULL: u32 = (1 << CELLS) - 1;

// Round state, version 1, little-endian: version u8, mode u8, plan u8 (0 while
// none is chosen, else from 1), respins left u8, locked cells u16 (bit reel * 3
// + row).
const STATE: u32 = 6;
const VERSION: u8 = 1;

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  const stake = stakeMinor();
  if (!headerOk(length) || mode() > BUY || stake <= 0 || stake % UNITS != 0) return BAD_INPUT;
  if (stateLength() == 0) return action() == SPIN ? opening(stake) : UNKNOWN_ACTION;
  if (!stateOk()) return BAD_STATE;
  if (action() != offered()) return UNKNOWN_ACTION;
  if (action() == RESPIN) return respin(stake);
  return choice() < <u32>PLANS ? take(choice()) : BAD_INPUT;
}

/** The declared strategy always takes the same plan. */
export function edgereel_advise(length: i32): i32 {
  if (!headerOk(length)) return BAD_INPUT;
  if (!stateOk()) return BAD_STATE;
  return offered() == CHOOSE ? advice(CHOOSE, DECLARED) : advice(RESPIN, 0);
}

// @ts-ignore: decorator
@inline function planOf(s: usize): u32 { return load<u8>(s, 2); }

function offered(): u32 {
  return planOf(stateIn()) == 0 ? CHOOSE : RESPIN;
}

function opening(stake: i64): i32 {
  let locked: u32 = 0;
  let locks = 0;
  if (mode() == BUY) {
    for (let reel = 0; reel < SIDE; reel++) locked |= 1 << (<u32>(reel * SIDE) + draw(SIDE));
    locks = SIDE;
    show(locked);
  } else {
    drawMany(BASE_STOPS, STOPS, SIDE);
    for (let reel = 0; reel < SIDE; reel++) {
      const from = BASE_STRIPS + <usize>(reel * 32) + load<u32>(STOPS + (<usize>reel << 2));
      for (let row = 0; row < SIDE; row++) {
        const x = load<u8>(from + row);
        store<u8>(SCREEN + <usize>(reel * SIDE + row), x);
        if (x == EMBER) {
          locked |= 1 << (reel * SIDE + row);
          locks++;
        }
      }
    }
  }
  const open = locks == SIDE;
  // The grid stands behind the state, whether there is one or not.
  let p = byte(grid(ascii(stateOut() + <usize>(u32(open) * STATE), '{"v":1,'), SIDE, SIDE, NAMES), 0x2c);
  p = ascii(p, '"lines":[');
  let win: i64 = 0;
  let won = 0;
  for (let l = 0; l < LINES && !open; l++) { // a spin that opens the vault pays for its embers alone
    const rows = ROWS_OF_LINES + <usize>(l * SIDE);
    const x = load<u8>(SCREEN + load<u8>(rows));
    if (x != load<u8>(SCREEN + 3 + load<u8>(rows, 1)) || x != load<u8>(SCREEN + 6 + load<u8>(rows, 2))) continue;
    const pay = <i64>load<u32>(PAYS + (<usize>x << 2)) * (stake / UNITS);
    if (pay == 0) continue;
    win += pay;
    if (won++ > 0) p = byte(p, 0x2c);
    p = decimal(ascii(p, '{"line":'), l + 1);
    p = quoted(ascii(p, ',"symbol":'), NAMES, x);
    p = byte(amount(ascii(p, ',"count":3'), ',"win":', pay), 0x7d);
  }
  p = byte(p, 0x5d);
  if (!open) return closeRound(win, end(p, win));
  const embers = LOCK_PAYS_X * SIDE * stake;
  p = amount(ascii(p, ',"feature":"vault"'), ',"ember_win":', embers);
  save(0, 0, locked);
  return keepOpen(win + embers, 1 << CHOOSE, STATE, end(p, win + embers));
}

function take(plan: u32): i32 {
  const locked = load<u16>(stateIn(), 4);
  const respins = load<u32>(PLAN + <usize>(plan * 20));
  show(locked);
  save(plan + 1, respins, locked);
  return keepOpen(0, 1 << RESPIN, STATE, end(vault(plan, respins, STATE), 0));
}

function respin(stake: i64): i32 {
  const s = stateIn();
  const plan = planOf(s) - 1;
  const row = PLAN + <usize>(plan * 20); // respins, hits, of, values, full
  let left = <u32>load<u8>(s, 3) - 1;
  let locked: u32 = load<u16>(s, 4);
  let win: i64 = 0;
  if (draw(load<u32>(row, 8)) < load<u32>(row, 4)) {
    let cell = draw(CELLS - popcnt<u32>(locked)); // of the empty ones
    let at: u32 = 0;
    while (true) {
      if ((locked >> at & 1) == 0) {
        if (cell == 0) break;
        cell--;
      }
      at++;
    }
    locked |= 1 << at;
    left = load<u32>(row);
    win = <i64>load<u32>(VALUES + <usize>(plan * 64) + (<usize>draw(load<u32>(row, 12)) << 2)) * stake;
  }
  const full = locked == FULL;
  if (full) win += <i64>load<u32>(row, 16) * stake;
  const open = !full && left > 0;
  show(locked);
  if (open) save(plan + 1, left, locked);
  let p = vault(plan, full ? 0 : left, open ? STATE : 0);
  p = ascii(p, full ? ',"full":true' : ',"full":false');
  p = end(p, win);
  return open ? keepOpen(win, 1 << RESPIN, STATE, p) : closeRound(win, p);
}

/** Puts the locked cells on the screen. */
function show(locked: u32): void {
  for (let i = 0; i < CELLS; i++) store<u8>(SCREEN + <usize>i, locked >> i & 1 ? EMBER : <u8>EMPTY);
}

function vault(plan: u32, left: u32, stateBytes: u32): usize {
  let p = grid(ascii(stateOut() + stateBytes, '{"v":1,'), SIDE, SIDE, NAMES);
  p = quoted(ascii(p, ',"feature":"vault","plan":'), PLAN_NAMES, plan);
  return decimal(ascii(p, ',"respins_left":'), left);
}

function end(p: usize, win: i64): usize {
  return byte(amount(p, ',"win":', win), 0x7d);
}

function save(plan: u32, left: u32, locked: u32): void {
  const s = stateOut();
  store<u8>(s, VERSION);
  store<u8>(s, <u8>mode(), 1);
  store<u8>(s, <u8>plan, 2);
  store<u8>(s, <u8>left, 3);
  store<u16>(s, <u16>locked, 4);
}

// stateOk accepts only what save can have written in a round of this mode.
function stateOk(): bool {
  const s = stateIn();
  if (stateLength() != STATE || load<u8>(s) != VERSION || load<u8>(s, 1) != <u8>mode()) return false;
  const plan = planOf(s);
  const left = <u32>load<u8>(s, 3);
  const locked = <u32>load<u16>(s, 4);
  if (locked >= FULL || (locked & 7) == 0 || (locked >> 3 & 7) == 0 || locked >> 6 == 0 || plan > <u32>PLANS) return false;
  if (plan == 0) return left == 0 && popcnt<u32>(locked) == SIDE;
  const respins = load<u32>(PLAN + <usize>((plan - 1) * 20));
  return left > 0 && left <= respins;
}
