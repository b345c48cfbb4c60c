// Lantern Pick: three reels, three rows, five lines with a wild. Three lanterns
// open a choice of three ways to play free spins; the mode "buy" starts there.
// The same game is written on every kit, see sdk/README.md.

import { BAD_INPUT, BAD_STATE, UNKNOWN_ACTION, action, advice, ascii, byte, choice, closeRound, decimal, draw, drawMany, fixed, headerOk, keepOpen, manifest, mode, number, stakeMinor, stateIn, stateLength, stateOut } from "../assembly/edgereel";

export { edgereel_abi_1_1 as edgereel_abi_1, edgereel_io } from "../assembly/edgereel";

const MANIFEST: string = '{"manifest":1,"id":"lantern-pick","version":"1.0.0","name":"Lantern Pick","max_draws":3,"max_state":4,"stake_multiple_minor":5,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.968031141493","hit_frequency":"0.434599650432","max_win_x":241},{"id":1,"name":"buy","cost_x100":920,"rtp":"0.961987973027","hit_frequency":"0.851414664682","max_win_x":241}],"actions":[{"id":1,"name":"spin"},{"id":2,"name":"pick","choices":3}]}';

const SPIN: u32 = 1; // actions
const PICK: u32 = 2;
const BUY: u32 = 1; // modes; the other is 0, base

const REELS: u32 = 3;
const ROWS: u32 = 3;
const STOPS: u32 = 12;
const LINES: i32 = 5;

const LANTERN: u8 = 0; // symbols: lantern, moon, fox, crane, fern, pebble
const MOON: u8 = 1; // stands for every symbol but the lantern

const STRIPS: usize = memory.data<u8>([
  2, 5, 4, 0, 3, 5, 4, 2, 5, 3, 1, 4, 2, 5,
  3, 4, 5, 2, 0, 4, 5, 1, 3, 4, 2, 5, 3, 4,
  4, 2, 5, 3, 4, 1, 5, 0, 4, 3, 5, 2, 4, 2]);
const STRIDE: u32 = 14; // the first two again at the end of each strip
const LANTERN_AT: usize = memory.data<u8>([3, 4, 7]); // stop of each reel
const PAYS: usize = memory.data<u8>([0, 75, 24, 9, 5, 3]); // line bets for three of a kind

// Texts as rows for fixed: characters, zeros, their number. The names come with
// their quotes and a comma.
const NAMES: usize = memory.data<u8>([
  34, 108, 97, 110, 116, 101, 114, 110, 34, 44, 0, 0, 0, 0, 0, 10,
  34, 109, 111, 111, 110, 34, 44, 0, 0, 0, 0, 0, 0, 0, 0, 7,
  34, 102, 111, 120, 34, 44, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6,
  34, 99, 114, 97, 110, 101, 34, 44, 0, 0, 0, 0, 0, 0, 0, 8,
  34, 102, 101, 114, 110, 34, 44, 0, 0, 0, 0, 0, 0, 0, 0, 7,
  34, 112, 101, 98, 98, 108, 101, 34, 44, 0, 0, 0, 0, 0, 0, 9]);
const TEXTS: usize = memory.data<u8>([
  123, 34, 118, 34, 58, 49, 44, 34, 103, 114, 105, 100, 34, 58, 91, 15, // {"v":1,"grid":[
  93, 44, 34, 108, 105, 110, 101, 115, 34, 58, 91, 0, 0, 0, 0, 11, // ],"lines":[
  123, 34, 108, 105, 110, 101, 34, 58, 0, 0, 0, 0, 0, 0, 0, 8, // {"line":
  44, 34, 115, 121, 109, 98, 111, 108, 34, 58, 0, 0, 0, 0, 0, 10, // ,"symbol":
  44, 34, 119, 105, 110, 34, 58, 34, 0, 0, 0, 0, 0, 0, 0, 8, // ,"win":"
  93, 44, 34, 108, 97, 110, 116, 101, 114, 110, 115, 34, 58, 0, 0, 13, // ],"lanterns":
  44, 34, 109, 117, 108, 116, 105, 112, 108, 105, 101, 114, 34, 58, 0, 14, // ,"multiplier":
  44, 34, 115, 112, 105, 110, 115, 95, 108, 101, 102, 116, 34, 58, 0, 14]); // ,"spins_left":
