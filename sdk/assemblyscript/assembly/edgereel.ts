// Edgereel guest kit, ABI v1: the I/O block, the draws, and a writer of
// presentation JSON. It allocates nothing and keeps everything that changes in
// memory, so a module built with it has no mutable global.
// The ABI itself is specified in docs/abi.md.

/** One uniform value in [0, bound), drawn by the host. */
@external("edgereel", "draw")
export declare function draw(bound: u32): u32;

/** n draws in order: bounds and values are arrays of u32. */
@external("edgereel", "draw_many")
export declare function drawMany(bounds: usize, values: usize, n: u32): void;

/** The I/O block: input at +0, output at +OUTPUT. */
const IO: usize = memory.data(65536, 16);
const OUTPUT: usize = 16384;
const HEADER: usize = 32;

// Error codes. After a draw they are incidents: refuse before drawing.
export const BAD_INPUT: i32 = -1;
export const BAD_STATE: i32 = -3;
export const UNKNOWN_ACTION: i32 = -4;
export const INTERNAL: i32 = -5;

export function edgereel_abi_1(): i32 {
  return 0;
}

/**
 * For games with edgereel_advise, which came with minor version 1:
 * export { edgereel_abi_1_1 as edgereel_abi_1 } from "./edgereel".
 */
export function edgereel_abi_1_1(): i32 {
  return 1;
}

export function edgereel_io(): usize {
  return IO;
}

// @ts-ignore: decorator
@inline export function abi(): u32 { return load<u16>(IO); }
// @ts-ignore: decorator
@inline export function flags(): u32 { return load<u16>(IO, 2); }
// @ts-ignore: decorator
@inline export function action(): u32 { return load<u32>(IO, 4); }
// @ts-ignore: decorator
@inline export function mode(): u32 { return load<u32>(IO, 8); }
// @ts-ignore: decorator
@inline export function choice(): u32 { return load<u32>(IO, 12); }
/** The base stake of the round, minor units. */
// @ts-ignore: decorator
@inline export function stakeMinor(): i64 { return load<i64>(IO, 16); }
// @ts-ignore: decorator
@inline export function stateLength(): u32 { return load<u32>(IO, 24); }
/** Address of the state that came in. */
// @ts-ignore: decorator
@inline export function stateIn(): usize { return IO + HEADER; }
/** Address of the state that goes out; the presentation follows right behind it. */
// @ts-ignore: decorator
@inline export function stateOut(): usize { return IO + OUTPUT + HEADER; }

/** Whether the header is of this ABI and fits the length of the input. */
export function headerOk(length: i32): bool {
  return length >= <i32>HEADER && abi() == 1 && flags() == 0 && <u32>length == <u32>HEADER + stateLength();
}

/** Closes the round; end is one past the presentation. Returns the output's length. */
export function closeRound(winMinor: i64, end: usize): i32 {
  return answer(winMinor, 1, 0, 0, end);
}

/** Keeps the round open with stateLength bytes of state and the actions of the mask. */
export function keepOpen(winMinor: i64, actions: u32, stateLength: u32, end: usize): i32 {
  return answer(winMinor, 0, actions, stateLength, end);
}

function answer(winMinor: i64, flags: u32, actions: u32, stateLength: u32, end: usize): i32 {
  const out = IO + OUTPUT;
  store<i64>(out, winMinor);
  store<u32>(out, flags, 8);
  store<u32>(out, actions, 12);
  store<u32>(out, stateLength, 16);
  store<u32>(out, <u32>(end - out - HEADER) - stateLength, 20);
  store<u64>(out, 0, 24);
  return <i32>(end - out);
}

/** What edgereel_advise returns: an action that is offered, and one of its choices. */
// @ts-ignore: decorator
@inline export function advice(action: u32, choice: u32): i32 { return <i32>(choice << 5 | action); }

/** Writes the manifest where the host reads it and returns its length. */
export function manifest(json: string): i32 {
  const out = IO + OUTPUT;
  return <i32>(ascii(out, json) - out);
}

/** Writes ASCII text at p and returns the address behind it. */
export function ascii(p: usize, s: string): usize {
  const from = changetype<usize>(s);
  const n = s.length;
  for (let i = 0; i < n; i++) store<u8>(p + i, load<u16>(from + (<usize>i << 1)));
  return p + n;
}

/** Writes one byte and returns the address behind it. */
// @ts-ignore: decorator
@inline export function byte(p: usize, c: u8): usize {
  store<u8>(p, c);
  return p + 1;
}

/** Writes a name of a table row {length, up to 15 characters, zeros}, 24 bytes. */
// @ts-ignore: decorator
@inline export function name(p: usize, row: usize): usize {
  store<u64>(p, load<u64>(row, 1));
  store<u64>(p, load<u64>(row, 9), 8);
  return p + load<u8>(row);
}

const DIGITS: usize = memory.data(24, 16);

/** Writes a number that is not negative, in decimal. */
export function decimal(p: usize, v: u64): usize {
  let at: usize = 24;
  do {
    const q = v / 10;
    at--;
    store<u8>(DIGITS + at, <u8>(48 + (v - q * 10)));
    v = q;
  } while (v != 0);
  while (at < 24) {
    store<u8>(p, load<u8>(DIGITS + at));
    p++;
    at++;
  }
  return p;
}

/** Writes a number that is not negative, in decimal; like decimal, and faster below 10. */
// @ts-ignore: decorator
@inline export function number(p: usize, v: u64): usize {
  return v < 10 ? byte(p, <u8>(48 + v)) : decimal(p, v);
}

/**
 * Writes a text that is kept as it is copied, in a row of 16 bytes: at most 15
 * characters, zeros, and in the last byte how many they are.
 */
// @ts-ignore: decorator
@inline export function fixed(p: usize, row: usize): usize {
  const last = load<u64>(row, 8); // the farthest first: one check of the address serves all
  store<u64>(p, last, 8);
  store<u64>(p, load<u64>(row));
  return p + <usize>(last >> 56);
}