const GRID = TEXTS; // places in TEXTS
const WINS = TEXTS + 16;
const LINE = TEXTS + 32;
const SYMBOL = TEXTS + 48;
const WIN = TEXTS + 64;
const LANTERNS = TEXTS + 80;
const MULTIPLIER = TEXTS + 96;
const SPINS_LEFT = TEXTS + 112;

// The three ways to play the free spins: fewest spins, how many counts are
// drawn among, multiplier.
const WAYS: usize = memory.data<u8>([4, 3, 2, 8, 5, 1, 2, 4, 3]);
const CHOICES: u32 = 3;
const BEST: u32 = 2; // 3.5 spins × 3 against 5 × 2 and 10 × 1

// State, version 1: version, phase, spins left, multiplier; a byte each.
const STATE: u32 = 4;
const VERSION: u8 = 1;
const PICKING: u8 = 0;
const FREE: u8 = 1;

const VALUES: usize = memory.data(12, 16); // a bound, a value or a stop per reel, u32
const SCREEN: usize = memory.data(9, 16); // reel by reel from the top

export function edgereel_manifest(): i32 {
  return manifest(MANIFEST);
}

export function edgereel_play(length: i32): i32 {
  const refused = refusal(length);
  if (refused != 0) return refused;
  const opening = stateLength() == 0;
  const picking = !opening && load<u8>(stateIn(), 1) == PICKING;
  if (action() != (picking ? PICK : SPIN)) return UNKNOWN_ACTION;
  if (choice() >= (picking ? CHOICES : 1)) return BAD_INPUT;
  if (picking) return pick(choice());
  return opening ? open() : freeSpin(load<u8>(stateIn(), 2) - 1, load<u8>(stateIn(), 3));
}

export function edgereel_advise(length: i32): i32 {
  const refused = refusal(length);
  if (refused != 0) return refused;
  if (stateLength() == 0) return BAD_STATE;
  return load<u8>(stateIn(), 1) == PICKING ? advice(PICK, BEST) : advice(SPIN, 0);
}

// refusal is what can be refused whatever the player does; 0 when there is nothing.
function refusal(length: i32): i32 {
  const stake = stakeMinor();
  if (!headerOk(length) || mode() > BUY || stake <= 0 || stake % LINES != 0) return BAD_INPUT;
  return stateLength() == 0 || stateOk() ? 0 : BAD_STATE;
}

// stateOk accepts only what this game can have written.
function stateOk(): bool {
  const s = stateIn();
  if (stateLength() != STATE || load<u8>(s) != VERSION) return false;
  const left: u32 = load<u8>(s, 2);
  const multiplier = load<u8>(s, 3);
  if (load<u8>(s, 1) == PICKING) return left == 0 && multiplier == 0;
  if (load<u8>(s, 1) != FREE || left == 0) return false;
  for (let i: usize = 0; i < CHOICES; i++) {
    const way = WAYS + i * 3;
    if (load<u8>(way, 2) == multiplier) return left < <u32>load<u8>(way) + load<u8>(way, 1);
  }
  return false;
}

function writeState(phase: u8, left: u32, multiplier: u32): void {
  const s = stateOut();
  store<u8>(s, VERSION);
  store<u8>(s, phase, 1);
  store<u8>(s, left, 2);
  store<u8>(s, multiplier, 3);
}

function open(): i32 {
  const bought = mode() == BUY;
  spin(bought ? ROWS : STOPS);
  if (bought) { // a screen that shows a lantern on each reel
    for (let r: usize = 0; r < REELS; r++) {
      const at = VALUES + (r << 2);
      store<u32>(at, (<u32>load<u8>(LANTERN_AT + r) + STOPS - load<u32>(at)) % STOPS);
    }
  }
  const lanterns = show();
  if (lanterns < REELS) return finish(lanterns, 0, 1, 0, 0);
  writeState(PICKING, 0, 0);
  return finish(lanterns, 0, 1, STATE, 1 << PICK);
}

function pick(way: u32): i32 {
  const w = WAYS + <usize>way * 3;
  const spins = <u32>load<u8>(w) + draw(load<u8>(w, 1));
  const multiplier: u32 = load<u8>(w, 2);
  writeState(FREE, spins, multiplier);
  let p = decimal(ascii(stateOut() + STATE, '{"v":1,"choice":'), way);
  p = decimal(ascii(p, ',"spins":'), spins);
  p = decimal(ascii(p, ',"multiplier":'), multiplier);
  return keepOpen(0, 1 << SPIN, STATE, ascii(p, ',"win":"0"}'));
}

function freeSpin(left: u32, multiplier: u32): i32 {
  spin(STOPS);
  const lanterns = show();
  if (left == 0) return finish(lanterns, 0, multiplier, 0, 0);
  writeState(FREE, left, multiplier);
  return finish(lanterns, left, multiplier, STATE, 1 << SPIN);
}

// spin draws a value below the bound for each reel.
function spin(bound: u32): void {
  for (let r: usize = 0; r < REELS; r++) store<u32>(VALUES + (r << 2), bound);
  drawMany(VALUES, VALUES, REELS);
}

// show sets the screen to the stops and counts the lanterns.
function show(): u32 {
  let lanterns: u32 = 0;
  for (let r: u32 = 0; r < REELS; r++) {
    const window = STRIPS + r * STRIDE + load<u32>(VALUES + (<usize>r << 2));
    const to = SCREEN + r * ROWS;
    const c = load<u8>(window, 2), b = load<u8>(window, 1), a = load<u8>(window);
    store<u8>(to, c, 2);
    store<u8>(to, b, 1);
    store<u8>(to, a);
    lanterns += u32(a == LANTERN) + u32(b == LANTERN) + u32(c == LANTERN);
  }
  return lanterns;
}

// paid is the symbol that a line of these rows pays for; the lantern stands for none.
// @ts-ignore: decorator
@inline function paid(row0: usize, row1: usize, row2: usize): u64 {
  const a: u32 = load<u8>(SCREEN + row0), b: u32 = load<u8>(SCREEN + ROWS + row1), c: u32 = load<u8>(SCREEN + 2 * ROWS + row2);
  let symbol = select(b, a, a == MOON);
  symbol = select(c, symbol, symbol == MOON);
  const all = (u32(a == symbol) | u32(a == MOON)) & (u32(b == symbol) | u32(b == MOON)) & (u32(c == symbol) | u32(c == MOON));
  return select<u32>(symbol, LANTERN, all != 0);
}

// finish writes what is seen behind the state, pays, and ends the step.
function finish(lanterns: u32, left: u32, multiplier: u32, stateBytes: u32, actions: u32): i32 {
  const lineBet = stakeMinor() / LINES;
  let win: i64 = 0;
  let p = reel(fixed(stateOut() + stateBytes, GRID), 0);
  p = reel(byte(p, 0x2c), ROWS);
  p = reel(byte(p, 0x2c), 2 * ROWS);
  p = fixed(p, WINS);
  // A byte per line: the symbol it pays for.
  let symbols = paid(1, 1, 1) | paid(0, 0, 0) << 8 | paid(2, 2, 2) << 16 | paid(0, 1, 2) << 24 | paid(2, 1, 0) << 32;
  for (let l: u8 = 1; symbols != 0; l++, symbols >>= 8) {
    const symbol = <u8>symbols;
    if (symbol == LANTERN) continue;
    const pay = <i64>load<u8>(PAYS + symbol) * multiplier * lineBet;
    if (win > 0) p = byte(p, 0x2c);
    p = byte(fixed(p, LINE), 48 + l);
    p = fixed(fixed(p, SYMBOL), NAMES + (<usize>symbol << 4)) - 1; // without its comma
    p = byte(amount(p, pay), 0x7d);
    win += pay;
  }
  p = number(fixed(p, LANTERNS), lanterns);
  p = number(fixed(p, MULTIPLIER), multiplier);
  p = number(fixed(p, SPINS_LEFT), left);
  p = byte(amount(p, win), 0x7d);
  return actions == 0 ? closeRound(win, p) : keepOpen(win, actions, stateBytes, p);
}

// reel writes what a reel shows, whose first symbol is at this place of the screen.
// @ts-ignore: decorator
@inline function reel(p: usize, at: usize): usize {
  p = byte(p, 0x5b);
  p = symbolAt(p, at);
  p = symbolAt(p, at + 1);
  p = symbolAt(p, at + 2);
  store<u8>(p - 1, 0x5d); // for the last comma
  return p;
}

// @ts-ignore: decorator
@inline function symbolAt(p: usize, at: usize): usize {
  return fixed(p, NAMES + (<usize>load<u8>(SCREEN + at) << 4));
}

// amount writes the field "win".
// @ts-ignore: decorator
@inline function amount(p: usize, minor: i64): usize {
  return byte(number(fixed(p, WIN), <u64>minor), 0x22);
}
